"""Meters the prediction processes: processor time and memory, divided among the endpoints that they serve.

Runtimes serve many endpoints in one process, so nobody can measure one endpoint alone. What the processes used since
the last look is divided by the rows that each endpoint answered since then; when none did, in equal parts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]

from modelkeel.core.clock import now_ms
from modelkeel.costs import store
from modelkeel.costs.models import GIB
from modelkeel.monitoring.totals import Totals
from modelkeel.serving.models import DataPlane
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

HOUR_MS = 3_600_000
PAUSE_SECONDS = 5.0
Place = tuple[str, str]
Places = Callable[[], Awaitable[list[Place]]]


@dataclass(slots=True)
class _Reading:
    """Processor seconds by process (pid and start time tell one from its successor), and the memory of all."""

    cpu: dict[tuple[int, float], float] = field(default_factory=dict)
    bytes: int = 0


class Meter:
    """Looks at the prediction processes from time to time.

    Args:
        database: keeps what was measured.
        plane: knows the processes.
        totals: knows how many rows each endpoint answered.
        places: every endpoint, as workspace id and name.
    """

    def __init__(self, database: Database, plane: DataPlane, totals: Totals, places: Places) -> None:
        self._db = database
        self._plane = plane
        self._totals = totals
        self._places = places
        self._last: _Reading | None = None
        self._looked = 0.0
        self._rows: dict[Place, int] = {}
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Meters for ever."""
        while True:
            await self.look()
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Adds what was used since the last look."""
        async with self._lock:
            await self._look()

    async def _look(self) -> None:
        status = await self._plane.status()
        if status is None:
            self._last = None
            return
        reading = await asyncio.to_thread(_read, status.pid)
        now = time.monotonic()
        rows = dict.fromkeys(await self._places(), 0)
        for count in await self._totals.everywhere():
            place = count.workspace, count.endpoint
            rows[place] = rows.get(place, 0) + count.rows
        if self._last is None:
            # processes that were there before us are billed from now on, those that we see start from their start
            self._last, self._looked, self._rows = reading, now, rows
            return
        cpu, seconds = used(self._last, reading), now - self._looked
        gib_seconds = reading.bytes / GIB * seconds
        shares = divide({place: count - self._rows.get(place, 0) for place, count in rows.items()})
        self._last, self._looked, self._rows = reading, now, rows
        hour = now_ms() // HOUR_MS * HOUR_MS

        def work(tx: Tx) -> None:
            for (workspace, endpoint), share in shares.items():
                store.add_usage(tx, workspace, endpoint, hour, cpu * share, gib_seconds * share, seconds)

        if shares:
            await self._db.write(work)


def divide(rows: Mapping[Place, int]) -> dict[Place, float]:
    """Parts of one, by rows; equal parts where nobody has any."""
    total = sum(rows.values())
    if total <= 0:
        return {place: 1 / len(rows) for place in rows}
    return {place: count / total for place, count in rows.items()}


def used(before: _Reading, after: _Reading) -> float:
    """Processor seconds between two readings; a process that is new is counted from its start."""
    return sum(max(seconds - before.cpu.get(process, 0.0), 0.0) for process, seconds in after.cpu.items())


def _read(supervisor: int) -> _Reading:
    reading = _Reading()
    try:
        root = psutil.Process(supervisor)
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return reading
    for process in processes:
        try:
            with process.oneshot():
                times = process.cpu_times()
                reading.cpu[process.pid, process.create_time()] = times.user + times.system
                reading.bytes += process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return reading
