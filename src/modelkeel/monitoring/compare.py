"""Two revisions on the same rows: what a shadow said beside the champion, with the labels that came since."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa

from modelkeel.core import lazy_polars as pl
from modelkeel.monitoring import segments
from modelkeel.monitoring.models import Comparison
from modelkeel.monitoring.quality import estimates, gains
from modelkeel.monitoring.stats import score_of
from modelkeel.monitoring.store import log as store
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

KEY = ["request", "row"]


class Comparer:
    """Compares revisions on the prediction log.

    Args:
        database: knows the segments.
        blobs: hold them.
    """

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._db = database
        self._blobs = blobs

    async def compare(self, workspace: str, endpoint: str, a: str, b: str, since: int, output: str) -> Comparison:
        """Metrics of both on the labelled rows that both scored.

        Args:
            workspace: where.
            endpoint: its name.
            a: id of a revision; `b` of the other.
            b: id of the other.
            since: event time from which rows count, milliseconds since 1970.
            output: the output that is the score; empty: chosen as monitors do.
        """
        rows = await self._db.read(lambda tx: store.segments_since(tx, workspace, endpoint, since))
        of_a: list[pl.DataFrame] = []
        of_b: list[pl.DataFrame] = []
        for row in rows:
            frame = await asyncio.to_thread(segments.read, await self._blobs.read(row.digest))
            recent = frame.filter(pl.col("event_time") >= since)
            for revision, kept in ((a, of_a), (b, of_b)):
                part = recent.filter(pl.col("revision") == revision)
                if part.height:
                    kept.append(part.select(*KEY, score_of(part, output)))
        if not of_a or not of_b:
            return Comparison(0, {}, {}, {})
        both = pl.concat(of_a).join(pl.concat(of_b), on=KEY, suffix="_b").drop_nulls()
        labels = await self._labels(workspace, both)
        return await asyncio.to_thread(_compare, both.join(labels, on=KEY))

    async def _labels(self, workspace: str, rows: pl.DataFrame) -> pl.DataFrame:
        empty = pl.DataFrame(schema={"request": pl.String, "row": pl.Int32, "label": pl.Float64})
        if not rows.height:
            return empty
        low, high = str(rows["request"].min()), str(rows["request"].max())

        def work(tx: Tx) -> list[sa.Row[Any]]:
            return list(store.label_segments_with(tx, workspace, low, high))

        found = [empty]
        for segment in await self._db.read(work):
            content = await self._blobs.read(segment.digest)
            frame = segments.read(content, [*KEY, "value"])
            found.append(frame.rename({"value": "label"}).drop_nulls("label"))
        return pl.concat(found).unique(KEY, keep="last", maintain_order=True)


def _compare(rows: pl.DataFrame) -> Comparison:
    labels, a, b = (rows[name].to_numpy() for name in ("label", "score", "score_b"))
    return Comparison(rows.height, estimates(labels, a), estimates(labels, b), gains(labels, a, b))
