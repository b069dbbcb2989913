"""Models, versions, aliases and tags as rows."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.registry.models import ModelVersion, RegisteredModel, Stage
from modelkeel.registry.store.tables import model_alias, model_tag, model_version, registered_model, version_tag
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import ArtifactOwner, OwnerKind

SHOWN = registered_model.c.deleted.is_(None)


def add_model(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a new model without versions."""
    tx.run(sa.insert(registered_model), {"versions": 0, "created": tx.now, "updated": tx.now, **row})


def model_named(tx: Tx, workspace: str, name: str) -> RegisteredModel | None:
    """The model of that name."""
    where = (registered_model.c.workspace == workspace, registered_model.c.name == name, SHOWN)
    row = tx.one(sa.select(registered_model).where(*where))
    return None if row is None else load_models(tx, [row])[0]


def load_models(tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[RegisteredModel]:
    """Models with tags and aliases, in the order of the rows."""
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    aliases: dict[str, dict[str, int]] = defaultdict(dict)
    every = [row.id for row in rows]
    for start in range(0, len(every), 500):
        some = every[start : start + 500]
        for row in tx.all(sa.select(model_tag).where(model_tag.c.model.in_(some)).order_by(model_tag.c.key)):
            tags[row.model][row.key] = row.value
        query = sa.select(model_alias).where(model_alias.c.model.in_(some)).order_by(model_alias.c.alias)
        for row in tx.all(query):
            aliases[row.model][row.alias] = row.version
    return [
        RegisteredModel(r.id, r.name, r.description, r.created, r.updated, r.user, tags[r.id], aliases[r.id])
        for r in rows
    ]


def change_model(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of a model, and when."""
    tx.run(sa.update(registered_model).where(registered_model.c.id == identity).values(updated=tx.now, **values))


def next_version(tx: Tx, identity: str) -> int:
    """Takes the model's next number; it is never given out again."""
    of_model = registered_model.c.id == identity
    tx.run(sa.update(registered_model).where(of_model).values(versions=registered_model.c.versions + 1, updated=tx.now))
    return int(tx.scalar(sa.select(registered_model.c.versions).where(of_model)))


def add_version(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a new version."""
    tx.run(sa.insert(model_version), {"stage": Stage.NONE, "created": tx.now, "updated": tx.now, **row})


def versions(tx: Tx, workspace: str, model: str, number: int | None = None) -> list[ModelVersion]:
    """A model's versions, newest first, or the one with that number."""
    query = select_versions(workspace).where(model_version.c.model == model)
    if number is not None:
        query = query.where(model_version.c.version == number)
    return load_versions(tx, tx.all(query.order_by(model_version.c.version.desc())))


def select_versions(workspace: str) -> sa.Select[Any]:
    """Versions of a workspace that were not deleted, with their model's name."""
    joined = sa.select(model_version, registered_model.c.name).join(
        registered_model, registered_model.c.id == model_version.c.model
    )
    return joined.where(model_version.c.workspace == workspace, model_version.c.deleted.is_(None), SHOWN)


def load_versions(tx: Tx, rows: Sequence[sa.Row[Any]]) -> list[ModelVersion]:
    """Versions with tags and aliases, in the order of the rows."""
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    aliases: dict[tuple[str, int], list[str]] = defaultdict(list)
    models = list({row.model for row in rows})
    for start in range(0, len(models), 500):
        some = models[start : start + 500]
        for row in tx.all(sa.select(version_tag).where(version_tag.c.model.in_(some)).order_by(version_tag.c.key)):
            tags[row.model, row.version][row.key] = row.value
        query = sa.select(model_alias).where(model_alias.c.model.in_(some)).order_by(model_alias.c.alias)
        for row in tx.all(query):
            aliases[row.model, row.version].append(row.alias)
    return [
        ModelVersion(
            r.model,
            r.name,
            r.version,
            r.run,
            r.logged_model,
            r.source,
            ArtifactOwner(OwnerKind(r.owner_kind), r.owner),
            r.prefix,
            r.experiment,
            r.digest,
            r.size,
            r.description,
            r.run_link,
            r.created,
            r.updated,
            r.user,
            r.actor,
            tags[r.model, r.version],
            aliases[r.model, r.version],
            Stage(r.stage),
        )
        for r in rows
    ]


def change_version(tx: Tx, model: str, number: int, **values: Any) -> None:
    """Sets columns of a version, and when."""
    of_version = (model_version.c.model == model, model_version.c.version == number)
    tx.run(sa.update(model_version).where(*of_version).values(updated=tx.now, **values))


def set_alias(tx: Tx, model: str, alias: str, number: int) -> None:
    """Points an alias at a version."""
    row = {"model": model, "alias": alias, "version": number, "moved": tx.now}
    tx.upsert(model_alias, row, keys=["model", "alias"], update=["version", "moved"])


def delete_alias(tx: Tx, model: str, alias: str) -> None:
    """Removes an alias."""
    tx.run(sa.delete(model_alias).where(model_alias.c.model == model, model_alias.c.alias == alias))


def set_model_tag(tx: Tx, model: str, key: str, value: str) -> None:
    """Sets a tag of a model."""
    tx.upsert(model_tag, {"model": model, "key": key, "value": value}, keys=["model", "key"], update=["value"])


def delete_model_tag(tx: Tx, model: str, key: str) -> None:
    """Removes a tag of a model."""
    tx.run(sa.delete(model_tag).where(model_tag.c.model == model, model_tag.c.key == key))


def set_version_tag(tx: Tx, model: str, number: int, key: str, value: str) -> None:
    """Sets a tag of a version."""
    row = {"model": model, "version": number, "key": key, "value": value}
    tx.upsert(version_tag, row, keys=["model", "version", "key"], update=["value"])


def delete_version_tag(tx: Tx, model: str, number: int, key: str) -> None:
    """Removes a tag of a version."""
    of_tag = (version_tag.c.model == model, version_tag.c.version == number, version_tag.c.key == key)
    tx.run(sa.delete(version_tag).where(*of_tag))
