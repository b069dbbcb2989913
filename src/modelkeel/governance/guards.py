"""What the registry and serving ask before a protected alias or endpoint changes its meaning.

No client gets around them: the `mlflow` protocol, our own routes and the rollout controller all end here.
"""

import msgspec

from modelkeel.core.access import Permission, Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from modelkeel.governance import store
from modelkeel.governance.gates import approvals as approval_gate
from modelkeel.governance.models import Promotion
from modelkeel.governance.policies import Policies
from modelkeel.governance.policy import GatePolicy
from modelkeel.governance.promotions import Promotions, subject_of
from modelkeel.governance.voiding import void
from modelkeel.ledger.service import Ledger
from modelkeel.registry.models import AliasChange
from modelkeel.storage.transaction import Tx

UNPROTECTED = ""


class AliasGuard:
    """The registry's `PromotionCheck`.

    Made before the registry, and told of the promotions after it: until then it refuses.

    Args:
        ledger: hears of each commit.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._policies: Policies | None = None
        self._promotions: Promotions | None = None

    def bind(self, policies: Policies, promotions: Promotions) -> None:
        """Tells it what to ask."""
        self._policies = policies
        self._promotions = promotions

    async def admit(self, principal: Principal, change: AliasChange) -> str | None:
        """The approved promotion that allows a change; empty where no gate guards the alias.

        Raises:
            Refused: naming every gate that is not passed.
        """
        if self._policies is None or self._promotions is None:
            raise Unavailable("The server is starting.", hint="Try again.")
        policy = await self._policies.find(principal, change.name)
        if policy is None or policy.policy.alias != change.alias:
            return UNPROTECTED
        what = f"@{change.alias} of {change.name} is protected by its gate policy."
        if change.version is None:
            raise Refused(
                what,
                reasons=["It can be moved to another version that passes the gates, not taken away."],
                hint=f"Promote another version, or change the policy of {change.name} first.",
            )
        if not principal.may(Permission.PROMOTE):
            raise Refused(
                what,
                reasons=[f"{principal.name} lacks the permission `promote`."],
                hint="Ask somebody who may promote.",
            )
        found = await self._promotions.approved(principal, change.model_id, change.alias, change.version)
        if found is not None and await self._promotions.current(principal, found):
            return found.id
        reasons = await _missing(self._promotions, principal, found, change.name, change.version, change.alias)
        hint = f"Ask for it: modelkeel promote {change.name}/{change.version} --alias {change.alias}"
        raise Refused(what, reasons=reasons, hint=hint)

    def protected_alias(self, tx: Tx, principal: Principal, name: str, alias: str) -> str | None:
        """The alias of a model that its gate policy protects, if it is written like `alias`, whatever the case."""
        head = store.policy_of(tx, principal.workspace, name)
        held = None if head is None else msgspec.json.decode(head.body, type=GatePolicy).alias
        return held if held is not None and held.lower() == alias.lower() else None

    def confirm(self, tx: Tx, principal: Principal, change: AliasChange, ticket: str) -> None:
        """In the transaction that moves the alias: compares that all is as it was judged, and records the promotion.

        Raises:
            Conflict: something changed; nothing moves.
        """
        head = store.policy_of(tx, principal.workspace, change.name)
        if ticket == UNPROTECTED:
            if head is not None and _guards(head.body, change.alias):
                raise Conflict("A gate policy was set meanwhile.", hint=f"Promote {change.name}/{change.version}.")
            return
        row = store.promotion_with_id(tx, principal.workspace, ticket)
        if row is None or row.status != "approved":
            raise Conflict("The promotion is not approved any more.", hint="Ask for it again.")
        if (row.model_id, row.model, row.alias, row.version) != (
            change.model_id,
            change.name,
            change.alias,
            change.version,
        ):
            raise Conflict("The promotion was about something else.", hint="Ask for it again.")
        if row.champion != change.current:
            raise Conflict(
                f"The candidate was judged against version {row.champion or 'none'}, but version"
                f" {change.current or 'none'} holds @{change.alias} now.",
                hint="Ask for the promotion again: it must be judged against what is there.",
            )
        if head is None or head.digest != row.policy:
            raise Conflict("The gate policy has changed since the evaluation.", hint="Ask for the promotion again.")
        if row.standing is not None and not store.consume_standing(tx, row.standing):
            raise Conflict("The standing approval is used up, expired or revoked.", hint="An approver has to decide.")
        approvals = store.approvals_of(tx, [row.id])[row.id]
        data = {
            "version": row.version,
            "version_digest": row.version_digest,
            "champion": row.champion,
            "policy": row.policy,
            "evidence": row.evidence,
            "approvers": [one.principal for one in approvals if one.verdict == "approved"],
            "standing_approval": row.standing,
            "requested_by": row.requested_by,
        }
        subject = subject_of(row.id, row.model_id, row.version)
        entry = self._ledger.record(tx, principal, "promotion.committed", subject, data, {"alias": row.alias})
        store.update_promotion(tx, row.id, status="committed", entry_committed=entry)
        for other in store.open_promotions(tx, principal.workspace, row.model_id, row.alias):
            void(tx, self._ledger, principal, other, f"Version {row.version} took @{row.alias} meanwhile.")


class DeploymentGuard:
    """Serving's `DeploymentCheck`: a version of a guarded model takes traffic only with what its alias demands."""

    def __init__(self) -> None:
        self._policies: Policies | None = None
        self._promotions: Promotions | None = None

    def bind(self, policies: Policies, promotions: Promotions) -> None:
        """Tells it what to ask."""
        self._policies = policies
        self._promotions = promotions

    async def admit(self, principal: Principal, endpoint: str, model_id: str, model: str, version: int) -> str | None:
        """The promotion to complete; None where the version needs none, or has passed under the policy in force.

        Raises:
            Refused: naming every gate that is not passed.
        """
        if self._policies is None or self._promotions is None:
            raise Unavailable("The server is starting.", hint="Try again.")
        policy = await self._policies.find(principal, model)
        if policy is None:
            return None
        alias = policy.policy.alias
        holder = await self._promotions.holder(principal, model, alias)
        if holder == version:
            return None
        what = f"{model}/{version} may not serve at {endpoint}: {model} has gates."
        found = await self._promotions.approved(principal, model_id, alias, version)
        if found is not None and await self._promotions.current(principal, found):
            return found.id
        if await self._promotions.passed_before(principal, model_id, alias, version, policy.digest):
            return None
        reasons = await _missing(self._promotions, principal, found, model, version, alias)
        hint = f"Ask for it: modelkeel promote {model}/{version} --alias {alias}"
        raise Refused(what, reasons=reasons, hint=hint)

    async def complete(self, principal: Principal, ticket: str) -> None:
        """The version has all the traffic: the alias moves.

        Raises:
            Conflict: the evidence is no longer current.
        """
        if self._promotions is None:
            raise Unavailable("The server is starting.", hint="Try again.")
        await self._promotions.commit(principal, ticket)


async def _missing(
    promotions: Promotions, principal: Principal, stale: Promotion | None, model: str, version: int, alias: str
) -> list[str]:
    """Why a version may not go to an alias, one sentence each; an approved promotion that is stale is voided."""
    if stale is not None:
        await promotions.void(principal, stale.id, "What was evaluated has changed since.")
        return ["What the approvers agreed to has changed since, so their approval is void."]
    try:
        found = await promotions.evaluate(principal, model, version, alias)
    except (NotFound, InvalidInput) as error:
        return [error.message]
    waiting = approval_gate.judge(found.policy.policy.approval, [], None)
    reasons = [result.sentence for result in [*found.results, *waiting] if result.verdict != "passed"]
    return reasons or ["Its gates pass, but nobody asked for the promotion."]


def _guards(body: str, alias: str) -> bool:
    return msgspec.json.decode(body, type=GatePolicy).alias == alias
