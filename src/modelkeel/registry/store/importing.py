"""SQL that only imports and exports need."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.registry.store.tables import model_version, registered_model
from modelkeel.storage.transaction import Tx


def number_taken(tx: Tx, model: str, number: int) -> bool:
    """Whether a model has a version of that number, in any state."""
    where = (model_version.c.model == model, model_version.c.version == number)
    return tx.scalar(sa.select(model_version.c.version).where(*where)) is not None


def raise_versions(tx: Tx, model: str, number: int) -> None:
    """The next version that is made gets a higher number than this one."""
    c = registered_model.c
    tx.run(sa.update(registered_model).where(c.id == model, c.versions < number).values(versions=number))


def models_of(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """A workspace's models, oldest first."""
    where = (registered_model.c.workspace == workspace, registered_model.c.deleted.is_(None))
    query = sa.select(registered_model).where(*where)
    return tx.all(query.order_by(registered_model.c.created, registered_model.c.name))
