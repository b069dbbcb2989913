"""What of the registry can be removed for good, what its versions keep, and the removal."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.registry.store import tables as t
from modelkeel.storage.transaction import Tx

_V, _M = t.model_version.c, t.registered_model.c


def every_version(tx: Tx) -> Sequence[sa.Row[Any]]:
    """All versions, deleted ones too: model (its id), name, version, run, owner."""
    query = sa.select(_V.model, _M.name, _V.version, _V.run, _V.owner).join(t.registered_model, _M.id == _V.model)
    return tx.all(query)


def deleted_versions(tx: Tx, before: int) -> Sequence[sa.Row[Any]]:
    """Versions deleted before a time, alone or with their model: model, name, version, workspace, run, owner."""
    query = sa.select(_V.model, _M.name, _V.version, _V.workspace, _V.run, _V.owner)
    query = query.join(t.registered_model, _M.id == _V.model)
    return tx.all(query.where((_V.deleted <= before) | (_M.deleted <= before)).order_by(_V.model, _V.version))


def deleted_models(tx: Tx, before: int) -> Sequence[sa.Row[Any]]:
    """Registered models deleted before a time: id, workspace, name."""
    query = sa.select(_M.id, _M.workspace, _M.name).where(_M.deleted <= before)
    return tx.all(query.order_by(_M.created, _M.id))


def remove_version(tx: Tx, model: str, version: int) -> bool:
    """Removes a deleted version; False if it went before, or is not deleted."""
    row = tx.one(
        sa.select(_V.deleted, _M.deleted.label("with_model"))
        .join(t.registered_model, _M.id == _V.model)
        .where(_V.model == model, _V.version == version)
    )
    if row is None or (row.deleted is None and row.with_model is None):
        return False
    for table in (t.version_tag, t.model_version):
        tx.run(sa.delete(table).where(table.c.model == model, table.c.version == version))
    return True


def remove_model(tx: Tx, model: str) -> bool:
    """Removes a deleted registered model that has no versions left; False if it has."""
    deleted = tx.scalar(sa.select(_M.deleted).where(_M.id == model))
    if deleted is None or tx.scalar(sa.select(_V.version).where(_V.model == model).limit(1)) is not None:
        return False
    for table in (t.model_tag, t.model_alias):
        tx.run(sa.delete(table).where(table.c.model == model))
    tx.run(sa.delete(t.registered_model).where(_M.id == model))
    return True
