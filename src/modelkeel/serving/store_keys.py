"""The table of endpoint keys, and all the SQL that touches it."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

key = sa.Table(
    "endpoint_key",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("revoked", sa.BigInteger),
    sa.Column("used", sa.Integer),  # the day of its last use, counted from 1970
    sa.Index("ix_endpoint_key_endpoint", "endpoint"),
)


def add(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a new key."""
    tx.run(sa.insert(key), {"created": tx.now, "revoked": None, "used": None, **row})


def with_id(tx: Tx, endpoint: str, identity: str) -> sa.Row[Any] | None:
    """A key of an endpoint, whether it is good or not."""
    return tx.one(sa.select(key).where(key.c.id == identity, key.c.endpoint == endpoint))


def good(tx: Tx, endpoint: str | None = None) -> Sequence[sa.Row[Any]]:
    """Keys neither revoked nor expired, of one endpoint or of all, in a stable order."""
    query = sa.select(key).where(*_good(tx)).order_by(key.c.created, key.c.id)
    return tx.all(query if endpoint is None else query.where(key.c.endpoint == endpoint))


def revoke(tx: Tx, identity: str) -> None:
    """Ends a key."""
    tx.run(sa.update(key).where(key.c.id == identity).values(revoked=tx.now))


def use(tx: Tx, days: dict[str, int]) -> None:
    """Notes on which day each key was used last, by its hash; an earlier day changes nothing."""
    for digest, day in days.items():
        later = sa.or_(key.c.used.is_(None), key.c.used < day)
        tx.run(sa.update(key).where(key.c.hash == digest, later).values(used=day))


def _good(tx: Tx) -> list[sa.ColumnElement[bool]]:
    return [key.c.revoked.is_(None), key.c.expires > tx.now]
