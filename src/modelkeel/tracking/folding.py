"""Folds long metric series: rows that nobody adds to any more become segments of some thousand points.

A row takes seven times the space of a point in a segment, and a chart of a million rows takes most of a second to
read. Points that arrive late become rows again and are merged into the segments that they overlap at the next fold.
"""

import asyncio

from modelkeel.storage.transaction import Tx
from modelkeel.tracking import series, store
from modelkeel.tracking.base import Base

LEAST = 10_000
AT_ONCE = 16_384  # rows that go in one write: others wait for so long
SEGMENT = 65_536
QUIET_SECONDS = 2.0
PAUSE = 0.05
STARTING = 20.0


class Folding(Base):
    """Makes segments in the background."""

    async def fold_for_ever(self) -> None:
        """The worker. What an earlier process left is found by one look at every series, once the server is up."""
        await asyncio.sleep(STARTING)
        for row in await self._db.read(lambda tx: store.segments.long_series(tx, LEAST)):
            await self.fold_run(row.run)
        while True:
            await asyncio.sleep(1.0)
            await self.fold_quiet()

    async def fold_quiet(self, quiet: float = QUIET_SECONDS) -> int:
        """Folds the runs that grew and fell silent; returns how many segments were made."""
        return sum([await self.fold_run(seq) for seq in self._growth.due(LEAST, quiet)])

    async def fold_run(self, seq: int) -> int:
        """Folds every long series of one run; returns how many segments were made."""
        made = 0
        counts = await self._db.read(lambda tx: store.segments.counts(tx, seq))
        for key, points in counts.items():
            left = points
            while left >= LEAST:
                count = await self._fold(seq, key)
                if count == 0:
                    break  # it grew under our hands: another time
                made += 1
                left -= count
                await asyncio.sleep(PAUSE)  # others write too
        return made

    async def _fold(self, seq: int, key: int) -> int:
        """Folds the first rows of a series; returns how many, 0 if some were added among them meanwhile."""

        def read(tx: Tx) -> tuple[list[store.segments.Point], list[tuple[int, bytes]]]:
            rows = store.segments.loose(tx, seq, key, most=AT_ONCE)
            if not rows:
                return [], []
            small = store.segments.small(tx, seq, key, SEGMENT)  # the one before is filled up
            return rows, [*small, *store.segments.folded(tx, seq, key, rows[0][0], rows[-1][0], besides=small)]

        rows, old = await self._db.read(read)
        if not rows:
            return 0
        new = await asyncio.to_thread(_segments, rows, [content for _, content in old])
        places = [place for place, _ in old]
        done = await self._db.write(lambda tx: store.segments.replace(tx, seq, key, len(rows), rows[-1], places, new))
        return len(rows) if done else 0


def _segments(rows: list[store.segments.Point], old: list[bytes]) -> list[tuple[int, int, int, bytes]]:
    whole = series.joined([*(series.from_arrow(content) for content in old), series.of_rows(rows)])
    parts = [whole.part(start, start + SEGMENT) for start in range(0, len(whole), SEGMENT)]
    return [(int(p.steps[0]), int(p.steps[-1]), len(p), series.to_arrow(p)) for p in parts]
