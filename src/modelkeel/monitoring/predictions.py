"""Finds one prediction by its id: the segments whose range holds it, then the row inside."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa

from modelkeel.core import lazy_polars as pl
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.monitoring import segments
from modelkeel.monitoring.labels import Labels
from modelkeel.monitoring.models import PredictionRecord, ShadowRecord
from modelkeel.monitoring.store import log as store
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database


class Predictions:
    """The prediction log as readers see it.

    Args:
        database: knows the segments.
        blobs: hold them.
        labels: know the truth.
    """

    def __init__(self, database: Database, blobs: BlobStore, labels: Labels) -> None:
        self._db = database
        self._blobs = blobs
        self._labels = labels

    async def find(self, workspace: str, prediction_id: str) -> PredictionRecord:
        """One predicted row with its labels and what shadows said.

        Raises:
            InvalidInput: it is not a prediction id.
            NotFound: no such prediction in the workspace.
        """
        request, _, number = prediction_id.rpartition(".")
        if not number.isdecimal():
            request, number = prediction_id, "0"
        if not request:
            raise InvalidInput(f"{prediction_id[:80]!r} is not a prediction id.", hint="It is `<request>.<row>`.")
        row = int(number)
        candidates = await self._db.read(lambda tx: store.segments_with(tx, workspace, request))
        answered: tuple[sa.Row[Any], dict[str, Any]] | None = None
        shadows = []
        for candidate in candidates:
            content = await self._blobs.read(candidate.digest)
            for found in await asyncio.to_thread(_rows, content, request, row):
                if found["variant"] == "shadow":
                    shadows.append(_shadow(found))
                else:
                    answered = candidate, found
        if answered is None:
            raise NotFound(
                f"There is no prediction {prediction_id}.", hint="A new one appears within about two seconds."
            )
        known = await self._labels.history(workspace, request, row)
        segment, found = answered
        return PredictionRecord(
            id=f"{request}.{row}",
            endpoint=segment.name,
            endpoint_id=segment.endpoint,
            revision=found["revision"],
            model=found["model"],
            version=found["version"],
            variant=found["variant"],
            server_time=rfc3339(found["time"]),
            event_time=rfc3339(found["event_time"]),
            entity=found["entity"],
            latency_us=found["latency_us"],
            inputs=segments.values_of(found, segments.IN),
            outputs=segments.values_of(found, segments.OUT),
            label=known[-1].label if known else None,
            labels=known,
            segment=segment.id,
            segment_digest=segment.digest,
            segment_root=segment.root,
            leaf=found["leaf"],
            shadows=shadows,
        )


def _rows(content: bytes, request: str, row: int) -> list[dict[str, Any]]:
    frame = segments.read(content).with_row_index("leaf", offset=1)
    return frame.filter((pl.col("request") == request) & (pl.col("row") == row)).to_dicts()


def _shadow(found: dict[str, Any]) -> ShadowRecord:
    return ShadowRecord(
        found["revision"],
        found["model"],
        found["version"],
        segments.values_of(found, segments.OUT),
        found["latency_us"],
    )
