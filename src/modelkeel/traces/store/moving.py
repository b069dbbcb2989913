"""What only moving in and out asks of the tables of traces."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.traces.store.tables import (
    evaluation_dataset,
    evaluation_record,
    trace,
    trace_run,
    trace_span,
)

_SOME = 500


def page(tx: Tx, workspace: str, experiment: str, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    """Traces of an experiment in the order in which they came, from behind a number."""
    c = trace.c
    query = sa.select(trace).where(c.workspace == workspace, c.experiment == experiment, c.seq > after)
    return tx.all(query.order_by(c.seq).limit(limit))


def runs_of(tx: Tx, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The runs to which traces are linked."""
    found: dict[int, list[str]] = {}
    for start in range(0, len(numbers), _SOME):
        query = sa.select(trace_run).where(trace_run.c.trace.in_(numbers[start : start + _SOME]))
        for row in tx.all(query.order_by(trace_run.c.run)):
            found.setdefault(row.trace, []).append(row.run)
    return found


def unlink(tx: Tx, number: int, runs: Iterable[str]) -> None:
    """Notes that a trace belongs to runs no more."""
    tx.run(sa.delete(trace_run).where(trace_run.c.trace == number, trace_run.c.run.in_(list(runs))))


def span_counts(tx: Tx, numbers: Sequence[int]) -> dict[int, int]:
    """How many spans traces have."""
    found: dict[int, int] = {}
    for start in range(0, len(numbers), _SOME):
        some = numbers[start : start + _SOME]
        query = sa.select(trace_span.c.trace, sa.func.count().label("spans")).where(trace_span.c.trace.in_(some))
        found |= {row.trace: row.spans for row in tx.all(query.group_by(trace_span.c.trace))}
    return found


def workspace_of_dataset(tx: Tx, identity: str) -> str | None:
    """The workspace that has an evaluation data set."""
    table = evaluation_dataset.c
    row = tx.one(sa.select(table.workspace).where(table.id == identity))
    return None if row is None else str(row.workspace)


def set_dataset(tx: Tx, identity: str, values: dict[str, Any]) -> None:
    """Sets columns of an evaluation data set."""
    tx.run(sa.update(evaluation_dataset).where(evaluation_dataset.c.id == identity).values(**values))


def datasets(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """All evaluation data sets, oldest first."""
    query = sa.select(evaluation_dataset).where(evaluation_dataset.c.workspace == workspace)
    return tx.all(query.order_by(evaluation_dataset.c.created, evaluation_dataset.c.id))


def record_digests(tx: Tx, identity: str) -> dict[str, str]:
    """The digest of each record's content, by the SHA-256 of its inputs."""
    table = evaluation_record.c
    query = sa.select(table.input_key, table.content_key).where(table.dataset == identity).order_by(table.seq)
    return {row.input_key: row.content_key for row in tx.all(query)}


def delete_by_keys(tx: Tx, identity: str, keys: Sequence[str]) -> int:
    """Removes records by the SHA-256 of their inputs; returns how many there were."""
    table, count = evaluation_record.c, 0
    for start in range(0, len(keys), _SOME):
        where = (table.dataset == identity, table.input_key.in_(list(keys[start : start + _SOME])))
        count += tx.run(sa.delete(evaluation_record).where(*where))
    return count
