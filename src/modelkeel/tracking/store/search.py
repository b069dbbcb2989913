"""Searches as SQL: conditions become EXISTS on the indexed (key, value, run) tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Visible
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.models import Lifecycle
from modelkeel.tracking.search import Condition, Kind, Order
from modelkeel.tracking.store.tables import (
    experiment,
    experiment_tag,
    logged_model,
    logged_model_metric,
    logged_model_param,
    logged_model_tag,
)

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
    datasets: Sequence[tuple[str, str]] = (),
    *,
    limit: int,
    offset: int,
) -> Sequence[sa.Row[Any]]:
    """Rows of the active logged models that meet every condition; newest first unless ordered otherwise.

    Where data sets are given (name, and digest or nothing), conditions on metrics are about those measured on one of
    them; without such a condition, a model needs any metric measured on one.
    """
    measured = _measured_on(datasets)
    query = sa.select(logged_model).where(
        logged_model.c.workspace == workspace,
        logged_model.c.experiment.in_(experiments),
        logged_model.c.lifecycle == Lifecycle.ACTIVE,
        *(_model_clause(tx, condition, measured) for condition in conditions),
    )
    if measured and not any(condition.kind is Kind.METRIC for condition in conditions):
        query = query.where(sa.exists().where(logged_model_metric.c.model == logged_model.c.id, *measured))
    sorting: list[sa.ColumnElement[Any]] = []
    for order in orders:
        column = _MODEL_COLUMNS.get(order.key) if order.kind is Kind.ATTRIBUTE else _model_metric(order)
        assert column is not None  # noqa: S101 - the grammar allows no other
        sorting += [sa.case((column.is_(None), 1), else_=0), _direction(column, order)]
    if not any(order.key == "creation_timestamp" for order in orders):
        sorting.append(logged_model.c.created.desc())
    return tx.all(query.order_by(*sorting, logged_model.c.id).limit(limit).offset(offset))


def _direction(column: sa.ColumnElement[Any], order: Order) -> sa.ColumnElement[Any]:
    return column.asc() if order.ascending else column.desc()


def _experiment_clause(tx: Tx, condition: Condition) -> Clause:
    if condition.kind is Kind.ATTRIBUTE:
        return compare(tx, _EXPERIMENT_COLUMNS[condition.key], condition.operator, condition.value)
    return _owned(tx, experiment_tag, experiment_tag.c.experiment == experiment.c.id, condition)


def _measured_on(datasets: Sequence[tuple[str, str]]) -> list[Clause]:
    point = logged_model_metric.c
    each = [
        sa.and_(point.dataset_name == name, *([point.dataset_digest == digest] if digest else []))
        for name, digest in datasets
    ]
    return [sa.or_(*each)] if each else []


def _model_clause(tx: Tx, condition: Condition, measured: Sequence[Clause]) -> Clause:
    if condition.kind is Kind.ATTRIBUTE:
        return compare(tx, _MODEL_COLUMNS[condition.key], condition.operator, condition.value)
    if condition.kind is Kind.METRIC:
        point = logged_model_metric.c
        return sa.exists().where(
            point.model == logged_model.c.id,
            point.key == condition.key,
            point.is_nan == 0,
            compare(tx, point.value, condition.operator, condition.value),
            *measured,
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


def _model_metric(order: Order) -> sa.ColumnElement[Any]:
    """The latest value of a metric, as stock servers order by."""
    point = logged_model_metric.c
    measured = _measured_on([(order.dataset_name, order.dataset_digest)]) if order.dataset_name else []
    of_model = (point.model == logged_model.c.id, point.key == order.key, point.is_nan == 0, *measured)
    latest = sa.select(point.value).where(*of_model).order_by(point.ts.desc(), point.step.desc(), point.run).limit(1)
    return latest.correlate(logged_model).scalar_subquery()
