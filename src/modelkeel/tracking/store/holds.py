"""Legal holds: what nobody may remove for good, and why."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

legal_hold = sa.Table(
    "legal_hold",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("placed", sa.BigInteger, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("released", sa.BigInteger),
    sa.Index("ix_legal_hold_object", "object"),
)
_FIRST: sa.BindParameter[Any] = sa.bindparam("first")
_SECOND: sa.BindParameter[Any] = sa.bindparam("second")
_ON = Prepared(
    sa.select(legal_hold.c.reason)
    .where(legal_hold.c.released.is_(None), (legal_hold.c.object == _FIRST) | (legal_hold.c.object == _SECOND))
    .limit(1)
)


def add(tx: Tx, row: dict[str, Any]) -> None:
    """A new hold."""
    tx.run(sa.insert(legal_hold), {**row, "placed": tx.now})


def find(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    """A hold in force."""
    c = legal_hold.c
    return tx.one(sa.select(legal_hold).where(c.workspace == workspace, c.id == identity, c.released.is_(None)))


def release(tx: Tx, identity: str) -> None:
    """Ends a hold."""
    tx.run(sa.update(legal_hold).where(legal_hold.c.id == identity), {"released": tx.now})


def in_force(tx: Tx, workspace: str | None = None) -> Sequence[sa.Row[Any]]:
    """Holds in force, of one workspace or of all, oldest first."""
    query = sa.select(legal_hold).where(legal_hold.c.released.is_(None)).order_by(legal_hold.c.placed)
    return tx.all(query if workspace is None else query.where(legal_hold.c.workspace == workspace))


def on(tx: Tx, first: str, second: str) -> str | None:
    """Why one of two objects is held, or None."""
    found: str | None = _ON.scalar(tx, {"first": first, "second": second})
    return found
