"""Governance's tables and all the SQL that touches them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Kind, Visible
from modelkeel.governance.models import GateResult
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import named_within, within

gate_policy = sa.Table(
    "gate_policy",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
gate_policy_head = sa.Table(
    "gate_policy_head",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("set_at", sa.BigInteger, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
)
promotion = sa.Table(
    "promotion",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("alias", sa.Text, nullable=False),
    sa.Column("version_digest", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("champion", sa.BigInteger),
    sa.Column("champion_digest", sa.Text),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("authors", sa.Text, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("standing", sa.Text),
    sa.Column("requested_at", sa.BigInteger, nullable=False),
    sa.Column("decided_at", sa.BigInteger, nullable=False),
    sa.Column("entry_evaluated", sa.BigInteger, nullable=False),
    sa.Column("entry_decided", sa.BigInteger),
    sa.Column("entry_committed", sa.BigInteger),
    sa.Index(None, "workspace", "model_id", "alias", "version"),
    sa.Index(None, "workspace", "status"),
)
promotion_gate = sa.Table(
    "promotion_gate",
    metadata,
    sa.Column("promotion", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("gate", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
)
promotion_approval = sa.Table(
    "promotion_approval",
    metadata,
    sa.Column("promotion", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("roles", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
)
standing_approval = sa.Table(
    "standing_approval",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("alias", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("metric", sa.Text, nullable=False),
    sa.Column("min", sa.Float, nullable=False),
    sa.Column("promotions", sa.Integer, nullable=False),
    sa.Column("left", sa.Integer, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("given_by", sa.Text, nullable=False),
    sa.Column("given_at", sa.BigInteger, nullable=False),
    sa.Column("revoked", sa.BigInteger),
    sa.Column("entry", sa.BigInteger, nullable=False),
    sa.Index(None, "workspace", "model"),
)

_HEAD = sa.select(gate_policy_head, gate_policy.c.body).join(
    gate_policy,
    (gate_policy.c.workspace == gate_policy_head.c.workspace) & (gate_policy.c.digest == gate_policy_head.c.digest),
)


def policy_of(tx: Tx, workspace: str, model: str) -> sa.Row[Any] | None:
    return tx.one(_HEAD.where(gate_policy_head.c.workspace == workspace, gate_policy_head.c.model == model))


def policies(tx: Tx, workspace: str, visible: Visible = EVERYTHING) -> Sequence[sa.Row[Any]]:
    head = gate_policy_head.c
    seen = named_within(visible, Kind.MODEL, head.workspace, head.model)
    return tx.all(_HEAD.where(head.workspace == workspace, *seen).order_by(head.model))


def policy_body(tx: Tx, workspace: str, digest: str) -> str | None:
    query = sa.select(gate_policy.c.body).where(gate_policy.c.workspace == workspace, gate_policy.c.digest == digest)
    found: str | None = tx.scalar(query)
    return found


def set_policy(tx: Tx, workspace: str, model: str, digest: str, body: str, by: str, entry: int) -> None:
    row = {"workspace": workspace, "digest": digest, "body": body, "created": tx.now}
    tx.upsert(gate_policy, row, keys=["workspace", "digest"])
    head = {
        "workspace": workspace,
        "model": model,
        "digest": digest,
        "set_at": tx.now,
        "set_by": by,
        "entry": entry,
    }
    tx.upsert(gate_policy_head, head, keys=["workspace", "model"], update=["digest", "set_at", "set_by", "entry"])


def add_promotion(tx: Tx, row: Mapping[str, Any], gates: Sequence[GateResult]) -> None:
    tx.run(sa.insert(promotion), row)
    for seq, result in enumerate(gates):
        tx.run(
            sa.insert(promotion_gate),
            {
                "promotion": row["id"],
                "seq": seq,
                "gate": result.gate,
                "verdict": result.verdict,
                "sentence": result.sentence,
                "facts": msgspec.json.encode(result.facts).decode(),
            },
        )


def promotion_with_id(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(promotion).where(promotion.c.workspace == workspace, promotion.c.id == identity))


def promotions(
    tx: Tx,
    workspace: str,
    *,
    model: str | None = None,
    version: int | None = None,
    statuses: Sequence[str] = (),
    limit: int = 100,
    visible: Visible = EVERYTHING,
) -> Sequence[sa.Row[Any]]:
    """Promotions by the model's name, the newest first."""
    query = sa.select(promotion).where(promotion.c.workspace == workspace, *within(visible, promotion.c.model_id))
    if model is not None:
        query = query.where(promotion.c.model == model)
    if version is not None:
        query = query.where(promotion.c.version == version)
    if statuses:
        query = query.where(promotion.c.status.in_(statuses))
    return tx.all(query.order_by(promotion.c.requested_at.desc(), promotion.c.id.desc()).limit(limit))


