"""Searches as SQL: conditions become EXISTS on the indexed (key, value, run) tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Visible
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.models import RUN_NAME_TAG, Lifecycle
from modelkeel.tracking.search import Condition, Kind, Order, Value
from modelkeel.tracking.store.runs import RunRow
from modelkeel.tracking.store.tables import (
    HEAD,
    dataset_input,
    experiment,
    experiment_tag,
    logged_model,
    logged_model_metric,
    logged_model_param,
    logged_model_tag,
    metric_key,
    metric_latest,
    param,
    run,
    run_input,
    tag,
)

_RUN_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "run_id": run.c.id,
    "run_name": run.c.name,
    "status": run.c.status,
    "user_id": run.c.user,
    "experiment_id": run.c.experiment,
    "start_time": run.c.started,
    "end_time": run.c.ended,
    "artifact_uri": sa.literal("mlflow-artifacts:/") + run.c.experiment + "/" + run.c.id + "/artifacts",
}
_EXPERIMENT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": experiment.c.name,
    "experiment_id": experiment.c.id,
    "creation_time": experiment.c.created,
    "last_update_time": experiment.c.updated,
}
_MODEL_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": logged_model.c.name,
    "model_id": logged_model.c.id,
    "model_type": logged_model.c.type,
    "status": logged_model.c.status,
    "source_run_id": logged_model.c.source_run,
    "creation_timestamp": logged_model.c.created,
    "last_updated_timestamp": logged_model.c.updated,
}


def runs(
    tx: Tx,
    workspace: str,
    experiments: Sequence[str],
    lifecycles: Iterable[Lifecycle],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
) -> list[RunRow]:
    """Rows of the runs that meet every condition."""
    keys = _metric_ids(tx, workspace, _metrics_named(conditions, orders))
    query = sa.select(run).where(
        run.c.workspace == workspace,
        run.c.experiment.in_(experiments),
        run.c.lifecycle.in_(list(lifecycles)),
        *(_run_clause(tx, condition, keys) for condition in conditions),
    )
    sorting: list[sa.ColumnElement[Any]] = []
    for number, order in enumerate(orders):
        query, column, rank = _run_sort(query, order, keys, number)
        sorting += [rank, column.asc() if order.ascending else column.desc()]
    if not any((o.kind, o.key) == (Kind.ATTRIBUTE, "start_time") for o in orders):
        sorting.append(run.c.started.desc())
    rows = tx.all(query.order_by(*sorting, run.c.id).limit(limit).offset(offset))
    return [RunRow._make(row) for row in rows]


def experiments(
    tx: Tx,
    workspace: str,
    lifecycles: Iterable[Lifecycle],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
    visible: Visible = EVERYTHING,
) -> Sequence[sa.Row[Any]]:
    """Rows of the experiments that meet every condition; newest first unless ordered otherwise."""
    query = sa.select(experiment).where(
        experiment.c.workspace == workspace,
        experiment.c.lifecycle.in_(list(lifecycles)),
        *within(visible, experiment.c.id),
        *(_experiment_clause(tx, condition) for condition in conditions),
    )
    given = orders or [Order(Kind.ATTRIBUTE, "creation_time", False), Order(Kind.ATTRIBUTE, "experiment_id", True)]
    sorting = [_direction(_EXPERIMENT_COLUMNS[o.key], o) for o in given]
    return tx.all(query.order_by(*sorting, experiment.c.id.desc()).limit(limit).offset(offset))


def logged_models(
    tx: Tx,
    workspace: str,
    experiments: Sequence[str],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
) -> Sequence[sa.Row[Any]]:
    """Rows of the active logged models that meet every condition; newest first unless ordered otherwise."""
    query = sa.select(logged_model).where(
        logged_model.c.workspace == workspace,
        logged_model.c.experiment.in_(experiments),
        logged_model.c.lifecycle == Lifecycle.ACTIVE,
        *(_model_clause(tx, condition) for condition in conditions),
    )
    sorting: list[sa.ColumnElement[Any]] = []
    for order in orders:
        column = _MODEL_COLUMNS.get(order.key) if order.kind is Kind.ATTRIBUTE else _model_metric(order.key)
        assert column is not None  # noqa: S101 - the grammar allows no other
        sorting += [sa.case((column.is_(None), 1), else_=0), _direction(column, order)]
    if not any(order.key == "creation_timestamp" for order in orders):
        sorting.append(logged_model.c.created.desc())
    return tx.all(query.order_by(*sorting, logged_model.c.id).limit(limit).offset(offset))


def _direction(column: sa.ColumnElement[Any], order: Order) -> sa.ColumnElement[Any]:
    return column.asc() if order.ascending else column.desc()


def _run_clause(tx: Tx, condition: Condition, keys: dict[str, int]) -> Clause:
    kind, key, operator, value = condition.kind, condition.key, condition.operator, condition.value
    if kind is Kind.ATTRIBUTE:
        if key == "run_name":
            return _keyed(tx, tag, RUN_NAME_TAG, operator, value)
        return compare(tx, _RUN_COLUMNS[key], operator, value)
    if kind is Kind.METRIC:
        latest = metric_latest.c
        holds = compare(tx, latest.value, operator, value)
        # 0 stands for NaN: no comparison with it holds but "!="
        holds = sa.or_(holds, latest.is_nan == 1) if operator == "!=" else sa.and_(holds, latest.is_nan == 0)
        return sa.exists().where(latest.run == run.c.seq, latest.key == keys.get(key, 0), holds)
    if kind is Kind.DATASET:
        column = run_input.c.context if key == "context" else dataset_input.c[key]
        return sa.exists().where(
            run_input.c.run == run.c.seq,
            dataset_input.c.id == run_input.c.dataset,
            compare(tx, column, operator, value),
        )
    return _keyed(tx, tag if kind is Kind.TAG else param, key, operator, value)


def _keyed(tx: Tx, table: sa.Table, key: str, operator: str, value: Value) -> Clause:
    of_run = (table.c.run == run.c.seq, table.c.key == key)
    if operator == "IS NULL":
        return ~sa.exists().where(*of_run)
    if operator == "IS NOT NULL":
        return sa.exists().where(*of_run)
    holds = [compare(tx, table.c.value, operator, value)]
    if operator == "=":  # the index holds the value's head
        holds.append(sa.func.substr(table.c.value, 1, sa.literal_column(str(HEAD))) == str(value)[:HEAD])
    return sa.exists().where(*of_run, *holds)


def _run_sort(
    query: sa.Select[Any], order: Order, keys: dict[str, int], number: int
) -> tuple[sa.Select[Any], sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    """The query with what it sorts by joined in, the column, and a rank that puts what is missing last."""
    if order.kind is Kind.ATTRIBUTE:
        column = _RUN_COLUMNS[order.key]
        return query, column, sa.case((column.is_(None), 1), else_=0)
    if order.kind is Kind.METRIC:
        latest = metric_latest.alias(f"sort_{number}")
        on = sa.and_(latest.c.run == run.c.seq, latest.c.key == keys.get(order.key, 0))
        rank = sa.case((latest.c.is_nan == 1, 1), (latest.c.value.is_(None), 2), else_=0)
        return query.outerjoin(latest, on), latest.c.value, rank
    table = (tag if order.kind is Kind.TAG else param).alias(f"sort_{number}")
    on = sa.and_(table.c.run == run.c.seq, table.c.key == order.key)
    return query.outerjoin(table, on), table.c.value, sa.case((table.c.value.is_(None), 1), else_=0)


def _experiment_clause(tx: Tx, condition: Condition) -> Clause:
    if condition.kind is Kind.ATTRIBUTE:
        return compare(tx, _EXPERIMENT_COLUMNS[condition.key], condition.operator, condition.value)
    return _owned(tx, experiment_tag, experiment_tag.c.experiment == experiment.c.id, condition)


def _model_clause(tx: Tx, condition: Condition) -> Clause:
    if condition.kind is Kind.ATTRIBUTE:
        return compare(tx, _MODEL_COLUMNS[condition.key], condition.operator, condition.value)
    if condition.kind is Kind.METRIC:
        point = logged_model_metric.c
        return sa.exists().where(
            point.model == logged_model.c.id,
            point.key == condition.key,
            point.is_nan == 0,
            compare(tx, point.value, condition.operator, condition.value),
        )
    table = logged_model_tag if condition.kind is Kind.TAG else logged_model_param
    return _owned(tx, table, table.c.model == logged_model.c.id, condition)


def _owned(tx: Tx, table: sa.Table, owned: Clause, condition: Condition) -> Clause:
    of_key = (owned, table.c.key == condition.key)
    if condition.operator == "IS NULL":
        return ~sa.exists().where(*of_key)
    if condition.operator == "IS NOT NULL":
        return sa.exists().where(*of_key)
    return sa.exists().where(*of_key, compare(tx, table.c.value, condition.operator, condition.value))


def _model_metric(key: str) -> sa.ColumnElement[Any]:
    point = logged_model_metric.c
    of_model = (point.model == logged_model.c.id, point.key == key, point.is_nan == 0)
    return sa.select(sa.func.max(point.value)).where(*of_model).correlate(logged_model).scalar_subquery()


def _metric_ids(tx: Tx, workspace: str, keys: set[str]) -> dict[str, int]:
    if not keys:
        return {}
    query = sa.select(metric_key.c.key, metric_key.c.id)
    return {
        row.key: row.id for row in tx.all(query.where(metric_key.c.workspace == workspace, metric_key.c.key.in_(keys)))
    }


def _metrics_named(conditions: Sequence[Condition], orders: Sequence[Order]) -> set[str]:
    filtered = {c.key for c in conditions if c.kind is Kind.METRIC}
    return filtered | {o.key for o in orders if o.kind is Kind.METRIC}
