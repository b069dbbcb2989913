"""User and network namespaces: a process without any network, or with one address that is relayed from outside."""

import array
import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys
import threading

_NEWUSER, _NEWNET, _NEWIPC = 0x10000000, 0x40000000, 0x08000000
_SIOCSIFFLAGS, _UP, _RUNNING = 0x8914, 0x1, 0x40
_PIECE = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Moves this process, which has one thread, into namespaces of its own; it stays who it was.

    Raises:
        OSError: this machine does not allow it.
    """
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_NEWUSER | _NEWNET | _NEWIPC) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    with contextlib.suppress(OSError):
        _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def available() -> bool:
    """Whether `enter` would work, tried in a process of its own."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            enter()
            _loopback_up()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def with_relay(host: str, port: int) -> None:
    """Enters namespaces in which only 127.0.0.1:`port` answers: relayed to `host:port` outside.

    The listening socket is made inside and handed to a process that stayed outside. A socket keeps its namespace, so
    that process accepts from inside, and connects outside.

    Raises:
        OSError: this machine does not allow it.
    """
    ours, theirs = socket.socketpair()
    worker = os.pidfd_open(os.getpid())
    first = os.fork()
    if first == 0:
        if os.fork() == 0:  # nobody's child, so that the worker has no child that it did not start
            ours.close()
            _relay(_take(theirs), (host, port), worker)
        os._exit(0)
    os.waitpid(first, 0)
    theirs.close()
    enter()
    _loopback_up()
    listener = socket.socket()
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
    for ours_no_more in (listener, ours):
        ours_no_more.close()
    os.close(worker)


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP | _RUNNING))


def _take(theirs: socket.socket) -> socket.socket:
    _, sent, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
    if not sent:
        os._exit(0)  # the other side could not enter
    theirs.close()
    return socket.socket(fileno=int(array.array("i", sent[0][2][:4])[0]))


def _relay(listener: socket.socket, address: tuple[str, int], worker: int) -> None:
    """Carries each connection from inside to the address outside, until the worker is gone."""
    while True:
        ready, _, _ = select.select([listener.fileno(), worker], [], [])
        if worker in ready:
            os._exit(0)
        inside, _ = listener.accept()
        try:
            outside = socket.create_connection(address, timeout=10)
        except OSError:
            inside.close()
            continue
        outside.settimeout(None)
        for source, target in ((inside, outside), (outside, inside)):
            threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Copies bytes one way, and then says that there are no more."""
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
