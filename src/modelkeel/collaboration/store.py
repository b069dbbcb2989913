"""Webhooks and deliveries as rows."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.collaboration.models import Delivery, Webhook, WebhookStatus
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
)
webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("webhook", sa.Text, nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("code", sa.BigInteger),
    sa.Column("latency_ms", sa.BigInteger),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("next_try", sa.BigInteger),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Index("ix_webhook_delivery_entry", "webhook", "entry", unique=True),
    sa.Index("ix_webhook_delivery_next_try", "next_try"),
)


def add(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a new webhook."""
    tx.run(sa.insert(webhook), {"created": tx.now, "updated": tx.now, **row})


def change(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of a webhook, and when."""
    tx.run(sa.update(webhook).where(webhook.c.id == identity).values(updated=tx.now, **values))


def remove(tx: Tx, identity: str) -> None:
    """Removes a webhook with its deliveries."""
    tx.run(sa.delete(webhook_delivery).where(webhook_delivery.c.webhook == identity))
    tx.run(sa.delete(webhook).where(webhook.c.id == identity))


def find(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    """A workspace's webhook as a row."""
    return tx.one(sa.select(webhook).where(webhook.c.id == identity, webhook.c.workspace == workspace))


def of_workspace(tx: Tx, workspace: str) -> list[Webhook]:
    """A workspace's webhooks, oldest first."""
    query = sa.select(webhook).where(webhook.c.workspace == workspace)
    return [load(row) for row in tx.all(query.order_by(webhook.c.created, webhook.c.id))]


def active(tx: Tx) -> Sequence[sa.Row[Any]]:
    """Every workspace's webhooks that are told."""
    return tx.all(sa.select(webhook).where(webhook.c.status == WebhookStatus.ACTIVE))


def load(row: sa.Row[Any]) -> Webhook:
    """A webhook from its row."""
    return Webhook(
        row.id,
        row.name,
        row.url,
        msgspec.json.decode(row.events, type=list[str]),
        row.description,
        WebhookStatus(row.status),
        bool(row.secret),
        row.created,
        row.updated,
    )


def enqueue(tx: Tx, identity: str, to: str, entry: int, event: str, body: bytes) -> None:
    """Adds a delivery; the same entry for the same webhook is there once."""
    row = {"id": identity, "webhook": to, "entry": entry, "event": event, "body": body, "status": "waiting"}
    row |= {"attempts": 0, "error": "", "next_try": tx.now, "created": tx.now}
    tx.upsert(webhook_delivery, row, keys=["webhook", "entry"])


def due(tx: Tx, limit: int) -> Sequence[sa.Row[Any]]:
    """Deliveries whose time has come, with their webhook's address and secret."""
    c = webhook_delivery.c
    joined = sa.select(webhook_delivery, webhook.c.url, webhook.c.secret).join(webhook, webhook.c.id == c.webhook)
    where = (c.next_try <= tx.now, webhook.c.status == WebhookStatus.ACTIVE)
    return tx.all(joined.where(*where).order_by(c.next_try).limit(limit))


def change_delivery(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of a delivery."""
    tx.run(sa.update(webhook_delivery).where(webhook_delivery.c.id == identity).values(**values))


def deliveries(tx: Tx, identity: str, limit: int) -> list[Delivery]:
    """A webhook's deliveries, newest first."""
    c = webhook_delivery.c
    columns = [c[name] for name in Delivery.__struct_fields__]
    rows = tx.all(sa.select(*columns).where(c.webhook == identity).order_by(c.entry.desc()).limit(limit))
    return [msgspec.convert(row._mapping, Delivery) for row in rows]


def delivery(tx: Tx, identity: str, of: str) -> Delivery | None:
    """One delivery of a webhook."""
    c = webhook_delivery.c
    row = tx.one(sa.select(*[c[name] for name in Delivery.__struct_fields__]).where(c.id == identity, c.webhook == of))
    return None if row is None else msgspec.convert(row._mapping, Delivery)
