"""What happens to runs right now, in this process: how much they grow, and who waits for their next points."""

import asyncio
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

PRESSING = 200_000  # points of one run that are folded though it is not quiet
FORGOTTEN_SECONDS = 3600.0


@dataclass(slots=True)
class Growth:
    """How much was written to which run, as this process saw it.

    The database's writer thread adds while the event loop looks, so count and time are one value: a run has both or
    neither. At worst a look forgets points that came at that moment, and the run is folded a little later.

    Attributes:
        runs: of each run its points since it was last looked at, and when it was last written to (monotonic clock).
    """

    runs: dict[int, tuple[int, float]] = field(default_factory=dict)

    def add(self, grown: dict[int, int]) -> None:
        """Counts points by run."""
        now = time.monotonic()
        for seq, count in grown.items():
            self.runs[seq] = (self.runs.get(seq, (0, now))[0] + count, now)

    def due(self, least: int, quiet: float) -> list[int]:
        """The runs that got `least` points and then none for `quiet` seconds; they are forgotten until they grow again.

        Under pressure one is due though it is not quiet.
        """
        now = time.monotonic()
        found = []
        for seq, (count, written) in list(self.runs.items()):
            silent = now - written
            if count >= PRESSING or (silent >= quiet and count >= least):
                found.append(seq)
            elif silent < FORGOTTEN_SECONDS:
                continue
            self.runs.pop(seq, None)
        return found


class Live:
    """Wakes whoever follows a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    def wake(self, runs: Iterable[int]) -> None:
        """These runs got points."""
        if not self._waiting:
            return
        with self._lock:
            waiting = [waiter for seq in runs for waiter in self._waiting.get(seq, ())]
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def wait(self, seq: int, seconds: float) -> None:
        """Returns when a run got points in this process, or after `seconds`: another process may have written."""
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event)
        with self._lock:
            self._waiting.setdefault(seq, set()).add(waiter)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return
        finally:
            with self._lock:
                self._waiting[seq].discard(waiter)
                if not self._waiting[seq]:
                    del self._waiting[seq]
