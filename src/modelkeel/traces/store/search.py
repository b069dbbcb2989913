"""The search of traces as SQL: conditions on tags, metadata, spans and assessments become EXISTS."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Visible
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within
from modelkeel.traces.models import NAME_TAG
from modelkeel.traces.store.tables import assessment, trace, trace_metadata, trace_run, trace_span, trace_tag
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.search import Condition, Kind, Order

_END = trace.c.request_time + trace.c.duration
_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "request_id": trace.c.id,
    "experiment_id": trace.c.experiment,
    "client_request_id": trace.c.client_request,
    "status": trace.c.state,
    "timestamp_ms": trace.c.request_time,
    "execution_time_ms": trace.c.duration,
    "end_time_ms": _END,
}
_PAIRS = {Kind.TAG: trace_tag, Kind.METADATA: trace_metadata}


def traces(
    tx: Tx,
    workspace: str,
    experiments: Sequence[str],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
    visible: Visible,
) -> Sequence[sa.Row[Any]]:
    """Rows of the traces that meet every condition; newest first unless ordered otherwise."""
    query = sa.select(trace).where(
        trace.c.workspace == workspace,
        trace.c.experiment.in_(list(experiments)),
        *within(visible, trace.c.experiment),
        *(_clause(tx, condition) for condition in conditions),
    )
    sorting: list[sa.ColumnElement[Any]] = []
    for order in orders:
        column = _sorted_by(order.key)
        sorting += [sa.case((column.is_(None), 1), else_=0), column.asc() if order.ascending else column.desc()]
    if not any(order.key == "timestamp_ms" for order in orders):
        sorting.append(trace.c.request_time.desc())
    return tx.all(query.order_by(*sorting, trace.c.seq.desc()).limit(limit).offset(offset))


def _sorted_by(key: str) -> sa.ColumnElement[Any]:
    if key == "name":
        of_name = (trace_tag.c.trace == trace.c.seq, trace_tag.c.key == NAME_TAG)
        return sa.select(trace_tag.c.value).where(*of_name).correlate(trace).scalar_subquery()
    if key == "run_id":
        of_trace = trace_run.c.trace == trace.c.seq
        return sa.select(sa.func.min(trace_run.c.run)).where(of_trace).correlate(trace).scalar_subquery()
    return _COLUMNS[key]


def _clause(tx: Tx, condition: Condition) -> Clause:
    kind, key, operator, value = condition.kind, condition.key, condition.operator, condition.value
    if kind is Kind.ATTRIBUTE and key == "run_id":
        return sa.exists().where(trace_run.c.trace == trace.c.seq, compare(tx, trace_run.c.run, operator, value))
    if kind is Kind.ATTRIBUTE and key == "name":
        kind, key = Kind.TAG, NAME_TAG
    if kind is Kind.ATTRIBUTE:
        return compare(tx, _COLUMNS[key], operator, value)
    if kind is Kind.SPAN:
        return sa.exists().where(trace_span.c.trace == trace.c.seq, compare(tx, trace_span.c[key], operator, value))
    if kind in _PAIRS:
        table = _PAIRS[kind]
        of = [table.c.trace == trace.c.seq, table.c.key == key]
        column: sa.ColumnElement[Any] = table.c.value
    else:
        judged = assessment.c
        of = [judged.trace == trace.c.seq, judged.kind == str(kind), judged.name == key, judged.valid.is_(True)]
        column = judged.number if isinstance(value, int | float) else judged.value
    if operator == "IS NULL":
        return ~sa.exists().where(*of)
    if operator == "IS NOT NULL":
        return sa.exists().where(*of)
    return sa.exists().where(*of, compare(tx, column, operator, value))
