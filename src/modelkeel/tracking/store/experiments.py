"""Experiments and their tags."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import DatasetUse, Experiment, Lifecycle
from modelkeel.tracking.store.tables import dataset_input, default_experiment, experiment, experiment_tag, run_input

_LIFECYCLE = Prepared(
    sa.select(experiment.c.lifecycle).where(
        experiment.c.id == sa.bindparam("id"), experiment.c.workspace == sa.bindparam("workspace")
    )
)


def add(tx: Tx, identity: str, workspace: str, name: str, tags: dict[str, str]) -> None:
    """Stores a new, active experiment."""
    row = {
        "id": identity,
        "workspace": workspace,
        "name": name,
        "lifecycle": Lifecycle.ACTIVE,
        "created": tx.now,
        "updated": tx.now,
    }
    tx.run(sa.insert(experiment), row)
    set_tags(tx, identity, tags)


def default_of(tx: Tx, workspace: str) -> str | None:
    """The id of the workspace's default experiment."""
    query = sa.select(default_experiment.c.experiment).where(default_experiment.c.workspace == workspace)
    found: str | None = tx.scalar(query)
    return found


def set_default(tx: Tx, workspace: str, identity: str) -> None:
    """Names the workspace's default experiment."""
    tx.run(sa.insert(default_experiment), {"workspace": workspace, "experiment": identity})


def get(tx: Tx, workspace: str, identity: str) -> Experiment | None:
    """An experiment by id, in any lifecycle."""
    row = tx.one(sa.select(experiment).where(experiment.c.id == identity, experiment.c.workspace == workspace))
    return None if row is None else load(tx, [row])[0]


def lifecycle_of(tx: Tx, workspace: str, identity: str) -> str | None:
    """Whether an experiment is shown; None: there is none."""
    found: str | None = _LIFECYCLE.scalar(tx, {"id": identity, "workspace": workspace})
    return found


def named(tx: Tx, workspace: str, name: str) -> Experiment | None:
    """The active experiment of that name."""
    query = sa.select(experiment).where(
        experiment.c.workspace == workspace, experiment.c.name == name, experiment.c.lifecycle == Lifecycle.ACTIVE
    )
    row = tx.one(query)
    return None if row is None else load(tx, [row])[0]


def load(tx: Tx, rows: Iterable[sa.Row[Any]]) -> list[Experiment]:
    """Experiments with their tags, in the order of the rows."""
    found = list(rows)
    tags: dict[str, dict[str, str]] = {row.id: {} for row in found}
    names = list(tags)
    for start in range(0, len(names), 500):
        query = sa.select(experiment_tag).where(experiment_tag.c.experiment.in_(names[start : start + 500]))
        for row in tx.all(query):
            tags[row.experiment][row.key] = row.value
    return [Experiment(r.id, r.name, Lifecycle(r.lifecycle), r.created, r.updated, tags[r.id]) for r in found]


def change(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of an experiment, and when."""
    tx.run(sa.update(experiment).where(experiment.c.id == identity).values(updated=tx.now, **values))


def set_tags(tx: Tx, identity: str, tags: dict[str, str]) -> None:
    """Sets tags, over what they were."""
    rows = [{"experiment": identity, "key": key, "value": value} for key, value in tags.items()]
    tx.upsert(experiment_tag, rows, keys=["experiment", "key"], update=["value"])


def delete_tag(tx: Tx, identity: str, key: str) -> bool:
    """Removes a tag; False if there was none."""
    where = (experiment_tag.c.experiment == identity, experiment_tag.c.key == key)
    return tx.run(sa.delete(experiment_tag).where(*where)) > 0


def dataset_uses(tx: Tx, workspace: str, identities: Iterable[str], limit: int) -> list[DatasetUse]:
    """The data sets that runs of some experiments read, each use once."""
    data = dataset_input.c
    query = (
        sa.select(data.experiment, data.name, data.digest, run_input.c.context)
        .distinct()
        .join(run_input, run_input.c.dataset == data.id)
        .join(experiment, experiment.c.id == data.experiment)
        .where(experiment.c.workspace == workspace, data.experiment.in_(list(identities)))
        .order_by(data.experiment, data.name, data.digest, run_input.c.context)
        .limit(limit)
    )
    return [DatasetUse(row.experiment, row.name, row.digest, row.context or None) for row in tx.all(query)]
