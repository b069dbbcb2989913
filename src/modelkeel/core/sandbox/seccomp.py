"""seccomp: system calls that a confined process may not make (seccomp(2); classic BPF over `struct seccomp_data`)."""

import ctypes
import errno
import os
import platform
import struct

_SET_SECCOMP, _FILTER = 22, 2
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARG0 = 0, 4, 16
_CLONE_THREAD = 0x10000
_X32 = 0x40000000

# audit architecture, then numbers by name: x86-64 from its own table, arm64 from the generic one.
_COMMON = {
    "bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "kcmp": (312, 272), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "acct": (163, 89), "quotactl": (179, 60), "sethostname": (170, 161),
    "setdomainname": (171, 162), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "pidfd_getfd": (438, 438),
    "mount_setattr": (442, 442),
}  # fmt: skip
_STRICT = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130), "socket": (41, 198),
}  # fmt: skip
_CLONE, _CLONE3, _SOCKET, _KILL_CALL, _TGKILL = (56, 220), (435, 435), (41, 198), (62, 129), (234, 131)
_FAMILIES = (2, 10, 16)  # IPv4, IPv6, netlink
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    """Whether this kernel and machine take our filters."""
    return platform.machine() in _MACHINES and _libc.prctl(21, 0, 0, 0, 0) >= 0


def restrict(*, strict: bool) -> None:
    """Refuses system calls with EPERM from now on, in every thread to come.

    Always: tracing other processes, mounting, namespaces, kernel modules, keys, BPF, io_uring; and sockets that neither
    Landlock nor a network namespace confines, Unix ones above all: behind them sit agents of this very user.
    Socket pairs stay. The caller has set `no_new_privs`.

    Args:
        strict: also starting processes and programs, sockets of any kind, and signals to other processes.

    Raises:
        OSError: the kernel refused, or this machine is none that we know.
    """
    if platform.machine() not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no system call table for {platform.machine()}")
    column, architecture = _MACHINES[platform.machine()]
    program = [_step(_LOAD, _ARCH), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _KILL), _step(_LOAD, _NR)]
    if column == 0:
        program += [_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    refused = {**_COMMON, **(_STRICT if strict else {})}
    for numbers in refused.values():
        if numbers[column] is not None:
            program += [_step(_EQUAL, numbers[column] or 0, 0, 1), _step(_RETURN, _ERRNO | errno.EPERM)]
    if strict:
        # clone3's flags lie behind a pointer: it is "not there", and the C library falls back to clone.
        program += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
        program += _only(_CLONE[column], _step(_ANY_BIT, _CLONE_THREAD, 1, 0))
        program += _only(_KILL_CALL[column], _step(_EQUAL, os.getpid(), 1, 0))
        program += _only(_TGKILL[column], _step(_EQUAL, os.getpid(), 1, 0))
    else:
        tests = [_step(_EQUAL, family, len(_FAMILIES) - at, 0) for at, family in enumerate(_FAMILIES)]
        program += _only(_SOCKET[column], *tests)
    program.append(_step(_RETURN, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(program))
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    if _libc.prctl(_SET_SECCOMP, _FILTER, whole, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"seccomp: {os.strerror(error)}")


def _only(call: int, *tests: bytes) -> list[bytes]:
    """Refuses a call unless its first argument passes one of some tests, which jump over the refusal if so."""
    return [
        _step(_EQUAL, call, 0, len(tests) + 3),
        _step(_LOAD, _ARG0),
        *tests,
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value & 0xFFFFFFFF)
