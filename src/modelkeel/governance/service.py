"""Governance in one place: policies, promotions, decisions, standing approvals, and what stands behind a prediction."""

import logging

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.errors import Conflict
from modelkeel.costs.service import Costs
from modelkeel.governance.carry_out import CarryOut
from modelkeel.governance.decisions import Decisions
from modelkeel.governance.facts import Facts
from modelkeel.governance.guards import AliasGuard, DeploymentGuard
from modelkeel.governance.models import Promotion
from modelkeel.governance.policies import Policies
from modelkeel.governance.promotions import Promotions
from modelkeel.governance.standing import StandingApprovals
from modelkeel.governance.tracing import FindPrediction, Tracing
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.ledger.subscriptions import Subscription
from modelkeel.monitoring.totals import Totals
from modelkeel.pipelines.service import Pipelines
from modelkeel.registry.service import Registry
from modelkeel.serving.service import Serving
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.tracking.service import Tracking

log = logging.getLogger(__name__)


class Governance:
    """Everything about gates and answers.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every step.
        authorizer: decides who may do what.
        identity: knows people.
        blobs: hold models' files.
        tracking: knows runs.
        pipelines: knows code, data and environments.
        registry: holds the aliases.
        serving: holds the endpoints.
        predictions: finds a prediction.
        totals: count them.
        costs: knows what it cost.
        alias_guard: what the registry asks.
        deployment_guard: what serving asks.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        identity: Identity,
        blobs: BlobStore,
        tracking: Tracking,
        pipelines: Pipelines,
        registry: Registry,
        serving: Serving,
        predictions: FindPrediction,
        totals: Totals,
        costs: Costs,
        alias_guard: AliasGuard,
        deployment_guard: DeploymentGuard,
    ) -> None:
        self._authorizer = authorizer
        facts = Facts(registry, tracking, pipelines, identity, ledger, blobs)
        self.policies = Policies(database, ledger, authorizer)
        self.promotions = Promotions(database, ledger, authorizer, identity, registry, facts, self.policies)
        self.decisions = Decisions(database, ledger, authorizer, identity, self.policies, self.promotions)
        self.standing = StandingApprovals(database, ledger, authorizer, identity, facts, self.policies)
        self.tracing = Tracing(
            ledger,
            authorizer,
            identity,
            tracking,
            pipelines,
            registry,
            serving,
            predictions,
            totals,
            costs,
            self.promotions,
            self.standing,
        )
        self._carry_out = CarryOut(identity, self.promotions, self.policies, registry, pipelines, serving)
        alias_guard.bind(self.policies, self.promotions)
        deployment_guard.bind(self.policies, self.promotions)

    async def promote(
        self, principal: Principal, model: str, version: int, alias: str, *, automatic: bool = True
    ) -> Promotion:
        """Evaluates a version for an alias; where no approval is wanted, carries it out."""
        found = await self.promotions.request(principal, model, version, alias, automatic=automatic)
        return await self._follow(principal, found)

    async def approve(self, principal: Principal, identity: str, reason: str = "", evidence: str = "") -> Promotion:
        """One person's yes; the last one carries the promotion out."""
        found = await self.decisions.approve(principal, identity, reason, evidence)
        return await self._follow(principal, found)

    async def commit(self, principal: Principal, identity: str) -> Promotion:
        """Carries an approved promotion out: by a rollout where an endpoint serves the model, else at once."""
        self._authorizer.require(principal, Permission.PROMOTE, what="promotions")
        found = await self.promotions.get(principal, identity)
        on = Object(Kind.MODEL, found.model_id)
        self._authorizer.require(principal, Permission.PROMOTE, what="promotions", on=on)
        if found.status == "approved":
            found = await self._carry_out.carry_out(principal.workspace, identity)
        if found.status in {"approved", "committed"}:
            return found
        return await self.promotions.commit(principal, identity)  # says why not

    def subscriptions(self) -> list[Subscription]:
        """What governance hears of."""
        return [self._carry_out.subscription()]

    async def _follow(self, principal: Principal, found: Promotion) -> Promotion:
        if found.status != "approved" or not found.automatic:
            return found
        try:
            return await self._carry_out.carry_out(principal.workspace, found.id)
        except Conflict as error:  # the decision stands; the promotion itself says what became of it
            log.warning("promotion %s: %s", found.id, error)
            return await self.promotions.get(principal, found.id)
