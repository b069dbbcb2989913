"""Tables of imports, and of where each imported thing came from."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.moving.models import Base, Origin
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

moving_import = sa.Table(
    "moving_import",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("peer", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger),
    sa.Column("report", sa.Text),
    sa.Index("ix_moving_import_workspace", "workspace", "started"),
)
moving_origin = sa.Table(
    "moving_origin",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("peer", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("theirs", sa.Text, primary_key=True),
    sa.Column("ours", sa.Text, nullable=False),
    sa.Column("base", sa.Text),
    sa.Column("mark", sa.Text, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Index("ix_moving_origin_ours", "workspace", "kind", "ours"),
)
_KEYS = ["workspace", "peer", "kind", "theirs"]


def add_import(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a new import."""
    tx.run(sa.insert(moving_import), row)


def import_(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    """An import by id."""
    return tx.one(
        sa.select(moving_import).where(moving_import.c.id == identity, moving_import.c.workspace == workspace)
    )


def open_import(tx: Tx, workspace: str, peer: str) -> sa.Row[Any] | None:
    """The import from a peer that was begun and did not end."""
    c = moving_import.c
    return tx.one(sa.select(moving_import).where(c.workspace == workspace, c.peer == peer, c.ended.is_(None)))


def imports(tx: Tx, workspace: str, limit: int) -> Sequence[sa.Row[Any]]:
    """The latest imports."""
    query = sa.select(moving_import).where(moving_import.c.workspace == workspace)
    return tx.all(query.order_by(moving_import.c.started.desc()).limit(limit))


def end_import(tx: Tx, identity: str, report: str) -> None:
    """Says how an import ended."""
    tx.run(sa.update(moving_import).where(moving_import.c.id == identity).values(ended=tx.now, report=report))


def origin(tx: Tx, workspace: str, peer: str, kind: str, theirs: str) -> Origin | None:
    """Where a thing of a peer is here."""
    c = moving_origin.c
    row = tx.one(
        sa.select(c.ours, c.base, c.mark).where(
            c.workspace == workspace, c.peer == peer, c.kind == kind, c.theirs == theirs
        )
    )
    if row is None:
        return None
    return Origin(row.ours, None if row.base is None else msgspec.json.decode(row.base, type=Base), row.mark)


def set_origin(tx: Tx, workspace: str, peer: str, kind: str, theirs: str, origin: Origin) -> None:
    """Records where a thing of a peer is here, and in which form it was last the same on both sides."""
    row = {
        "workspace": workspace,
        "peer": peer,
        "kind": kind,
        "theirs": theirs,
        "ours": origin.ours,
        "base": None if origin.base is None else msgspec.json.encode(origin.base).decode(),
        "mark": origin.mark,
        "updated": tx.now,
    }
    tx.upsert(moving_origin, row, keys=_KEYS, update=["ours", "base", "mark", "updated"])


def marks(tx: Tx, workspace: str, peer: str, kind: str, theirs: Iterable[str]) -> dict[str, str]:
    """The marks of things of a peer that came over whole."""
    c = moving_origin.c
    query = sa.select(c.theirs, c.mark).where(
        c.workspace == workspace, c.peer == peer, c.kind == kind, c.theirs.in_(list(theirs)), c.mark != ""
    )
    return {row.theirs: row.mark for row in tx.all(query)}


def others(tx: Tx, workspace: str, kind: str, ours: Iterable[str]) -> Sequence[sa.Row[Any]]:
    """The peers that have things of ours, and their ids there."""
    c = moving_origin.c
    query = sa.select(c.peer, c.theirs, c.ours).where(c.workspace == workspace, c.kind == kind, c.ours.in_(list(ours)))
    return tx.all(query)
