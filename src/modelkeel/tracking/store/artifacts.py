"""Artifact trees: which path holds which blob, and which trees can't change any more."""

from typing import Any

import sqlalchemy as sa

from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.prepared import Prepared
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import ArtifactFile, ArtifactOwner
from modelkeel.tracking.store.tables import artifact, frozen_tree

_OWNER: sa.BindParameter[Any] = sa.bindparam("owner")
_PATH: sa.BindParameter[Any] = sa.bindparam("path")
_FILE = Prepared(
    sa.select(artifact.c.path, artifact.c.digest, artifact.c.size).where(
        artifact.c.owner == _OWNER, artifact.c.path == _PATH
    )
)
_BELOW = Prepared(
    sa.select(artifact.c.path)
    .where(artifact.c.owner == _OWNER, artifact.c.path > sa.bindparam("first"), artifact.c.path < sa.bindparam("last"))
    .limit(1)
)
_FROZEN = Prepared(sa.select(frozen_tree.c.prefix).where(frozen_tree.c.owner == _OWNER))


def put(tx: Tx, owner: ArtifactOwner, path: str, blob: BlobRef) -> None:
    """Points a path at a blob."""
    row = {
        "owner": owner.id,
        "path": path,
        "kind": owner.kind,
        "digest": blob.digest,
        "size": blob.size,
        "created": tx.now,
    }
    tx.upsert(artifact, row, keys=["owner", "path"], update=["digest", "size", "created"])


def get(tx: Tx, owner: ArtifactOwner, path: str) -> ArtifactFile | None:
    """One file."""
    row = _FILE.one(tx, {"owner": owner.id, "path": path})
    return None if row is None else ArtifactFile(*row)


def under(tx: Tx, owner: ArtifactOwner, prefix: str) -> list[ArtifactFile]:
    """The files at or below a path (empty: all), in order of path."""
    query = sa.select(artifact.c.path, artifact.c.digest, artifact.c.size).where(artifact.c.owner == owner.id)
    rows = tx.all(query.where(_below(artifact.c.path, prefix)).order_by(artifact.c.path))
    return [ArtifactFile(row.path, row.digest, row.size) for row in rows]


def clash(tx: Tx, owner: ArtifactOwner, path: str) -> str | None:
    """A file that `path` would lie below, or that would lie below `path`."""
    # "0" is the character after "/", so these are the names that begin with the path and a slash
    found: str | None = _BELOW.scalar(tx, {"owner": owner.id, "first": f"{path}/", "last": f"{path}0"})
    parent = path
    while found is None and (parent := parent.rpartition("/")[0]):
        found = _FILE.scalar(tx, {"owner": owner.id, "path": parent})
    return found


def delete(tx: Tx, owner: ArtifactOwner, prefix: str) -> int:
    """Removes the files at or below a path; returns how many."""
    return tx.run(sa.delete(artifact).where(artifact.c.owner == owner.id, _below(artifact.c.path, prefix)))


def freeze(tx: Tx, owner: ArtifactOwner, prefix: str, digest: str) -> None:
    """Makes the tree at or below a path immutable."""
    row = {"owner": owner.id, "prefix": prefix, "digest": digest, "created": tx.now}
    tx.upsert(frozen_tree, row, keys=["owner", "prefix"])


def frozen(tx: Tx, owner: ArtifactOwner) -> list[str]:
    """The prefixes of an owner's immutable trees."""
    return [row[0] for row in _FROZEN.rows(tx, {"owner": owner.id})]


def _below(column: sa.Column[Any], prefix: str) -> sa.ColumnElement[bool]:
    if not prefix:
        return sa.true()
    # "0" is the character after "/": a range, because LIKE would need escapes and ignores case in SQLite
    return (column == prefix) | ((column > f"{prefix}/") & (column < f"{prefix}0"))
