"""What of tracking can be removed for good, and its removal: the rows; content goes when nothing refers to it."""

from collections.abc import Iterable, Sequence, Set
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.models import Lifecycle
from modelkeel.tracking.store import tables as t


def deleted_runs(tx: Tx, before: int) -> Sequence[sa.Row[Any]]:
    """Runs deleted before a time: id, workspace, experiment, name."""
    c = t.run.c
    query = sa.select(c.seq, c.id, c.workspace, c.experiment, c.name)
    return tx.all(query.where(c.lifecycle == Lifecycle.DELETED, c.deleted <= before).order_by(c.seq))


def deleted_models(tx: Tx, before: int) -> Sequence[sa.Row[Any]]:
    """Logged models deleted before a time, or whose experiment was: id, workspace, experiment, name, source_run."""
    c, e = t.logged_model.c, t.experiment.c
    gone = sa.select(e.id).where(e.lifecycle == Lifecycle.DELETED, e.updated <= before)
    query = sa.select(c.id, c.workspace, c.experiment, c.name, c.source_run)
    own = (c.lifecycle == Lifecycle.DELETED) & (c.updated <= before)
    return tx.all(query.where(own | c.experiment.in_(gone)).order_by(c.created, c.id))


def deleted_experiments(tx: Tx, before: int) -> Sequence[sa.Row[Any]]:
    """Experiments deleted before a time: id, workspace, name."""
    c = t.experiment.c
    query = sa.select(c.id, c.workspace, c.name)
    return tx.all(query.where(c.lifecycle == Lifecycle.DELETED, c.updated <= before).order_by(c.created, c.id))


def holds(tx: Tx) -> Sequence[sa.Row[Any]]:
    """Legal holds in force, of every workspace."""
    return store.holds.in_force(tx)


def others(tx: Tx, experiment: str, leaving: Set[str] = frozenset()) -> bool:
    """Whether an experiment has runs or logged models besides those that are about to go."""
    for table in (t.run, t.logged_model):
        rows = tx.all(sa.select(table.c.id).where(table.c.experiment == experiment))
        if any(row.id not in leaving for row in rows):
            return True
    return False


def remove_run(tx: Tx, run_id: str) -> bool:
    """Removes a deleted run with all that hangs on it; False if it was restored, or went before."""
    row = tx.one(sa.select(t.run.c.seq, t.run.c.lifecycle).where(t.run.c.id == run_id))
    if row is None or row.lifecycle != Lifecycle.DELETED:
        return False
    for table in _of_runs():
        tx.run(sa.delete(table).where(table.c.run == row.seq))
    _remove_tree(tx, run_id)
    tx.run(sa.delete(t.run).where(t.run.c.seq == row.seq))
    return True


def remove_model(tx: Tx, model_id: str) -> bool:
    """Removes a deleted logged model, or one of a deleted experiment; False if it was restored, or went before."""
    c = t.logged_model.c
    row = tx.one(sa.select(c.lifecycle, c.experiment).where(c.id == model_id))
    if row is None:
        return False
    of = tx.scalar(sa.select(t.experiment.c.lifecycle).where(t.experiment.c.id == row.experiment))
    if Lifecycle.DELETED not in {row.lifecycle, of}:
        return False
    for table in (t.logged_model_param, t.logged_model_tag, t.logged_model_metric):
        tx.run(sa.delete(table).where(table.c.model == model_id))
    tx.run(sa.delete(t.run_model).where(t.run_model.c.model == model_id))
    _remove_tree(tx, model_id)
    tx.run(sa.delete(t.logged_model).where(c.id == model_id))
    return True


def remove_experiment(tx: Tx, experiment: str) -> bool:
    """Removes a deleted experiment that is empty; False if it is not."""
    lifecycle = tx.scalar(sa.select(t.experiment.c.lifecycle).where(t.experiment.c.id == experiment))
    if lifecycle != Lifecycle.DELETED or others(tx, experiment):
        return False
    tx.run(sa.delete(t.experiment_tag).where(t.experiment_tag.c.experiment == experiment))
    tx.run(sa.delete(t.dataset_input).where(t.dataset_input.c.experiment == experiment))
    tx.run(sa.delete(t.experiment).where(t.experiment.c.id == experiment))
    return True


def _of_runs() -> Iterable[sa.Table]:
    """Every table that names a run by its number: only tracking's do, and all of each goes with the run."""
    return [each for each in metadata.sorted_tables if "run" in each.c and isinstance(each.c.run.type, sa.BigInteger)]


def _remove_tree(tx: Tx, owner: str) -> None:
    for table in (t.artifact, t.frozen_tree):
        tx.run(sa.delete(table).where(table.c.owner == owner))
