"""Use cases of moving traces in and out, in the caller's transaction.

Only `moving` calls these, after it has checked that the principal may import. A trace made or changed by an import is
one ledger entry with the import's id; its spans are a measurement, as they are when they are logged.
"""

import base64
import json
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.traces.assessing import MOST_ASSESSMENTS
from modelkeel.traces.base import Base
from modelkeel.traces.models import (
    LONGEST_ID,
    MOST_SPANS,
    PLACE,
    PLACE_TAG,
    RUN_KEY,
    Assessment,
    Span,
    Trace,
    check_assessment,
    check_trace,
)

LARGEST_SPAN = 4 << 20
LONGEST_NAME = 1000
_STATUS = {"STATUS_CODE_OK": "OK", "STATUS_CODE_ERROR": "ERROR"}


@dataclass(frozen=True, slots=True)
class HeldTrace:
    """A trace that is here.

    Attributes:
        number: by which its rows are found.
        trace: itself, without its spans.
        runs: to which it was linked, but for the one that its metadata names.
    """

    number: int
    trace: Trace
    runs: list[str]


class Importing(Base):
    """Places traces that come from elsewhere, and gives whole ones."""

    def held_trace(self, tx: Tx, principal: Principal, identity: str) -> HeldTrace | None:
        """A trace that is here already."""
        row = store.traces.row(tx, principal.workspace, identity)
        if row is None:
            return None
        self._require_track(principal, row.experiment)
        return self._held(tx, [row])[0]

    def add_trace(self, tx: Tx, principal: Principal, given: Trace, runs: Sequence[str], by: str) -> None:
        """Makes a trace with what was said of it.

        Raises:
            InvalidInput: it is larger than we keep.
        """
        self._require_track(principal, given.experiment)
        check_trace(given)
        number = store.traces.put(tx, principal.workspace, _placed(given), told=True)
        self._say(tx, number, given.assessments)
        for run in runs:
            store.traces.link(tx, [number], run)
        self._came(tx, principal, given, by, {"assessments": len(given.assessments)})

    def change_trace(
        self, tx: Tx, principal: Principal, held: HeldTrace, given: Trace, gone: Collection[str], by: str
    ) -> None:
        """Changes a trace to what is given; tags (`tag:KEY`), assessments (`assessment:ID`) and runs (`run:ID`) go.

        What is not given and not gone stays. New runs are given by `link_trace`.
        """
        self._require_track(principal, held.trace.experiment)
        check_trace(given)
        store.traces.put(tx, principal.workspace, _placed(given), told=True)
        self._say(tx, held.number, given.assessments)
        for field in gone:
            kind, _, key = field.partition(":")
            if kind == "tag":
                store.traces.delete_tag(tx, held.number, key)
            elif kind == "assessment":
                store.assessments.delete(tx, held.number, key)
            elif kind == "run":
                store.moving.unlink(tx, held.number, [key])
        self._came(tx, principal, given, by, {"assessments": len(given.assessments), "removed": len(gone)})

    def link_trace(self, tx: Tx, held: HeldTrace, runs: Sequence[str]) -> None:
        """Links a trace to runs, as a part of its change."""
        for run in runs:
            store.traces.link(tx, [held.number], run)

    def add_spans(self, tx: Tx, principal: Principal, identity: str, contents: Sequence[str]) -> None:
        """Stores spans by their contents; one that is here already is replaced.

        Raises:
            NotFound: the trace did not come.
            InvalidInput: one is malformed, or there are too many.
        """
        row = store.traces.row(tx, principal.workspace, identity)
        if row is None:
            raise NotFound(f"Trace with ID '{identity}' not found.")
        self._require_track(principal, row.experiment)
        store.traces.put_spans(tx, row.seq, [_span(identity, content) for content in contents])
        if store.traces.count_spans(tx, row.seq) > MOST_SPANS:
            raise InvalidInput(f"Trace {identity} has more than {MOST_SPANS} spans.")

    def span_contents(self, tx: Tx, number: int) -> Iterator[bytes]:
        """The contents of a trace's spans, oldest first."""
        return map(zlib.decompress, store.traces.spans(tx, [number]).get(number, []))

    async def whole_traces(
        self, principal: Principal, experiment: str, after: int, limit: int
    ) -> tuple[list[tuple[HeldTrace, int]], int | None]:
        """Some traces of an experiment with the number of their spans, and where the next page begins."""
        self._may_read(principal)
        found = await self._tracking.experiment(principal, experiment)

        def work(tx: Tx) -> tuple[list[tuple[HeldTrace, int]], int | None]:
            rows = store.moving.page(tx, principal.workspace, found.id, after, limit + 1)
            some = rows[:limit]
            counts = store.moving.span_counts(tx, [row.seq for row in some])
            held = [(one, counts.get(one.number, 0)) for one in self._held(tx, some)]
            return held, some[-1].seq if len(rows) > limit else None

        return await self._db.read(work)

    async def spans_from(
        self, principal: Principal, identity: str, start: int, most: int
    ) -> tuple[list[bytes], int | None]:
        """Contents of a trace's spans from one on, about `most` bytes of them, and the number of the next."""
        self._may_read(principal)

        def work(tx: Tx) -> list[bytes]:
            row = self._row(tx, principal, identity)
            return store.traces.spans(tx, [row.seq]).get(row.seq, [])

        packed, size = await self._db.read(work), 0
        found: list[bytes] = []
        for content in packed[start:]:
            if size > most:
                return found, start + len(found)
            found.append(zlib.decompress(content))
            size += len(found[-1])
        return found, None

    def _held(self, tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[HeldTrace]:
        loaded = store.traces.load(tx, rows)
        linked = store.moving.runs_of(tx, [row.seq for row in rows])
        return [
            HeldTrace(row.seq, trace, [run for run in linked.get(row.seq, []) if run != trace.metadata.get(RUN_KEY)])
            for row, trace in zip(rows, loaded, strict=True)
        ]

    def _say(self, tx: Tx, number: int, assessments: Sequence[Mapping[str, Any]]) -> None:
        """Stores what was said, with ids and times as they are."""
        for content in assessments:
            identity = content.get("assessment_id")
            if not isinstance(identity, str) or not 0 < len(identity) <= LONGEST_ID:
                raise InvalidInput(f"An assessment's id has 1 to {LONGEST_ID} characters.")
            one = check_assessment(dict(content))
            told = Assessment(identity, one.kind, one.name, dict(content))
            store.assessments.put(tx, number, told, _created(content, tx.now))
        if assessments and store.assessments.count(tx, number) > MOST_ASSESSMENTS:
            raise InvalidInput(f"A trace has at most {MOST_ASSESSMENTS} assessments.")

    def _came(self, tx: Tx, principal: Principal, given: Trace, by: str, counts: dict[str, int]) -> None:
        subject = {"trace": given.id, "experiment": given.experiment}
        self._ledger.record(tx, principal, "trace.imported", subject, {"import": by, **counts})


def _placed(given: Trace) -> Trace:
    """A trace that says where its spans are: here."""
    return replace(given, tags={**given.tags, PLACE_TAG: PLACE})


def _created(content: Mapping[str, Any], now: int) -> int:
    try:
        return round(datetime.fromisoformat(str(content["create_time"])).timestamp() * 1000)
    except (KeyError, ValueError):
        return now


def _span(trace: str, content: str) -> Span:
    """A span by its content.

    Raises:
        InvalidInput: it is no span as OTLP's JSON writes it, or too large.
    """
    packed = content.encode()
    if len(packed) > LARGEST_SPAN:
        raise InvalidInput(f"A span has at most {LARGEST_SPAN} bytes.")
    try:
        told = json.loads(content)
        identity = base64.b64decode(told["span_id"], validate=True)
        name, start, end = str(told.get("name", "")), int(told["start_time_unix_nano"]), told.get("end_time_unix_nano")
        attributes = {one["key"]: one.get("value", {}) for one in told.get("attributes", [])}
        kind = str(attributes.get("mlflow.spanType", {}).get("string_value", "")) or "UNKNOWN"
        status = _STATUS.get(str((told.get("status") or {}).get("code")), "UNSET")
        ended = int(end or 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidInput(f"A span of trace {trace[:60]} is none as OTLP's JSON writes it.") from None
    if len(identity) != 8 or len(name) > LONGEST_NAME or not (0 <= start < 1 << 63 and 0 <= ended < 1 << 63):
        raise InvalidInput(f"A span of trace {trace[:60]} has no id of 8 bytes, too long a name or no good times.")
    root = not told.get("parent_span_id")
    clean = name.replace("\x00", "")
    return Span(trace, identity.hex(), root, clean, kind[:LONGEST_NAME], status, start, ended, packed)
