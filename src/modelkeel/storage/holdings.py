"""Which workspace holds which blob: content is shared underneath, but nobody can ask for what is not theirs.

Whoever is about to refer to a blob holds it in the same transaction. There it is also seen whether the collector is
removing that blob right now.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from modelkeel.core.errors import Conflict
from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.prepared import Prepared
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

MARK_MS = 600_000
"""A mark older than this was left by a collector that ended early."""

blob_holding = sa.Table(
    "blob_holding",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
blob_condemned = sa.Table(
    "blob_condemned",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
)
_CONDEMNED = Prepared(
    sa.select(blob_condemned.c.since).where(
        blob_condemned.c.digest == sa.bindparam("digest"), blob_condemned.c.since > sa.bindparam("since")
    )
)


class Condemned(Conflict):
    """The blob is being removed at this moment; stored again once that is done, it stays."""


def hold(tx: Tx, workspace: str, blobs: Iterable[BlobRef]) -> None:
    """Records that a workspace holds some blobs.

    Raises:
        Condemned: the collector is removing one of them.
    """
    held_now = list(blobs)
    for blob in held_now:
        if _CONDEMNED.one(tx, {"digest": blob.digest, "since": tx.now - MARK_MS}) is not None:
            raise Condemned(f"Blob {blob.digest} is being removed.", hint="Store it again in a second.")
    rows = [{"workspace": workspace, "digest": b.digest, "size": b.size, "created": tx.now} for b in held_now]
    tx.upsert(blob_holding, rows, keys=["workspace", "digest"])


def held(tx: Tx, workspace: str, digests: Iterable[str]) -> dict[str, int]:
    """Sizes, in bytes, of those of `digests` that the workspace holds."""
    wanted = list(digests)
    query = sa.select(blob_holding.c.digest, blob_holding.c.size).where(
        blob_holding.c.workspace == workspace, blob_holding.c.digest.in_(wanted)
    )
    return {row.digest: row.size for row in tx.all(query)} if wanted else {}


def condemn(tx: Tx, digests: Iterable[str]) -> None:
    """Marks blobs as being removed: from this commit on, nobody comes to refer to them."""
    rows = [{"digest": digest, "since": tx.now} for digest in digests]
    tx.upsert(blob_condemned, rows, keys=["digest"], update=["since"])


def spare(tx: Tx, digests: Iterable[str]) -> None:
    """Takes such marks back, and marks that a collector left which ended early."""
    for digest in digests:
        tx.run(sa.delete(blob_condemned).where(blob_condemned.c.digest == digest))
    tx.run(sa.delete(blob_condemned).where(blob_condemned.c.since <= tx.now - MARK_MS))


def let_go(tx: Tx, digests: Iterable[str]) -> None:
    """Forgets which workspaces held blobs that are gone."""
    for digest in digests:
        tx.run(sa.delete(blob_holding).where(blob_holding.c.digest == digest))
