"""Traces with their tags, metadata and spans."""

import zlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.traces.models import RUN_KEY, Span, State, Trace
from modelkeel.traces.store import assessments
from modelkeel.traces.store.tables import assessment, trace, trace_metadata, trace_run, trace_span, trace_tag


def rows(tx: Tx, workspace: str, ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
    """The rows of these traces that are there, in no order."""
    return tx.all(sa.select(trace).where(trace.c.workspace == workspace, trace.c.id.in_(list(ids))))


def row(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    """One trace's row."""
    return tx.one(sa.select(trace).where(trace.c.workspace == workspace, trace.c.id == identity))


def load(tx: Tx, found: Sequence[sa.Row[Any]]) -> list[Trace]:
    """Traces with all that hangs on them but their spans, in the order of the rows."""
    numbers = [r.seq for r in found]
    tags, metadata = _pairs(tx, trace_tag, numbers), _pairs(tx, trace_metadata, numbers)
    judged = assessments.of(tx, {r.seq: r.id for r in found})
    return [
        Trace(
            r.id,
            r.experiment,
            State(r.state),
            r.request_time,
            r.duration,
            r.client_request,
            r.request_preview,
            r.response_preview,
            metadata.get(r.seq, {}),
            tags.get(r.seq, {}),
            judged.get(r.seq, []),
        )
        for r in found
    ]


def put(tx: Tx, workspace: str, given: Trace, *, told: bool) -> int:
    """Stores a trace as it is given, in place of what was there; returns its number.

    Args:
        tx: the transaction.
        workspace: where.
        given: the trace.
        told: whether a client told of the trace itself, not only of its spans.
    """
    values = {
        "workspace": workspace,
        "id": given.id,
        "experiment": given.experiment,
        "state": given.state.value,
        "request_time": given.request_time,
        "duration": given.duration,
        "client_request": given.client_request,
        "request_preview": given.request_preview,
        "response_preview": given.response_preview,
        "told": told,
    }
    changing = [name for name in values if name not in {"workspace", "id", "experiment"}]
    tx.upsert(trace, values, keys=["workspace", "id"], update=changing)
    number: int = tx.scalar(sa.select(trace.c.seq).where(trace.c.workspace == workspace, trace.c.id == given.id))
    set_tags(tx, number, given.tags)
    metadata = [{"trace": number, "key": key, "value": value} for key, value in given.metadata.items()]
    tx.upsert(trace_metadata, metadata, keys=["trace", "key"], update=["value"])
    if given.metadata.get(RUN_KEY):
        link(tx, [number], given.metadata[RUN_KEY])
    return number


def set_tags(tx: Tx, number: int, tags: dict[str, str]) -> None:
    """Sets tags; others stay."""
    given = [{"trace": number, "key": key, "value": value} for key, value in tags.items()]
    tx.upsert(trace_tag, given, keys=["trace", "key"], update=["value"])


def delete_tag(tx: Tx, number: int, key: str) -> bool:
    """Removes a tag; whether it was there."""
    return bool(tx.run(sa.delete(trace_tag).where(trace_tag.c.trace == number, trace_tag.c.key == key)))


def link(tx: Tx, numbers: Sequence[int], run: str) -> None:
    """Notes that traces belong to a run."""
    tx.upsert(trace_run, [{"trace": number, "run": run} for number in numbers], keys=["trace", "run"])


def put_spans(tx: Tx, number: int, spans: Sequence[Span]) -> None:
    """Stores spans; one that came before is replaced."""
    given = [
        {
            "trace": number,
            "id": span.id,
            "name": span.name,
            "type": span.type,
            "status": span.status,
            "start": span.start,
            "content": zlib.compress(span.content, 1),
        }
        for span in spans
    ]
    tx.upsert(trace_span, given, keys=["trace", "id"], update=["name", "type", "status", "start", "content"])


def count_spans(tx: Tx, number: int) -> int:
    """How many spans a trace has."""
    found: int = tx.scalar(sa.select(sa.func.count()).where(trace_span.c.trace == number))
    return found


def spans(tx: Tx, numbers: Sequence[int]) -> dict[int, list[bytes]]:
    """The compressed contents of traces' spans, oldest first, by trace."""
    query = sa.select(trace_span.c.trace, trace_span.c.content).where(trace_span.c.trace.in_(list(numbers)))
    found: dict[int, list[bytes]] = {}
    for r in tx.all(query.order_by(trace_span.c.start, trace_span.c.id)):
        found.setdefault(r.trace, []).append(r.content)
    return found


def older(tx: Tx, workspace: str, experiment: str, until: int, most: int) -> Sequence[sa.Row[Any]]:
    """The oldest traces of an experiment that started by then."""
    query = sa.select(trace).where(
        trace.c.workspace == workspace, trace.c.experiment == experiment, trace.c.request_time <= until
    )
    return tx.all(query.order_by(trace.c.request_time, trace.c.seq).limit(most))


def delete(tx: Tx, numbers: Sequence[int]) -> None:
    """Removes traces with all that hangs on them."""
    for table in (trace_tag, trace_metadata, trace_run, trace_span, assessment):
        tx.run(sa.delete(table).where(table.c.trace.in_(list(numbers))))
    tx.run(sa.delete(trace).where(trace.c.seq.in_(list(numbers))))


def _pairs(tx: Tx, table: sa.Table, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for start in range(0, len(numbers), 500):
        query = sa.select(table).where(table.c.trace.in_(numbers[start : start + 500])).order_by(table.c.key)
        for r in tx.all(query):
            found.setdefault(r.trace, {})[r.key] = r.value
    return found
