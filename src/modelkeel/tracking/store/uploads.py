"""Uploads in parts: what has come of each, until it is a file."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

upload = sa.Table(
    "upload",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("parts", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Index("ix_upload_created", "created"),
)
upload_part = sa.Table(
    "upload_part",
    metadata,
    sa.Column("upload", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("chunks", sa.LargeBinary, nullable=False),
)
transfer_key = sa.Table(
    "transfer_key",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
)


def add(tx: Tx, row: dict[str, Any]) -> None:
    """A new, open upload."""
    tx.run(sa.insert(upload), {**row, "state": "open", "created": tx.now})


def find(tx: Tx, identity: str) -> sa.Row[Any] | None:
    """An upload's row."""
    return tx.one(sa.select(upload).where(upload.c.id == identity))


def set_state(tx: Tx, identity: str, state: str) -> None:
    """`open`, `completing` or `done`."""
    tx.run(sa.update(upload).where(upload.c.id == identity), {"state": state})


def put_part(tx: Tx, identity: str, number: int, etag: str, chunks: Sequence[BlobRef]) -> None:
    """A part that has come; sent again, it takes the place of the earlier one."""
    row = {"upload": identity, "number": number, "etag": etag, "chunks": msgspec.json.encode(chunks)}
    tx.upsert(upload_part, row, keys=["upload", "number"], update=["etag", "chunks"])


def parts(tx: Tx, identity: str) -> dict[int, tuple[str, list[BlobRef]]]:
    """What has come: number → tag and chunks."""
    rows = tx.all(sa.select(upload_part).where(upload_part.c.upload == identity))
    return {row.number: (row.etag, msgspec.json.decode(row.chunks, type=list[BlobRef])) for row in rows}


def drop_parts(tx: Tx, identity: str) -> None:
    """Forgets the parts; their chunks go with the next collection, unless something else holds them."""
    tx.run(sa.delete(upload_part).where(upload_part.c.upload == identity))


def drop(tx: Tx, identity: str) -> None:
    """Forgets an upload."""
    drop_parts(tx, identity)
    tx.run(sa.delete(upload).where(upload.c.id == identity))


def older(tx: Tx, before: int) -> Sequence[sa.Row[Any]]:
    """Uploads begun before a time."""
    return tx.all(sa.select(upload).where(upload.c.created < before).limit(1000))


def key(tx: Tx) -> bytes | None:
    """By which addresses are signed, if it has been made."""
    found: bytes | None = tx.scalar(sa.select(transfer_key.c.key))
    return found


def set_key(tx: Tx, made: bytes) -> None:
    """Keeps the key, unless another server was quicker."""
    tx.upsert(transfer_key, {"id": 1, "key": made}, keys=["id"])
