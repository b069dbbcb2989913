"""Which workspace holds which blob: content is shared underneath, but nobody can ask for what is not theirs."""

from collections.abc import Iterable

import sqlalchemy as sa

from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

blob_holding = sa.Table(
    "blob_holding",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)


def hold(tx: Tx, workspace: str, blobs: Iterable[BlobRef]) -> None:
    """Records that a workspace holds some blobs."""
    rows = [{"workspace": workspace, "digest": b.digest, "size": b.size, "created": tx.now} for b in blobs]
    tx.upsert(blob_holding, rows, keys=["workspace", "digest"])


def held(tx: Tx, workspace: str, digests: Iterable[str]) -> dict[str, int]:
    """Sizes, in bytes, of those of `digests` that the workspace holds."""
    wanted = list(digests)
    query = sa.select(blob_holding.c.digest, blob_holding.c.size).where(
        blob_holding.c.workspace == workspace, blob_holding.c.digest.in_(wanted)
    )
    return {row.digest: row.size for row in tx.all(query)} if wanted else {}
