"""Rows as others read them: promotions with their gates and approvals, standing approvals."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.clock import rfc3339
from modelkeel.governance import store
from modelkeel.governance.gates import approvals as approval_gate
from modelkeel.governance.models import Approval, Champion, GateResult, Promotion, StandingApproval
from modelkeel.governance.policy import GatePolicy
from modelkeel.storage.transaction import Tx


def promotions(tx: Tx, rows: Sequence[sa.Row[Any]], names: Mapping[str, str]) -> list[Promotion]:
    """Promotions with all that belongs to them.

    Args:
        tx: the transaction.
        rows: of the table `promotion`.
        names: of people, by id.
    """
    identities = [row.id for row in rows]
    gates, said = store.gates_of(tx, identities), store.approvals_of(tx, identities)
    return [_promotion(tx, row, gates[row.id], said[row.id], names) for row in rows]


def standing_approval(row: sa.Row[Any], names: Mapping[str, str]) -> StandingApproval:
    """A standing approval."""
    return StandingApproval(
        id=row.id,
        model=row.model,
        alias=row.alias,
        policy=row.policy,
        code=row.code,
        metric=row.metric,
        min=row.min,
        promotions=row.promotions,
        left=row.left,
        expires=rfc3339(row.expires),
        given_by=row.given_by,
        name=names.get(row.given_by, row.given_by),
        given_at=rfc3339(row.given_at),
        revoked=row.revoked is not None,
        entry=row.entry,
    )


def approval(row: sa.Row[Any], names: Mapping[str, str]) -> Approval:
    """What one person said."""
    return Approval(
        row.principal,
        names.get(row.principal, row.principal),
        row.verdict,
        row.reason,
        row.roles.split(),
        rfc3339(row.at),
        row.entry,
    )


def _promotion(
    tx: Tx, row: sa.Row[Any], gates: list[GateResult], said: list[sa.Row[Any]], names: Mapping[str, str]
) -> Promotion:
    policy = msgspec.json.decode(store.policy_body(tx, row.workspace, row.policy) or "{}", type=GatePolicy)
    given = [approval(one, names) for one in said]
    standing = None
    if row.standing is not None:
        found = store.standing_with_id(tx, row.workspace, row.standing)
        standing = standing_approval(found, names) if found is not None else None
    every = [*gates, *approval_gate.judge(policy.approval, given, standing)]
    if row.status == "voided":
        reasons = [row.note]
    elif row.status == "committed":
        reasons = []
    else:
        reasons = [gate.sentence for gate in every if gate.verdict != "passed"]
    entries = {"evaluated": row.entry_evaluated, "decided": row.entry_decided, "committed": row.entry_committed}
    return Promotion(
        id=row.id,
        model_id=row.model_id,
        model=row.model,
        version=row.version,
        alias=row.alias,
        status=row.status,
        reasons=reasons,
        gates=every,
        approvals=given,
        requested_by=row.requested_by,
        requester=names.get(row.requested_by, row.requested_by),
        authors=msgspec.json.decode(row.authors),
        version_digest=row.version_digest,
        champion=None if row.champion is None else Champion(row.champion, row.champion_digest),
        policy=row.policy,
        evidence=row.evidence,
        standing_approval=row.standing,
        automatic=row.automatic,
        requested_at=rfc3339(row.requested_at),
        decided_at=rfc3339(row.decided_at),
        entries={name: index for name, index in entries.items() if index is not None},
    )
