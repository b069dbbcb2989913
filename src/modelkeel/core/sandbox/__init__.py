"""The sandbox of models and of user code that the server starts: what such a process is left with.

No read of the home or of the user's own files, no write outside a scratch folder (Landlock), no network but one control
address (namespaces; Landlock's TCP rules where there are none), no tracing, no mounting (seccomp), no capabilities,
limits on memory and files, a clean environment. `isolation` says what this machine can do of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import msgspec

LAUNCHER = Path(__file__).with_name("launcher.py")
GIB = 1 << 30
_SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/nix/store", "/gnu/store", "/proc", "/sys")
_ETC = (
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "localtime", "timezone", "nsswitch.conf", "hosts",
    "host.conf", "resolv.conf", "gai.conf", "protocols", "services", "passwd", "group", "ssl", "ca-certificates",
    "pki", "fonts", "mime.types", "os-release", "debian_version", "locale.alias", "alternatives", "OpenCL",
)  # fmt: skip


class Isolation(msgspec.Struct, frozen=True):
    """What this machine can do.

    Attributes:
        landlock: its version; 0: none.
        seccomp: whether system calls can be filtered.
        namespaces: whether a process can be left without a network.
    """

    landlock: int
    seccomp: bool
    namespaces: bool

    @property
    def holds(self) -> bool:
        """Whether files and system calls are confined; the network then is too, by one means or the other."""
        return self.landlock > 0 and self.seccomp


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a process is left with.

    Attributes:
        read: files and folders beside the system's and the interpreter's that it may read.
        write: folders in which it may do everything.
        strict: whether it may start no process, open no socket, and signal nobody: for models.
        control: the one address that it may reach, `host:port`; empty: none. Where there are namespaces, it is found
            at 127.0.0.1 and the same port.
        network: whether it may use the network after all: for installing packages.
        demanded: whether it fails where the machine can't confine it, instead of running with less.
        limits: `memory` and `file_size` in bytes, `files` open at a time, `processes`.
    """

    read: Sequence[str] = ()
    write: Sequence[str] = ()
    strict: bool = True
    control: str = ""
    network: bool = False
    demanded: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)

    def script(self, python: str, script: Path, *arguments: str) -> list[str]:
        """The command that runs a Python script confined, in the same process."""
        return [python, "-I", "-B", str(LAUNCHER), self._spec(python, str(script)), "run", str(script), *arguments]

    def program(self, *command: str) -> list[str]:
        """The command that runs a program confined."""
        return [sys.executable, "-I", "-B", str(LAUNCHER), self._spec(command[0]), "exec", *command]

    def _spec(self, python: str, *further: str) -> str:
        system = [path for path in _SYSTEM if Path(path).exists()]
        etc = [f"/etc/{name}" for name in _ETC if Path(f"/etc/{name}").exists()]
        # our own code: mlflow loads our run context with itself, from wherever an editable install has it
        read = [*system, *etc, *_interpreter(python), str(LAUNCHER.parents[2]), *further, *self.read]
        limits = {"files": 1024, "file_size": GIB, "processes": 512, **self.limits}
        return json.dumps({**asdict(self), "read": read, "write": list(self.write), "limits": limits})


@cache
def isolation() -> Isolation:
    """What this machine can do, asked once of a process of its own."""
    command = [sys.executable, "-I", "-B", str(LAUNCHER), "--probe"]
    try:
        told = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
        return msgspec.json.decode(told, type=Isolation)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        return Isolation(0, False, False)


def memory_limit() -> int:
    """Bytes of data that a confined process may hold: three quarters of the machine's memory, at least 2 GiB."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return max(2 * GIB, pages * size * 3 // 4)


def for_installing(environment: Path, cache: Path, *further: Path, demanded: bool = False) -> Sandbox:
    """The sandbox of an installer: a package without a wheel runs code of its own to build one.

    Args:
        environment: the virtual environment to fill.
        cache: a cache that only confined installers use, so that none can plant something for others.
        further: more folders to write in.
        demanded: as for `Sandbox`.
    """
    named = [one for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS") for one in os.environ.get(name, "").split()]
    config = [str(Path.home() / ".config" / name) for name in ("uv", "pip")]
    return Sandbox(
        read=[sys.prefix, sys.base_prefix, *config, *(one for one in named if one.startswith("/"))],
        write=[str(folder) for folder in (environment, cache, *further)],
        strict=False,
        network=True,
        demanded=demanded,
        limits={"file_size": 16 * GIB, "files": 65_536},
    )


def _interpreter(python: str) -> list[str]:
    """The folders of an interpreter: of its environment, and of the installation from which that was made."""
    given = Path(python)
    real = Path(os.path.realpath(python))
    return list(dict.fromkeys([str(given.parent.parent), str(real.parent.parent)]))
