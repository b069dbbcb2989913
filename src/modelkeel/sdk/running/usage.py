"""What a step uses: time, processor time, largest resident memory."""

import contextlib
import resource
import time
from dataclasses import dataclass
from pathlib import Path

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Used:
    """Microseconds of the clock and of the processor, and bytes."""

    wall_us: int
    cpu_us: int
    peak_bytes: int


class Stopwatch:
    """Measures from its making to `stop`.

    Processor time is that of the process and of its children that ended (getrusage). The peak is the kernel's
    high-water mark (`VmHWM`), set back at the start where the kernel allows it (proc(5), `clear_refs`).
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            _RESET.write_text("5")
        self._cpu = _cpu()
        self._wall = time.perf_counter()

    def stop(self) -> Used:
        """What was used since the start."""
        wall = time.perf_counter() - self._wall
        return Used(round(wall * 1e6), round((_cpu() - self._cpu) * 1e6), _peak())


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak() -> int:
    try:
        status = _STATUS.read_text()
        at = status.index("VmHWM:")
        return int(status[at + 6 : status.index("kB", at)]) * 1024
    except (OSError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
