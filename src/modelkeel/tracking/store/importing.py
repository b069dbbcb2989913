"""SQL that only imports and exports need: whose an id is anywhere, times kept, runs in order of arrival."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.tracking.store.tables import experiment, logged_model, param, run, tag

_TABLES: dict[str, sa.Table] = {"experiment": experiment, "run": run, "logged_model": logged_model}


def workspace_of(tx: Tx, kind: str, identity: str) -> str | None:
    """The workspace in which an id is taken, in the whole installation; None: it is free."""
    table = _TABLES[kind]
    found: str | None = tx.scalar(sa.select(table.c.workspace).where(table.c.id == identity))
    return found


def set_times(tx: Tx, kind: str, identity: str, created: int, updated: int) -> None:
    """Sets when an experiment or logged model was made and last changed."""
    table = _TABLES[kind]
    tx.run(sa.update(table).where(table.c.id == identity).values(created=created, updated=updated))


def counts(tx: Tx, seq: int) -> tuple[int, int]:
    """How many params and tags a run has."""
    return (
        int(tx.scalar(sa.select(sa.func.count()).select_from(param).where(param.c.run == seq))),
        int(tx.scalar(sa.select(sa.func.count()).select_from(tag).where(tag.c.run == seq))),
    )


def runs_after(tx: Tx, workspace: str, of: str, after: int, limit: int) -> Sequence[sa.Row[Any]]:
    """An experiment's runs in any lifecycle, in the order in which they came."""
    where = (run.c.workspace == workspace, run.c.experiment == of, run.c.seq > after)
    return tx.all(sa.select(run).where(*where).order_by(run.c.seq).limit(limit))


def logged_models_of(tx: Tx, workspace: str, of: str) -> Sequence[sa.Row[Any]]:
    """An experiment's logged models in any lifecycle, oldest first."""
    where = (logged_model.c.workspace == workspace, logged_model.c.experiment == of)
    return tx.all(sa.select(logged_model).where(*where).order_by(logged_model.c.created, logged_model.c.id))


def experiments_of(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """A workspace's experiments in any lifecycle, oldest first."""
    query = sa.select(experiment).where(experiment.c.workspace == workspace)
    return tx.all(query.order_by(experiment.c.created, experiment.c.id))
