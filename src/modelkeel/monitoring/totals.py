"""Counts over the whole prediction log: how many rows which revision answered, and what answered at an event time."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core import lazy_polars as pl
from modelkeel.core.access import EVERYTHING, Authorizer, Kind, Permission, Principal, Visible
from modelkeel.core.clock import rfc3339
from modelkeel.monitoring import segments
from modelkeel.monitoring.store import log as store
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import require_named

COLUMNS = ("request", "row", "revision", "variant", "model", "version", "event_time", "time")


class Answered(msgspec.Struct, frozen=True):
    """Rows and requests that one revision handled; a shadow answers nobody."""

    workspace: str
    endpoint: str
    revision: str
    variant: str
    model: str
    version: int
    rows: int
    requests: int


class LastAnswer(msgspec.Struct, frozen=True):
    """The latest row of an endpoint at or before an event time, by the caller's clock."""

    prediction: str
    revision: str
    variant: str
    model: str
    version: int
    event_time: str
    server_time: str


class Totals:
    """Readers of the whole log.

    Args:
        database: knows the segments and the counts.
        blobs: hold the segments.
        authorizer: decides who may see them.
    """

    def __init__(self, database: Database, blobs: BlobStore, authorizer: Authorizer) -> None:
        self._db = database
        self._blobs = blobs
        self._authorizer = authorizer

    async def answered(self, principal: Principal) -> list[Answered]:
        """Rows by endpoint, revision and variant in the principal's workspace."""
        self._authorizer.require(principal, Permission.READ, what="predictions", on=Kind.ENDPOINT)
        seen = self._authorizer.visible(principal, Kind.ENDPOINT)
        return await self._db.read(lambda tx: _answered(tx, principal.workspace, seen))

    async def everywhere(self) -> list[Answered]:
        """The same for every workspace: for processes of ours."""
        return await self._db.read(lambda tx: _answered(tx, None))

    async def last_answer(self, principal: Principal, endpoint: str, event_time: int) -> LastAnswer | None:
        """The row with the greatest event time at or before `event_time` (ms); None if there is none.

        Later segments may hold earlier rows, so every segment that could hold a later row than the best is read.
        """
        await require_named(
            self._db,
            self._authorizer,
            principal,
            Permission.READ,
            Kind.ENDPOINT,
            endpoint,
            f"predictions of {endpoint}",
        )
        rows = await self._db.read(lambda tx: store.segments_until(tx, principal.workspace, endpoint, event_time))
        best: dict[str, Any] | None = None
        for segment in sorted(rows, key=lambda row: -min(row.max_event, event_time)):
            if best is not None and min(segment.max_event, event_time) <= best["event_time"]:
                break
            content = await self._blobs.read(segment.digest)
            found = await asyncio.to_thread(_last, content, event_time)
            if found is not None and (best is None or found["event_time"] > best["event_time"]):
                best = found
        if best is None:
            return None
        return LastAnswer(
            f"{best['request']}.{best['row']}",
            best["revision"],
            best["variant"],
            best["model"],
            best["version"],
            rfc3339(best["event_time"]),
            rfc3339(best["time"]),
        )


def _last(content: bytes, event_time: int) -> dict[str, Any] | None:
    frame = segments.read(content, COLUMNS)
    answered = frame.filter((pl.col("event_time") <= event_time) & (pl.col("variant") != "shadow"))
    if answered.is_empty():
        return None
    return answered.sort("event_time", "time").tail(1).to_dicts()[0]


def _answered(tx: Tx, workspace: str | None, visible: Visible = EVERYTHING) -> list[Answered]:
    return [_count(row) for row in store.answered(tx, workspace, visible)]


def _count(row: sa.Row[Any]) -> Answered:
    return Answered(
        row.workspace, row.name, row.revision, row.variant, row.model, row.version, int(row.rows), int(row.requests)
    )
