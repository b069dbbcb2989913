"""Evaluation data sets, their tags, experiments and records."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Visible
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within
from modelkeel.traces.evaluation_models import EvaluationDataset, EvaluationRecord
from modelkeel.traces.store.tables import (
    evaluation_dataset,
    evaluation_experiment,
    evaluation_record,
    evaluation_tag,
)
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.search import Condition, Kind, Order

_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": evaluation_dataset.c.name,
    "created_by": evaluation_dataset.c.created_by,
    "last_updated_by": evaluation_dataset.c.updated_by,
    "created_time": evaluation_dataset.c.created,
    "last_update_time": evaluation_dataset.c.updated,
}
_SOME = 500


def add(tx: Tx, identity: str, workspace: str, name: str, user: str | None) -> None:
    """Stores a new data set without records."""
    row = {"id": identity, "workspace": workspace, "name": name, "digest": _digest([]), "records": 0}
    told = {"created": tx.now, "updated": tx.now, "created_by": user, "updated_by": user}
    tx.run(sa.delete(evaluation_experiment).where(evaluation_experiment.c.dataset == identity))  # of one before it
    tx.run(sa.insert(evaluation_dataset), row | told)


def find(tx: Tx, workspace: str, identity: str) -> EvaluationDataset | None:
    """One data set by id."""
    table = evaluation_dataset.c
    found = load(tx, tx.all(sa.select(evaluation_dataset).where(table.id == identity, table.workspace == workspace)))
    return found[0] if found else None


def load(tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[EvaluationDataset]:
    """Data sets with tags and experiments, in the order of the rows."""
    tags: dict[str, dict[str, str]] = {row.id: {} for row in rows}
    experiments: dict[str, list[str]] = {row.id: [] for row in rows}
    names = list(tags)
    for start in range(0, len(names), _SOME):
        some = names[start : start + _SOME]
        for row in tx.all(sa.select(evaluation_tag).where(evaluation_tag.c.dataset.in_(some))):
            tags[row.dataset][row.key] = row.value
        belongs = evaluation_experiment.c
        query = sa.select(evaluation_experiment).where(belongs.dataset.in_(some)).order_by(belongs.experiment)
        for row in tx.all(query):
            experiments[row.dataset].append(row.experiment)
    return [
        EvaluationDataset(
            row.id,
            row.name,
            row.digest,
            row.created,
            row.updated,
            tags[row.id],
            row.schema,
            row.records,
            row.created_by,
            row.updated_by,
            experiments[row.id],
        )
        for row in rows
    ]


def search(
    tx: Tx,
    workspace: str,
    experiments: Sequence[str],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
    visible: Visible,
) -> list[EvaluationDataset]:
    """Data sets that meet every condition; newest first unless ordered otherwise.

    Args:
        tx: the transaction.
        workspace: id.
        experiments: only what belongs to one of these; empty: any.
        conditions: of the filter.
        orders: sort keys.
        limit: how many at most.
        offset: how many of the first are left out.
        visible: experiments that may be seen; what belongs to some is seen with one of them.
    """
    table = evaluation_dataset.c
    query = sa.select(evaluation_dataset).where(
        table.workspace == workspace, *_seen(visible), *(_clause(tx, condition) for condition in conditions)
    )
    if experiments:
        query = query.where(_belongs().where(evaluation_experiment.c.experiment.in_(list(experiments))))
    keys = [_COLUMNS[o.key].asc() if o.ascending else _COLUMNS[o.key].desc() for o in orders] or [table.created.desc()]
    return load(tx, tx.all(query.order_by(*keys, table.id.desc()).limit(limit).offset(offset)))


def set_tags(tx: Tx, identity: str, tags: dict[str, str]) -> None:
    """Sets tags, over what they were."""
    rows = [{"dataset": identity, "key": key, "value": value} for key, value in tags.items()]
    tx.upsert(evaluation_tag, rows, keys=["dataset", "key"], update=["value"])


def delete_tag(tx: Tx, identity: str, key: str) -> bool:
    """Removes a tag; False if there was none."""
    table = evaluation_tag.c
    return tx.run(sa.delete(evaluation_tag).where(table.dataset == identity, table.key == key)) > 0


def join(tx: Tx, identity: str, experiments: Iterable[str]) -> int:
    """Makes a data set belong to experiments; returns to how many it did not."""
    rows = [{"dataset": identity, "experiment": experiment} for experiment in experiments]
    return tx.upsert(evaluation_experiment, rows, keys=["dataset", "experiment"])


def leave(tx: Tx, identity: str, experiments: Sequence[str]) -> int:
    """Makes a data set belong to experiments no more; returns to how many it did."""
    table = evaluation_experiment.c
    where = (table.dataset == identity, table.experiment.in_(list(experiments)))
    return tx.run(sa.delete(evaluation_experiment).where(*where))


def delete(tx: Tx, identity: str) -> None:
    """Removes a data set with all it has. To which experiments it belonged stays: its ledger entries follow them."""
    for table in (evaluation_record, evaluation_tag):
        tx.run(sa.delete(table).where(table.c.dataset == identity))
    tx.run(sa.delete(evaluation_dataset).where(evaluation_dataset.c.id == identity))


def records_with(tx: Tx, identity: str, keys: Sequence[str]) -> dict[str, EvaluationRecord]:
    """Records by the SHA-256 of their inputs, as far as they are there."""
    found: dict[str, EvaluationRecord] = {}
    table = evaluation_record.c
    for start in range(0, len(keys), _SOME):
        some = keys[start : start + _SOME]
        query = sa.select(evaluation_record).where(table.dataset == identity, table.input_key.in_(some))
        found |= {row.input_key: _read(row) for row in tx.all(query)}
    return found


def put_records(tx: Tx, identity: str, records: Sequence[EvaluationRecord]) -> None:
    """Stores records, in place of those with the same inputs."""
    rows = []
    for record in records:
        content = json.dumps(record.content, sort_keys=True)
        rows.append(
            {
                "id": record.id,
                "dataset": identity,
                "input_key": record.key,
                "created": record.created,
                "updated": record.updated,
                "content": content,
                "content_key": hashlib.sha256(content.encode()).hexdigest(),
            }
        )
    tx.upsert(evaluation_record, rows, keys=["dataset", "input_key"], update=["updated", "content", "content_key"])


def page(tx: Tx, identity: str, *, after: int, limit: int) -> list[tuple[int, EvaluationRecord]]:
    """Records in the order in which they came, each with its place, from behind a place."""
    table = evaluation_record.c
    query = sa.select(evaluation_record).where(table.dataset == identity, table.seq > after)
    return [(row.seq, _read(row)) for row in tx.all(query.order_by(table.seq).limit(limit))]


def delete_records(tx: Tx, identity: str, ids: Sequence[str]) -> int:
    """Removes records; returns how many there were."""
    table, count = evaluation_record.c, 0
    for start in range(0, len(ids), _SOME):
        where = (table.dataset == identity, table.id.in_(list(ids[start : start + _SOME])))
        count += tx.run(sa.delete(evaluation_record).where(*where))
    return count


def changed(tx: Tx, identity: str, *, schema: str | None, user: str | None) -> str:
    """Brings a data set's count, digest and time up to its records; returns the digest."""
    table = evaluation_record.c
    keys = tx.all(sa.select(table.content_key).where(table.dataset == identity).order_by(table.content_key))
    digest = _digest([row.content_key for row in keys])
    values = {"records": len(keys), "digest": digest, "updated": tx.now, "updated_by": user}
    if schema is not None:
        values["schema"] = schema
    tx.run(sa.update(evaluation_dataset).where(evaluation_dataset.c.id == identity).values(**values))
    return digest


def _digest(keys: Sequence[str]) -> str:
    """Of the digests of all records, in order; the data set of a run's input keeps no more than 36 characters."""
    return hashlib.sha256("".join(keys).encode()).hexdigest()[:32]


def _read(row: sa.Row[Any]) -> EvaluationRecord:
    return EvaluationRecord(row.id, row.created, row.updated, json.loads(row.content))


def _belongs() -> sa.Exists:
    return sa.exists().where(evaluation_experiment.c.dataset == evaluation_dataset.c.id)


def _seen(visible: Visible) -> list[Clause]:
    if visible.everything:
        return []
    seen = _belongs().where(*within(visible, evaluation_experiment.c.experiment))
    return [seen] if visible.shown is not None else [seen | ~_belongs()]


def _clause(tx: Tx, condition: Condition) -> Clause:
    if condition.kind is Kind.TAG:
        tags = evaluation_tag.c
        of = sa.exists().where(tags.dataset == evaluation_dataset.c.id, tags.key == condition.key)
        return of.where(compare(tx, tags.value, condition.operator, condition.value))
    return compare(tx, _COLUMNS[condition.key], condition.operator, condition.value)
