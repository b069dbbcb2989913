"""Searches of models and versions as SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Visible
from modelkeel.registry.models import ModelVersion
from modelkeel.registry.store.records import SHOWN, load_versions, select_versions
from modelkeel.registry.store.tables import model_tag, model_version, registered_model, version_tag
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.search import Condition, Kind, Order

_PROMPT = "mlflow.prompt.is_prompt"
_MODEL_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": registered_model.c.name,
    "creation_timestamp": registered_model.c.created,
    "last_updated_timestamp": registered_model.c.updated,
}
_VERSION_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": registered_model.c.name,
    "run_id": model_version.c.run,
    "source_path": model_version.c.source,
    "model_id": model_version.c.logged_model,
    "version_number": model_version.c.version,
    "creation_timestamp": model_version.c.created,
    "last_updated_timestamp": model_version.c.updated,
}


def search_models(
    tx: Tx,
    workspace: str,
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
    visible: Visible = EVERYTHING,
) -> Sequence[sa.Row[Any]]:
    """Rows of the models that meet every condition; by name unless ordered otherwise."""
    of_model = model_tag.c.model == registered_model.c.id
    query = sa.select(registered_model).where(
        registered_model.c.workspace == workspace,
        SHOWN,
        *within(visible, registered_model.c.id),
        *([] if _asks_for_prompts(conditions) else [~_of_prompt(registered_model.c.id)]),
        *(_clause(tx, condition, _MODEL_COLUMNS, model_tag, of_model) for condition in conditions),
    )
    sorting = [_sorted(_MODEL_COLUMNS[order.key], order) for order in orders]
    return tx.all(query.order_by(*sorting, registered_model.c.name).limit(limit).offset(offset))


def search_versions(
    tx: Tx,
    workspace: str,
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
    visible: Visible = EVERYTHING,
) -> Sequence[sa.Row[Any]]:
    """Rows of the versions that meet every condition; last changed first unless ordered otherwise."""
    of_version = sa.and_(version_tag.c.model == model_version.c.model, version_tag.c.version == model_version.c.version)
    query = select_versions(workspace).where(
        *within(visible, model_version.c.model),
        *([] if _asks_for_prompts(conditions) else [~_of_prompt(model_version.c.model)]),
        *(_clause(tx, condition, _VERSION_COLUMNS, version_tag, of_version) for condition in conditions),
    )
    given = orders or [Order(Kind.ATTRIBUTE, "last_updated_timestamp", False)]
    sorting = [_sorted(_VERSION_COLUMNS[order.key], order) for order in given]
    ordered = query.order_by(*sorting, registered_model.c.name, model_version.c.version.desc())
    return tx.all(ordered.limit(limit).offset(offset))


def versions_of_run(tx: Tx, workspace: str, run_id: str, visible: Visible = EVERYTHING) -> list[ModelVersion]:
    """The versions that a run is behind, newest first."""
    query = select_versions(workspace).where(model_version.c.run == run_id, *within(visible, model_version.c.model))
    return load_versions(tx, tx.all(query.order_by(model_version.c.created.desc())))


def _clause(
    tx: Tx, condition: Condition, columns: dict[str, sa.ColumnElement[Any]], tags: sa.Table, owned: Clause
) -> Clause:
    if condition.kind is Kind.ATTRIBUTE:
        return compare(tx, columns[condition.key], condition.operator, condition.value)
    of_tag = (owned, tags.c.key == condition.key)
    holds = sa.exists().where(*of_tag, compare(tx, tags.c.value, condition.operator, condition.value))
    # clients look for models that are no prompts by this tag, which ordinary models do not have
    if condition.key == _PROMPT and (condition.operator, condition.value) in {("=", "false"), ("!=", "true")}:
        return sa.or_(holds, ~sa.exists().where(*of_tag))
    return holds


def _asks_for_prompts(conditions: Sequence[Condition]) -> bool:
    """Whether a filter asks for prompts, or for something by the tag that tells them; prompts stay out otherwise."""
    return any(condition.kind is Kind.TAG and condition.key == _PROMPT for condition in conditions)


def _of_prompt(model: sa.ColumnElement[Any]) -> sa.Exists:
    of = (model_tag.c.model == model, model_tag.c.key == _PROMPT, sa.func.lower(model_tag.c.value) == "true")
    return sa.exists().where(*of)


def _sorted(column: sa.ColumnElement[Any], order: Order) -> sa.ColumnElement[Any]:
    return column.asc() if order.ascending else column.desc()