def open_promotions(tx: Tx, workspace: str, model_id: str, alias: str) -> Sequence[sa.Row[Any]]:
    """Those that wait for approval or are approved."""
    return tx.all(
        sa.select(promotion).where(
            promotion.c.workspace == workspace,
            promotion.c.model_id == model_id,
            promotion.c.alias == alias,
            promotion.c.status.in_(["waiting_approval", "approved"]),
        )
    )


def latest_promotion(
    tx: Tx, workspace: str, model_id: str, alias: str, version: int, status: str | None = None
) -> sa.Row[Any] | None:
    query = sa.select(promotion).where(
        promotion.c.workspace == workspace,
        promotion.c.model_id == model_id,
        promotion.c.alias == alias,
        promotion.c.version == version,
    )
    if status is not None:
        query = query.where(promotion.c.status == status)
    return tx.one(query.order_by(promotion.c.requested_at.desc(), promotion.c.id.desc()).limit(1))


def open_under_other_policy(tx: Tx, workspace: str, model: str, digest: str) -> Sequence[sa.Row[Any]]:
    return tx.all(
        sa.select(promotion).where(
            promotion.c.workspace == workspace,
            promotion.c.model == model,
            promotion.c.policy != digest,
            promotion.c.status.in_(["waiting_approval", "approved"]),
        )
    )


def update_promotion(tx: Tx, identity: str, **values: Any) -> None:
    tx.run(sa.update(promotion).where(promotion.c.id == identity).values(decided_at=tx.now, **values))


def gates_of(tx: Tx, identities: Sequence[str]) -> dict[str, list[GateResult]]:
    found: dict[str, list[GateResult]] = {identity: [] for identity in identities}
    query = sa.select(promotion_gate).where(promotion_gate.c.promotion.in_(identities))
    for row in tx.all(query.order_by(promotion_gate.c.promotion, promotion_gate.c.seq)):
        facts = msgspec.json.decode(row.facts)
        found[row.promotion].append(GateResult(row.gate, row.verdict, row.sentence, facts))
    return found


def approvals_of(tx: Tx, identities: Sequence[str]) -> dict[str, list[sa.Row[Any]]]:
    found: dict[str, list[sa.Row[Any]]] = {identity: [] for identity in identities}
    query = sa.select(promotion_approval).where(promotion_approval.c.promotion.in_(identities))
    for row in tx.all(query.order_by(promotion_approval.c.promotion, promotion_approval.c.at)):
        found[row.promotion].append(row)
    return found


def add_approval(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(promotion_approval), row)


def add_standing(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(standing_approval), row)


def standing_with_id(tx: Tx, workspace: str, identity: str) -> sa.Row[Any] | None:
    query = sa.select(standing_approval).where(
        standing_approval.c.workspace == workspace, standing_approval.c.id == identity
    )
    return tx.one(query)


def standings(tx: Tx, workspace: str, model: str | None = None, visible: Visible = EVERYTHING) -> Sequence[sa.Row[Any]]:
    given = standing_approval.c
    seen = named_within(visible, Kind.MODEL, given.workspace, given.model)
    query = sa.select(standing_approval).where(given.workspace == workspace, *seen)
    if model is not None:
        query = query.where(standing_approval.c.model == model)
    return tx.all(query.order_by(standing_approval.c.given_at.desc(), standing_approval.c.id.desc()))


def consume_standing(tx: Tx, identity: str) -> bool:
    """Takes one promotion from a standing approval; False: it has expired, was revoked or has none left."""
    changed = tx.run(
        sa.update(standing_approval)
        .where(
            standing_approval.c.id == identity,
            standing_approval.c.left > 0,
            standing_approval.c.revoked.is_(None),
            standing_approval.c.expires > tx.now,
        )
        .values(left=standing_approval.c.left - 1)
    )
    return changed == 1


def revoke_standing(tx: Tx, identity: str) -> None:
    tx.run(sa.update(standing_approval).where(standing_approval.c.id == identity).values(revoked=tx.now))
