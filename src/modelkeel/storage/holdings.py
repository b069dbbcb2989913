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
"""A mark of something that is still being removed after so long was left by a collector that ended early."""
LATELY_MS = 60_000
SKEW_MS = 1_000
"""By so much the clocks of two servers may differ."""

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
    sa.Column("gone", sa.BigInteger),
)
_MARK = Prepared(
    sa.select(blob_condemned.c.since, blob_condemned.c.gone).where(blob_condemned.c.digest == sa.bindparam("digest"))
)


class Condemned(Conflict):
    """The blob is being removed, or went after it was found to be there; stored again, it stays."""


def hold(tx: Tx, workspace: str, blobs: Iterable[BlobRef], *, stored: int | None = None) -> None:
    """Records that a workspace holds some blobs.

    Args:
        tx: the transaction in which something comes to refer to them.
        workspace: id.
        blobs: which.
        stored: when their storing began, in ms since 1970; within the last minute by default.

    Raises:
        Condemned: the collector is removing one of them, or removed it since.
    """
    held_now = list(blobs)
    began = tx.now - LATELY_MS if stored is None else stored
    for blob in held_now:
        mark = _MARK.one(tx, {"digest": blob.digest})
        if mark is not None and _counts(mark[0], mark[1], began, tx.now):
            raise Condemned(f"Blob {blob.digest} is being removed.", hint="Store it again in a second.")
    rows = [{"workspace": workspace, "digest": b.digest, "size": b.size, "created": tx.now} for b in held_now]
    tx.upsert(blob_holding, rows, keys=["workspace", "digest"])


def held(tx: Tx, workspace: str, digests: Iterable[str]) -> dict[str, int]:
    """Sizes, in bytes, of those of `digests` that the workspace holds, without what is being removed."""
    wanted = list(digests)
    mark = blob_condemned.c
    removed = sa.select(mark.digest).where(
        mark.digest == blob_holding.c.digest, mark.gone.is_(None), mark.since > tx.now - MARK_MS
    )
    query = sa.select(blob_holding.c.digest, blob_holding.c.size).where(
        blob_holding.c.workspace == workspace, blob_holding.c.digest.in_(wanted), ~sa.exists(removed)
    )
    return {row.digest: row.size for row in tx.all(query)} if wanted else {}


def condemn(tx: Tx, digests: Iterable[str]) -> None:
    """Marks blobs as being removed: from this commit on, nobody comes to refer to them."""
    rows = [{"digest": digest, "since": tx.now, "gone": None} for digest in digests]
    tx.upsert(blob_condemned, rows, keys=["digest"], update=["since", "gone"])


def spare(tx: Tx, digests: Iterable[str]) -> None:
    """Takes such marks back, and marks that are of no use any more."""
    for digest in digests:
        tx.run(sa.delete(blob_condemned).where(blob_condemned.c.digest == digest))
    tx.run(sa.delete(blob_condemned).where(blob_condemned.c.since <= tx.now - 2 * MARK_MS))


def let_go(tx: Tx, digests: Iterable[str]) -> None:
    """Forgets which workspaces held blobs that are gone; the mark stays for who saw them before."""
    for digest in digests:
        tx.run(sa.delete(blob_holding).where(blob_holding.c.digest == digest))
        tx.run(sa.update(blob_condemned).where(blob_condemned.c.digest == digest), {"gone": tx.now})


def _counts(since: int, gone: int | None, began: int, now: int) -> bool:
    """Whether a mark speaks against content whose storing began at a time."""
    return since > now - MARK_MS if gone is None else gone + SKEW_MS >= began
