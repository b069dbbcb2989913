"""Landlock: a process gives up files, TCP and signals for good, without any privilege (landlock(7))."""

import ctypes
import os
import struct
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_BENEATH, _PORT = 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_BY_VERSION = ((1, (1 << 13) - 1), (2, 1 << 13), (3, _TRUNCATE), (5, _IOCTL_DEV))
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_CONNECT_TCP, _BIND_TCP = 1 << 1, 1 << 0
_SCOPES = 0b11  # abstract Unix sockets, signals

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's Landlock version; 0: it has none."""
    found: int = _libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION_FLAG)
    return max(found, 0)


def restrict(read: Iterable[str], write: Iterable[str], ports: Iterable[int] | None) -> None:
    """Leaves this process, and all that it starts, only some files and TCP ports.

    From version 6 on it also can't signal, or reach by abstract sockets, a process outside. The caller has set
    `no_new_privs`.

    Args:
        read: files and folders that may be read and run; those that are not there are passed over.
        write: folders in which everything may be done.
        ports: TCP ports to which it may connect; None: TCP is not restricted (versions before 4 can't).

    Raises:
        OSError: the kernel refused.
    """
    known = version()
    files = sum(bits for since, bits in _BY_VERSION if known >= since)
    net = _CONNECT_TCP | _BIND_TCP if known >= 4 and ports is not None else 0
    attributes = struct.pack("QQQ", files, net, _SCOPES)[: 24 if known >= 6 else 16 if known >= 4 else 8]
    rules = _call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    for path in read:
        _allow(rules, path, _READ & files)
    for path in write:
        _allow(rules, path, files)
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"):
        _allow(rules, path, (_READ_FILE | _WRITE_FILE) & files)
    for port in ports or ():
        if net:
            _call(_ADD, rules, _PORT, struct.pack("QQ", _CONNECT_TCP, port), 0)
    _call(_RESTRICT, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib would slow down every start
            access &= _OF_FILES
        _call(_ADD, rules, _BENEATH, struct.pack("=Qi", access, handle), 0)
    finally:
        os.close(handle)


def _call(number: int, *arguments: object) -> int:
    found: int = _libc.syscall(number, *arguments)
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return found
