"""Tables of costs and all the SQL that touches them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.holdings import blob_holding
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

price = sa.Table(
    "price",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("set_at", sa.BigInteger, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
)
serving_usage = sa.Table(
    "serving_usage",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("endpoint", sa.Text, primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("cpu_seconds", sa.Float, nullable=False),
    sa.Column("gib_seconds", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)


def price_of(tx: Tx, workspace: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(price).where(price.c.workspace == workspace))


def set_price(tx: Tx, workspace: str, body: str, digest: str, by: str, entry: int) -> None:
    row = {"workspace": workspace, "body": body, "digest": digest, "set_at": tx.now, "set_by": by, "entry": entry}
    tx.upsert(price, row, keys=["workspace"], update=["body", "digest", "set_at", "set_by", "entry"])


def add_usage(
    tx: Tx, workspace: str, endpoint: str, hour: int, cpu_seconds: float, gib_seconds: float, seconds: float
) -> None:
    """Adds to what an endpoint used in an hour (milliseconds since 1970 of its start)."""
    u = serving_usage.c
    here = sa.and_(u.workspace == workspace, u.endpoint == endpoint, u.hour == hour)
    added = {
        "cpu_seconds": u.cpu_seconds + cpu_seconds,
        "gib_seconds": u.gib_seconds + gib_seconds,
        "seconds": u.seconds + seconds,
    }
    if not tx.run(sa.update(serving_usage).where(here).values(**added)):
        row = {"workspace": workspace, "endpoint": endpoint, "hour": hour}
        used = {"cpu_seconds": cpu_seconds, "gib_seconds": gib_seconds, "seconds": seconds}
        tx.run(sa.insert(serving_usage), {**row, **used})


def usage(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """What each endpoint used so far."""
    u = serving_usage.c
    return tx.all(
        sa.select(
            u.endpoint,
            sa.func.sum(u.cpu_seconds).label("cpu_seconds"),
            sa.func.sum(u.gib_seconds).label("gib_seconds"),
            sa.func.sum(u.seconds).label("seconds"),
        )
        .where(u.workspace == workspace)
        .group_by(u.endpoint)
        .order_by(u.endpoint)
    )


def storage(tx: Tx, workspace: str) -> tuple[int, float]:
    """Bytes that a workspace holds now, and bytes times seconds since each of them came."""
    b = blob_holding.c
    held = sa.cast(b.size, sa.Float) * (tx.now - b.created) / 1000.0
    row = tx.one(
        sa.select(
            sa.func.coalesce(sa.func.sum(b.size), 0).label("bytes"),
            sa.func.coalesce(sa.func.sum(held), 0.0).label("byte_seconds"),
        ).where(b.workspace == workspace)
    )
    return (int(row.bytes), float(row.byte_seconds)) if row is not None else (0, 0.0)
