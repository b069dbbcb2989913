"""What is installed: names and versions at once, a hashed lock file when it is needed.

The digest of names and versions stands in cache keys and costs a look into the installation's folders. The lock is
made by uv from the same names and versions, once for each such digest, and kept. It never names an index. Packages
that no index has (local, editable) are laid in as wheels.
"""

import functools
import json
import platform
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from modelkeel.core.errors import Unavailable
from modelkeel.core.hashing import digest_of, sha256
from modelkeel.sdk.capture import cache, wheels
from modelkeel.sdk.capture.uv import uv_command
from modelkeel.wire.captures import Environment, Wheel

OWN = "modelkeel"
_UNKNOWN = re.compile(
    r"(?:Because |and )([A-Za-z0-9._-]+?)(?:==\S+)? was not found|there is no version of ([A-Za-z0-9._-]+)=="
)


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed package: where its description lies, and where its source lies if it is local."""

    name: str
    version: str
    folder: Path
    source: Path | None
    editable: bool


@dataclass(frozen=True, slots=True)
class Locked:
    """An environment with the content of its lock and wheels."""

    environment: Environment
    lock: bytes
    wheels: dict[str, bytes]


def python_version() -> str:
    """The interpreter's version, `3.11.7`."""
    return platform.python_version()


@functools.cache
def installed() -> tuple[Installed, ...]:
    """Every installed package, by name, without opening the descriptions of ordinary ones."""
    found: dict[str, Installed] = {}
    for entry in sys.path:
        folder = Path(entry)
        if folder.name not in {"site-packages", "dist-packages"} or not folder.is_dir():
            continue
        for described in folder.glob("*.dist-info"):
            name, _, version = described.name.removesuffix(".dist-info").rpartition("-")
            name = re.sub(r"[-_.]+", "-", name).lower()
            source, editable = _source(described)
            found.setdefault(name, Installed(name, version, described, source, editable))
    return tuple(found[name] for name in sorted(found))


def environment_digest() -> str:
    """The digest of what is installed: names and versions, the interpreter and the platform; ours left out."""
    pins = [f"{package.name}=={package.version}" for package in installed() if package.name != OWN]
    local = {
        p.name: wheels.recorded_digest(p.folder) for p in installed() if p.source and not p.editable and p.name != OWN
    }
    return digest_of([pins, local, python_version(), sysconfig.get_platform()])


def lock(root: Path) -> Locked:
    """The environment with its hashed lock, and wheels of what no index has.

    Args:
        root: the project's folder; an editable package inside it travels with the snapshot.

    Raises:
        Unavailable: uv is missing or can't lock.
    """
    packages = installed()
    local = [p for p in packages if p.name == OWN or (p.source is not None and not _inside(p, root))]
    names = {p.name for p in local}
    pins = [f"{p.name}=={p.version}" for p in packages if p.name not in names and p.source is None]
    found, unknown = _locked(pins)
    stray = [p for p in packages if p.name in unknown]
    built: dict[str, bytes] = {}
    listed: list[Wheel] = []
    unlocked: list[str] = []
    for package in [*local, *stray]:
        try:
            filename, content = wheels.wheel_of(
                package.name, package.version, package.folder, package.source, package.editable
            )
        except Unavailable:
            unlocked.append(package.name)
            continue
        digest = sha256(content)
        built[digest] = content
        listed.append(Wheel(package.name, package.version, filename, digest))
    environment = Environment(
        digest=environment_digest(),
        python=python_version(),
        platform=sysconfig.get_platform(),
        packages=len(packages),
        lock=sha256(found),
        wheels=listed,
        unlocked=unlocked,
    )
    return Locked(environment, found, built)


def _locked(pins: list[str]) -> tuple[bytes, list[str]]:
    """The hashed lock of some pins, and the names that no index has."""
    key = digest_of([pins, python_version(), sysconfig.get_platform()])
    kept = cache.read_json("locks", key)
    if kept is not None:
        return kept["lock"].encode(), kept["unknown"]
    unknown: list[str] = []
    while True:
        wanted = [pin for pin in pins if pin.partition("==")[0] not in unknown]
        text, complaint = _compile(wanted)
        if text is not None:
            cache.write("locks", key, json.dumps({"lock": text, "unknown": unknown}).encode())
            return text.encode(), unknown
        named = {name for match in _UNKNOWN.findall(complaint) for name in match if name} - set(unknown)
        if not named:
            raise Unavailable(f"uv can't lock this environment: {complaint[-500:]}")
        unknown += sorted(re.sub(r"[-_.]+", "-", name).lower() for name in named)


def _compile(pins: list[str]) -> tuple[str | None, str]:
    command = [
        *uv_command("pip", "compile", "-q", "--generate-hashes", "--no-deps", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links", "--python", sys.executable, "-"),
    ]
    done = subprocess.run(command, input="\n".join(pins), capture_output=True, text=True, check=False)
    return (done.stdout, "") if done.returncode == 0 else (None, done.stderr)


def _wheel(package: Installed) -> tuple[str, bytes]:
    return wheels.wheel_of(package.name, package.version, package.folder, package.source, package.editable)


def _inside(package: Installed, root: Path) -> bool:
    return package.editable and package.source is not None and package.source.is_relative_to(root)


def _source(described: Path) -> tuple[Path | None, bool]:
    """Where a local package came from, by the record that installers keep (PEP 610)."""
    try:
        record = json.loads((described / "direct_url.json").read_bytes())
    except (OSError, ValueError):
        return None, False
    url = str(record.get("url", ""))
    if not url.startswith("file://"):
        return None, False
    return Path(url.removeprefix("file://")), bool(record.get("dir_info", {}).get("editable"))
