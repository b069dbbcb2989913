"""Serving's tables and all the SQL that touches them."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Visible
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within

endpoint = sa.Table(
    "endpoint",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("log", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("workspace", "name"),
)
revision = sa.Table(
    "revision",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("prepared", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.UniqueConstraint("endpoint", "number"),
    sa.Index("ix_revision_model_id_version", "model_id", "version"),
)
traffic = sa.Table(
    "traffic",
    metadata,
    sa.Column("endpoint", sa.Text, primary_key=True),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("routes", sa.Text, nullable=False),
    sa.Column("shadow", sa.Text),
    sa.Column("entry", sa.BigInteger, nullable=False),
)
rollout = sa.Table(
    "rollout",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("candidate", sa.Text, nullable=False),
    sa.Column("champion", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("base", sa.BigInteger, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("started_by", sa.Text, nullable=False),
    sa.Index("ix_rollout_endpoint_started", "endpoint", "started"),
)
rollout_policy = sa.Table(
    "rollout_policy",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("endpoint", sa.Text, primary_key=True),
    sa.Column("policy", sa.Text, nullable=False),
)


def endpoint_named(tx: Tx, workspace: str, name: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(endpoint).where(endpoint.c.workspace == workspace, endpoint.c.name == name))


def endpoint_with_id(tx: Tx, identity: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(endpoint).where(endpoint.c.id == identity))


def endpoints_with_ids(tx: Tx, identities: Sequence[str]) -> Sequence[sa.Row[Any]]:
    return tx.all(sa.select(endpoint).where(endpoint.c.id.in_(identities)))


def endpoints(tx: Tx, workspace: str | None, visible: Visible = EVERYTHING) -> Sequence[sa.Row[Any]]:
    """Of one workspace, or of all."""
    query = sa.select(endpoint).where(*within(visible, endpoint.c.id)).order_by(endpoint.c.name)
    return tx.all(query if workspace is None else query.where(endpoint.c.workspace == workspace))


def add_endpoint(tx: Tx, row: dict[str, Any]) -> None:
    tx.run(sa.insert(endpoint), {"created": tx.now, **row})


def revisions(tx: Tx, endpoint_id: str) -> Sequence[sa.Row[Any]]:
    """Newest first."""
    return tx.all(sa.select(revision).where(revision.c.endpoint == endpoint_id).order_by(revision.c.number.desc()))


def revision_with_id(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(revision).where(revision.c.id == identity, revision.c.workspace == workspace))


def revisions_of_version(
    tx: Tx, workspace: str, model_id: str, version: int, visible: Visible = EVERYTHING
) -> Sequence[sa.Row[Any]]:
    return tx.all(
        sa.select(revision).where(
            revision.c.workspace == workspace,
            revision.c.model_id == model_id,
            revision.c.version == version,
            *within(visible, revision.c.endpoint),
        )
    )


def revisions_in(tx: Tx, state: str) -> Sequence[sa.Row[Any]]:
    return tx.all(sa.select(revision).where(revision.c.state == state).order_by(revision.c.created))


def add_revision(tx: Tx, row: dict[str, Any]) -> int:
    """Stores a new revision under the endpoint's next number, which it returns."""
    last = tx.scalar(sa.select(sa.func.max(revision.c.number)).where(revision.c.endpoint == row["endpoint"]))
    number = int(last or 0) + 1
    tx.run(sa.insert(revision), {"created": tx.now, "number": number, **row})
    return number


def set_revision(tx: Tx, identity: str, values: dict[str, Any]) -> None:
    tx.run(sa.update(revision).where(revision.c.id == identity).values(**values))


def current_traffic(tx: Tx, endpoint_id: str) -> sa.Row[Any] | None:
    return tx.one(
        sa.select(traffic).where(traffic.c.endpoint == endpoint_id).order_by(traffic.c.generation.desc()).limit(1)
    )


def traffic_history(tx: Tx, endpoint_id: str) -> Sequence[sa.Row[Any]]:
    """Oldest first."""
    return tx.all(sa.select(traffic).where(traffic.c.endpoint == endpoint_id).order_by(traffic.c.generation))


def add_traffic(tx: Tx, row: dict[str, Any]) -> int:
    """Stores a new division of traffic; generations count up over all endpoints."""
    generation = last_generation(tx) + 1
    tx.run(sa.insert(traffic), {"generation": generation, "since": tx.now, **row})
    return generation


def last_generation(tx: Tx) -> int:
    return int(tx.scalar(sa.select(sa.func.max(traffic.c.generation))) or 0)


def add_rollout(tx: Tx, row: dict[str, Any]) -> None:
    tx.run(sa.insert(rollout), {"since": tx.now, "started": tx.now, "note": "", "step": 0, "base": 0, **row})


def set_rollout(tx: Tx, identity: str, values: dict[str, Any]) -> None:
    tx.run(sa.update(rollout).where(rollout.c.id == identity).values(**values))


def rollout_with_id(tx: Tx, identity: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(rollout).where(rollout.c.id == identity))


def last_rollout(tx: Tx, endpoint_id: str) -> sa.Row[Any] | None:
    return tx.one(
        sa.select(rollout).where(rollout.c.endpoint == endpoint_id).order_by(rollout.c.started.desc()).limit(1)
    )


def rollouts_in(tx: Tx, states: Sequence[str]) -> Sequence[sa.Row[Any]]:
    return tx.all(sa.select(rollout).where(rollout.c.state.in_(states)).order_by(rollout.c.started))


def policy_of(tx: Tx, workspace: str, name: str) -> str | None:
    query = sa.select(rollout_policy.c.policy).where(
        rollout_policy.c.workspace == workspace, rollout_policy.c.endpoint == name
    )
    found = tx.scalar(query)
    return None if found is None else str(found)


def set_policy(tx: Tx, workspace: str, name: str, policy: msgspec.Struct) -> None:
    row = {"workspace": workspace, "endpoint": name, "policy": msgspec.json.encode(policy).decode()}
    tx.upsert(rollout_policy, row, keys=["workspace", "endpoint"], update=["policy"])


def revisions_with_ids(tx: Tx, identities: Sequence[str]) -> Sequence[sa.Row[Any]]:
    return tx.all(sa.select(revision).where(revision.c.id.in_(identities)).order_by(revision.c.id))
