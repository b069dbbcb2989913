"""The tables of triggers and all the SQL that touches them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.ids import uuid7
from modelkeel.pipelines.models import ALIVE
from modelkeel.pipelines.store import pipeline_run
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

Row = sa.Row[Any]
trigger = sa.Table(
    "pipeline_trigger",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("config", sa.LargeBinary, nullable=False),
    sa.Column("paused", sa.Integer, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("next_due", sa.BigInteger),
    sa.Column("mark", sa.Text),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Index("ix_pipeline_trigger_workspace_name", "workspace", "name", unique=True),
    sa.Index("ix_pipeline_trigger_next_due", "next_due"),
)
firing = sa.Table(
    "trigger_firing",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("params", sa.LargeBinary, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger),
    sa.Index("ix_trigger_firing_trigger_event", "trigger", "event", unique=True),
    sa.Index("ix_trigger_firing_status", "status"),
)


def add(tx: Tx, row: Mapping[str, Any]) -> None:
    """Stores a new trigger."""
    tx.run(sa.insert(trigger), {"created": tx.now, "updated": tx.now, **row})


def change(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of a trigger."""
    tx.run(sa.update(trigger).where(trigger.c.id == identity).values(**values))


def remove(tx: Tx, identity: str) -> None:
    """Removes a trigger and what it did."""
    tx.run(sa.delete(firing).where(firing.c.trigger == identity))
    tx.run(sa.delete(trigger).where(trigger.c.id == identity))


def named(tx: Tx, workspace: str, name: str) -> Row | None:
    """One trigger."""
    return tx.one(sa.select(trigger).where(trigger.c.workspace == workspace, trigger.c.name == name))


def with_id(tx: Tx, identity: str) -> Row | None:
    """One trigger, of whichever workspace."""
    return tx.one(sa.select(trigger).where(trigger.c.id == identity))


def of_workspace(tx: Tx, workspace: str) -> Sequence[Row]:
    """Every trigger of a workspace, by name."""
    return tx.all(sa.select(trigger).where(trigger.c.workspace == workspace).order_by(trigger.c.name))


def active(tx: Tx, kind: str, workspace: str | None = None) -> Sequence[Row]:
    """Triggers of a kind that are not paused."""
    query = sa.select(trigger).where(trigger.c.kind == kind, trigger.c.paused == 0)
    return tx.all(query if workspace is None else query.where(trigger.c.workspace == workspace))


def due(tx: Tx, now: int) -> Sequence[Row]:
    """Schedules whose time has come."""
    c = trigger.c
    return tx.all(sa.select(trigger).where(c.next_due <= now, c.paused == 0).order_by(c.next_due))


def fire(tx: Tx, identity: str, event: str, when: int | None = None, params: bytes = b"{}") -> bool:
    """Notes that a trigger fired, now or `when` it was due, unless it did for this event; says whether it is new."""
    row = {
        "id": uuid7(tx.now),
        "trigger": identity,
        "event": event,
        "due": tx.now if when is None else when,
        "status": "waiting",
        "params": params,
        "why": "",
        "created": tx.now,
    }
    return tx.upsert(firing, row, keys=("trigger", "event")) > 0


def fired(tx: Tx, identity: str, event: str) -> Row | None:
    """What became of an event."""
    return tx.one(sa.select(firing).where(firing.c.trigger == identity, firing.c.event == event))


def waiting(tx: Tx, identity: str | None = None) -> Sequence[Row]:
    """What waits for its turn, oldest first, of triggers that are not paused."""
    query = (
        sa.select(firing)
        .join(trigger, trigger.c.id == firing.c.trigger)
        .where(firing.c.status == "waiting", trigger.c.paused == 0)
        .order_by(firing.c.due, firing.c.id)
    )
    return tx.all(query if identity is None else query.where(firing.c.trigger == identity))


def settle(tx: Tx, identity: str, status: str, run_id: str | None, why: str) -> bool:
    """Says what became of something that waited; False: it does not wait any more."""
    values = {"status": status, "run_id": run_id, "why": why[:2000], "ended": tx.now}
    where = (firing.c.id == identity, firing.c.status == "waiting")
    return tx.run(sa.update(firing).where(*where).values(**values)) > 0


def firings(tx: Tx, identity: str, limit: int, before: str | None = None) -> Sequence[Row]:
    """What a trigger did, newest first."""
    c = firing.c
    query = sa.select(firing).where(c.trigger == identity)
    if before is not None:
        last = sa.select(c.due).where(c.id == before).scalar_subquery()
        query = query.where((c.due < last) | ((c.due == last) & (c.id < before)))
    return tx.all(query.order_by(c.due.desc(), c.id.desc()).limit(limit))


def last_of(tx: Tx, workspace: str) -> dict[str, Row]:
    """The newest thing that each trigger of a workspace did."""
    newest = (
        sa.select(sa.func.max(firing.c.id))
        .join(trigger, trigger.c.id == firing.c.trigger)
        .where(trigger.c.workspace == workspace)
        .group_by(firing.c.trigger)
    )
    return {row.trigger: row for row in tx.all(sa.select(firing).where(firing.c.id.in_(newest)))}


def under_way(tx: Tx, identity: str) -> list[str]:
    """Runs of a trigger that have not ended."""
    query = (
        sa.select(firing.c.run_id)
        .join(pipeline_run, pipeline_run.c.run_id == firing.c.run_id)
        .where(firing.c.trigger == identity, pipeline_run.c.status.in_(sorted(ALIVE)))
    )
    return [str(row.run_id) for row in tx.all(query)]


def launches_since(tx: Tx, identity: str, since: int) -> int:
    """How many runs a trigger started since a moment."""
    c = firing.c
    query = sa.select(sa.func.count()).where(c.trigger == identity, c.status == "launched", c.ended >= since)
    return int(tx.scalar(query))
