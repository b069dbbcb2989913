"""Labels: taken in and acknowledged when durable, then sealed into Parquet segments, many at a time.

A label segment's columns: salt, request, row, value (a number), text (any other label), event_time, received, actor.
Corrections are later rows for the same prediction; nothing is overwritten.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core import lazy_polars as pl
from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import now_ms, parse_rfc3339, rfc3339
from modelkeel.core.errors import Conflict, InvalidInput
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.monitoring.leaves import root_of, salted
from modelkeel.monitoring.models import KnownLabel, Label, LabelColumns, LabelReceipt, Value
from modelkeel.monitoring.pacing import Pace
from modelkeel.monitoring.segments import parquet, read
from modelkeel.monitoring.store import log as store
from modelkeel.storage.blobs import BlobRef, BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import hold
from modelkeel.storage.transaction import Tx

MOST = 200_000
EAGER_ROWS = 1_000
PATIENCE = (0.2, 5.0)
SEAL_BATCHES = 2_000
_decode = msgspec.json.Decoder(list[Label] | LabelColumns).decode
_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.(\d{1,9}))?").fullmatch
_HINT = (
    "It is `<request>.<row>`; the answer gives the request, rows count from 0, and without a row the first is meant."
)


class _Batch(msgspec.Struct, frozen=True, array_like=True):
    """Labels as the inbox holds them."""

    requests: list[str]
    rows: list[int]
    values: list[float | None]
    texts: list[str | None]
    event_times: list[int | None]


_batch = msgspec.msgpack.Decoder(_Batch)


class Labels:
    """The way of a label from a caller to its sealed segment.

    Args:
        database: holds unsealed labels.
        blobs: hold sealed ones.
        ledger: hears of each segment.
        authorizer: decides who may send labels.
    """

    def __init__(self, database: Database, blobs: BlobStore, ledger: Ledger, authorizer: Authorizer) -> None:
        self._db = database
        self._blobs = blobs
        self._ledger = ledger
        self._authorizer = authorizer
        self._pace = Pace(*PATIENCE, EAGER_ROWS)

    async def receive(self, principal: Principal, body: bytes) -> LabelReceipt:
        """Takes labels, as JSON: a list of `Label`, or one `LabelColumns`. They are durable on return.

        Raises:
            InvalidInput: the body is malformed, too long, or an id has not the form of one.
            PermissionDenied: the principal may not track.
        """
        self._authorizer.require(principal, Permission.TRACK, what="labels")
        batch = await asyncio.to_thread(_parse, body) if len(body) > 10_000 else _parse(body)
        count = len(batch.requests)
        if count:
            payload = msgspec.msgpack.encode(batch)
            await self._db.write(lambda tx: store.add_labels(tx, principal.workspace, principal.id, count, payload))
        return LabelReceipt(count)

    async def seal(self, *, eager: bool = False) -> int:
        """Seals what waits; returns how many labels.

        Args:
            eager: seal now; else few and young ones wait a little.
        """
        patience = 1000 * self._pace.seconds
        sealed = 0
        for row in await self._db.read(store.inbox_state):
            if eager or row.rows >= EAGER_ROWS or now_ms() - row.oldest >= patience:
                sealed += await self._seal(row.workspace)
        if sealed:
            self._pace.passed(sealed)
        return sealed

    async def history(self, workspace: str, request: str, row: int) -> list[KnownLabel]:
        """Every label of a prediction, the latest last."""

        def work(tx: Tx) -> tuple[Any, Any]:
            return store.label_segments_with(tx, workspace, request, request), store.inbox(tx, workspace, SEAL_BATCHES)

        sealed, waiting = await self._db.read(work)
        frames = [read(await self._blobs.read(segment.digest)) for segment in sealed]
        frames += [_frame(batch) for batch in waiting]
        wanted = (pl.col("request") == request) & (pl.col("row") == row)
        found = [frame.filter(wanted) for frame in frames]
        return [_known(item) for frame in found for item in frame.to_dicts()]

    async def _seal(self, workspace: str) -> int:
        batches = await self._db.read(lambda tx: store.inbox(tx, workspace, SEAL_BATCHES))
        frame = await asyncio.to_thread(lambda: salted(pl.concat([_frame(batch) for batch in batches])))
        content, root = await asyncio.to_thread(lambda: (parquet(frame), root_of(frame)))
        blob = await self._blobs.put(content)
        await self._db.write(lambda tx: self._store(tx, workspace, [b.seq for b in batches], frame, blob, root))
        return frame.height

    def _store(self, tx: Tx, workspace: str, batches: list[int], frame: pl.DataFrame, blob: BlobRef, root: str) -> None:
        if store.clear_inbox(tx, workspace, batches[-1]) != len(batches):
            raise Conflict("These labels were sealed already.")
        identity = uuid7(tx.now)
        hold(tx, workspace, [blob])
        store.add_label_segment(
            tx,
            {
                "id": identity,
                "workspace": workspace,
                "rows": frame.height,
                "min_request": frame["request"].min(),
                "max_request": frame["request"].max(),
                "min_received": frame["received"].min(),
                "max_received": frame["received"].max(),
                "digest": blob.digest,
                "size": blob.size,
                "root": root,
            },
        )
        data = {"rows": frame.height, "batches": len(batches), "digest": blob.digest, "root": root}
        self._ledger.record(tx, SYSTEM, "labels.sealed", {"labels": identity}, data, workspace=workspace)


def _parse(body: bytes) -> _Batch:
    try:
        sent = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = "Send a list of {prediction_id, label, event_time?}, or {prediction_ids, labels, event_times?}."
        raise InvalidInput(f"These are no labels: {error}.", hint=hint) from error
    if isinstance(sent, list):
        ids, labels = [label.prediction_id for label in sent], [label.label for label in sent]
        times: list[int | str | None] | None = [label.event_time for label in sent]
    else:
        ids, labels, times = sent.prediction_ids, sent.labels, sent.event_times
    if len(ids) != len(labels) or (times is not None and len(times) != len(ids)):
        raise InvalidInput("The lists differ in length.", hint="Give one label, and one time if any, for each id.")
    if len(ids) > MOST:
        raise InvalidInput(f"{len(ids)} labels are too many at once.", hint=f"Send at most {MOST}.")
    requests, rows = _ids(ids)
    numeric = [_number(label) for label in labels]
    texts = [label if isinstance(label, str) else None for label in labels]
    return _Batch(requests, rows, numeric, texts, [None] * len(ids) if times is None else [_time(t) for t in times])


def _ids(ids: list[str]) -> tuple[list[str], list[int]]:
    requests, rows = [], []
    for identity in ids:
        found = _ID(identity)
        if found is None:
            raise InvalidInput(f"{identity[:80]!r} is not a prediction id.", hint=_HINT)
        requests.append(found[1])
        rows.append(int(found[2] or 0))
    return requests, rows


def _number(label: Value) -> float | None:
    return None if isinstance(label, str) else float(label)


def _time(value: int | str | None) -> int | None:
    return parse_rfc3339(value) if isinstance(value, str) else value


def _frame(row: sa.Row[Any]) -> pl.DataFrame:
    batch = _batch.decode(row.payload)
    size = len(batch.requests)
    return pl.DataFrame(
        {
            "request": pl.Series(batch.requests, dtype=pl.String),
            "row": pl.Series(batch.rows, dtype=pl.Int32),
            "value": pl.Series(batch.values, dtype=pl.Float64),
            "text": pl.Series(batch.texts, dtype=pl.String),
            "event_time": pl.Series(batch.event_times, dtype=pl.Int64),
            "received": pl.Series([row.received], dtype=pl.Int64).new_from_index(0, size),
            "actor": pl.Series([row.actor], dtype=pl.String).new_from_index(0, size),
        }
    )


def _known(item: dict[str, Any]) -> KnownLabel:
    event = rfc3339(item["event_time"]) if item["event_time"] is not None else None
    label: Value = item["text"] if item["text"] is not None else item["value"]
    return KnownLabel(label, rfc3339(item["received"]), event, item["actor"])
