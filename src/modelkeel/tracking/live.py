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
    """How much was written to which run, as this process saw it; written by the database's writer thread.

    Attributes:
        points: by run, since it was last looked at.
        written: by run, when it was last written to, on the monotonic clock.
    """

    points: dict[int, int] = field(default_factory=dict)
    written: dict[int, float] = field(default_factory=dict)

    def add(self, grown: dict[int, int]) -> None:
        """Counts points by run."""
        now = time.monotonic()
        for seq, count in grown.items():
            self.points[seq] = self.points.get(seq, 0) + count
            self.written[seq] = now

    def due(self, least: int, quiet: float) -> list[int]:
        """The runs that got `least` points and then none for `quiet` seconds; they are forgotten until they grow again.

        Under pressure one is due though it is not quiet.
        """
        now = time.monotonic()
        found = []
        for seq, count in list(self.points.items()):
            silent = now - self.written[seq] >= quiet
            if count >= PRESSING or (silent and count >= least):
                found.append(seq)
            elif not silent or now - self.written[seq] < FORGOTTEN_SECONDS:
                continue
            del self.points[seq], self.written[seq]
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
