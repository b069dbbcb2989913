"""Artifact trees: which path holds which blob, and which trees can't change any more."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import ArtifactFile, ArtifactOwner
from modelkeel.tracking.store.tables import artifact, frozen_tree


def put(tx: Tx, owner: ArtifactOwner, path: str, blob: BlobRef) -> bool:
    """Points a path at a blob; False if it did so already."""
    if tx.scalar(sa.select(artifact.c.digest).where(*_at(owner, path))) == blob.digest:
        return False
    row = {
        "owner": owner.id,
        "path": path,
        "kind": owner.kind,
        "digest": blob.digest,
        "size": blob.size,
        "created": tx.now,
    }
    tx.upsert(artifact, row, keys=["owner", "path"], update=["digest", "size", "created"])
    return True


def get(tx: Tx, owner: ArtifactOwner, path: str) -> ArtifactFile | None:
    """One file."""
    row = tx.one(sa.select(artifact).where(*_at(owner, path)))
    return None if row is None else ArtifactFile(row.path, row.digest, row.size)


def under(tx: Tx, owner: ArtifactOwner, prefix: str) -> list[ArtifactFile]:
    """The files at or below a path (empty: all), in order of path."""
    query = sa.select(artifact.c.path, artifact.c.digest, artifact.c.size).where(artifact.c.owner == owner.id)
    rows = tx.all(query.where(_below(artifact.c.path, prefix)).order_by(artifact.c.path))
    return [ArtifactFile(row.path, row.digest, row.size) for row in rows]


def clash(tx: Tx, owner: ArtifactOwner, path: str) -> str | None:
    """A file that `path` would lie below, or that would lie below `path`."""
    parts = path.split("/")
    parents = ["/".join(parts[:end]) for end in range(1, len(parts))]
    below = (artifact.c.path > f"{path}/") & (artifact.c.path < f"{path}0")
    query = sa.select(artifact.c.path).where(artifact.c.owner == owner.id, artifact.c.path.in_(parents) | below)
    found: str | None = tx.scalar(query.limit(1))
    return found


def delete(tx: Tx, owner: ArtifactOwner, prefix: str) -> int:
    """Removes the files at or below a path; returns how many."""
    return tx.run(sa.delete(artifact).where(artifact.c.owner == owner.id, _below(artifact.c.path, prefix)))


def freeze(tx: Tx, owner: ArtifactOwner, prefix: str, digest: str) -> None:
    """Makes the tree at or below a path immutable."""
    row = {"owner": owner.id, "prefix": prefix, "digest": digest, "created": tx.now}
    tx.upsert(frozen_tree, row, keys=["owner", "prefix"])


def frozen(tx: Tx, owner: ArtifactOwner) -> Sequence[sa.Row[Any]]:
    """The immutable trees of an owner: their prefixes and digests."""
    return tx.all(sa.select(frozen_tree.c.prefix, frozen_tree.c.digest).where(frozen_tree.c.owner == owner.id))


def _at(owner: ArtifactOwner, path: str) -> tuple[sa.ColumnElement[bool], ...]:
    return artifact.c.owner == owner.id, artifact.c.path == path


def _below(column: sa.Column[Any], prefix: str) -> sa.ColumnElement[bool]:
    if not prefix:
        return sa.true()
    # "0" is the character after "/": a range, because LIKE would need escapes and ignores case in SQLite
    return (column == prefix) | ((column > f"{prefix}/") & (column < f"{prefix}0"))
