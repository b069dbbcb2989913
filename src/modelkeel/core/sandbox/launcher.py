"""Confines its own process, then becomes what it was asked to run. Run by path: `python -I launcher.py SPEC …`.

It runs in the interpreter of whatever it confines, so it needs nothing but the standard library. SPEC is the JSON of
`modelkeel.core.sandbox.Sandbox`; `--probe` instead prints what this machine can do.
"""

import contextlib
import ctypes
import json
import os
import resource
import runpy
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - it has to start quickly
import landlock  # type: ignore[import-not-found]
import namespaces  # type: ignore[import-not-found]
import seccomp  # type: ignore[import-not-found]

del sys.path[0]

REFUSED = 97
_NO_NEW_PRIVS, _CAP_DROP, _SECUREBITS, _NO_ROOT_LOCKED = 38, 24, 28, 0b11
_CAPABILITY_VERSION = 0x20080522
_LIMITS = {
    "files": resource.RLIMIT_NOFILE,
    "file_size": resource.RLIMIT_FSIZE,
    "memory": resource.RLIMIT_DATA,
    "processes": resource.RLIMIT_NPROC,
}


def confine(spec: dict[str, object]) -> None:
    """Takes rights away from this process for good.

    Raises:
        OSError: something that is there did not work.
        PermissionError: something that is demanded is not there.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _limit(spec)
    control = str(spec["control"])
    inside = not spec["network"] and namespaces.available()
    if spec["demanded"] and not (landlock.version() and seccomp.available()):
        raise PermissionError("this machine has no Landlock or no seccomp, and isolation is demanded")
    if inside and control:
        host, _, port = control.rpartition(":")
        namespaces.with_relay(host.strip("[]"), int(port))
    elif inside:
        namespaces.enter()
    _drop_capabilities(libc)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if landlock.version():
        ports = None if spec["network"] else [int(control.rpartition(":")[2])] if control else []
        landlock.restrict(spec["read"], spec["write"], ports)
    if seccomp.available():
        seccomp.restrict(strict=bool(spec["strict"]))


def _limit(spec: dict[str, object]) -> None:
    limits = spec["limits"]
    assert isinstance(limits, dict)  # noqa: S101 - our own message
    for name, most in (*limits.items(), ("core", 0)):
        what = _LIMITS.get(name, resource.RLIMIT_CORE)
        _, hard = resource.getrlimit(what)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))
    os.umask(0o077)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """None now, and none by running a program as root (capabilities(7), securebits)."""
    libc.prctl(_SECUREBITS, _NO_ROOT_LOCKED, 0, 0, 0)
    for capability in range(64):
        if libc.prctl(_CAP_DROP, capability, 0, 0, 0) != 0:
            break
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc.capset(header, none)


def main() -> None:
    """Probes, or confines itself and runs a program or a script."""
    if sys.argv[1] == "--probe":
        found = {
            "landlock": landlock.version(),
            "seccomp": seccomp.available(),
            "namespaces": namespaces.available(),
        }
        print(json.dumps(found))
        return
    spec, how, *arguments = json.loads(sys.argv[1]), sys.argv[2], *sys.argv[3:]
    try:
        confine(spec)
    except OSError as error:
        print(f"The sandbox could not be made: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    if how == "exec":
        os.execv(arguments[0], arguments)  # noqa: S606 - the program that we were asked to confine
    sys.argv = arguments
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
