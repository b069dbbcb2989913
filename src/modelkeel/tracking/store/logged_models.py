"""Logged models with their params, tags and metrics."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import Lifecycle, LoggedModel, Metric, ModelStatus
from modelkeel.tracking.store.tables import (
    logged_model,
    logged_model_metric,
    logged_model_param,
    logged_model_tag,
)


def add(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a new logged model."""
    tx.run(sa.insert(logged_model), {"lifecycle": Lifecycle.ACTIVE, "created": tx.now, "updated": tx.now, **row})


def find(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    """What a writer needs to know of a logged model."""
    where = (logged_model.c.id == identity, logged_model.c.workspace == workspace)
    return tx.one(sa.select(logged_model).where(*where))


def get(tx: Tx, workspace: str, identity: str) -> LoggedModel | None:
    """A logged model by id, in any lifecycle."""
    row = find(tx, workspace, identity)
    return None if row is None else load(tx, [row])[0]


def change(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of a logged model, and when."""
    tx.run(sa.update(logged_model).where(logged_model.c.id == identity).values(updated=tx.now, **values))


def set_tags(tx: Tx, identity: str, tags: dict[str, str]) -> None:
    """Sets tags, over what they were."""
    rows = [{"model": identity, "key": key, "value": value} for key, value in tags.items()]
    tx.upsert(logged_model_tag, rows, keys=["model", "key"], update=["value"])


def delete_tag(tx: Tx, identity: str, key: str) -> bool:
    """Removes a tag; False if there was none."""
    where = (logged_model_tag.c.model == identity, logged_model_tag.c.key == key)
    return tx.run(sa.delete(logged_model_tag).where(*where)) > 0


def add_params(tx: Tx, identity: str, params: dict[str, str]) -> None:
    """Stores params that are not there yet."""
    rows = [{"model": identity, "key": key, "value": value} for key, value in params.items()]
    tx.upsert(logged_model_param, rows, keys=["model", "key"])


def load(tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[LoggedModel]:
    """Logged models with params, tags and metrics, in the order of the rows."""
    params: dict[str, dict[str, str]] = defaultdict(dict)
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    metrics: dict[str, list[tuple[str, Metric]]] = defaultdict(list)
    every = [row.id for row in rows]
    point = logged_model_metric.c
    for start in range(0, len(every), 500):
        some = every[start : start + 500]
        for row in tx.all(sa.select(logged_model_param).where(logged_model_param.c.model.in_(some))):
            params[row.model][row.key] = row.value
        for row in tx.all(sa.select(logged_model_tag).where(logged_model_tag.c.model.in_(some))):
            tags[row.model][row.key] = row.value
        query = sa.select(logged_model_metric).where(point.model.in_(some)).order_by(point.key, point.step, point.ts)
        for m in tx.all(query):
            value = float("nan") if m.is_nan else m.value
            metric = Metric(m.key, value, m.ts, m.step, m.model, m.dataset_name, m.dataset_digest)
            metrics[m.model].append((m.run, metric))
    return [
        LoggedModel(
            r.id,
            r.experiment,
            r.name,
            ModelStatus(r.status),
            r.type,
            r.source_run,
            r.created,
            r.updated,
            Lifecycle(r.lifecycle),
            params[r.id],
            tags[r.id],
            metrics[r.id],
        )
        for r in rows
    ]
