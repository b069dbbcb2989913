"""Carries approved promotions out, and asks for those of candidates that the server made by itself.

Where an endpoint serves the model, the version takes its traffic first and the alias moves when it has all of it;
else the alias moves at once. What is here also runs from ledger entries, so a crash between approval and deployment
loses nothing.
"""

import asyncio
import logging
from weakref import WeakValueDictionary

from modelkeel.core.access import Principal, Role
from modelkeel.core.errors import Conflict, KeelError, NotFound
from modelkeel.governance.models import Promotion
from modelkeel.governance.policies import Policies
from modelkeel.governance.promotions import Promotions
from modelkeel.identity.service import Identity
from modelkeel.ledger.models import Entry
from modelkeel.ledger.subscriptions import Subscription
from modelkeel.pipelines.service import Pipelines
from modelkeel.registry.service import Registry
from modelkeel.serving.models import Deploy, Endpoint, RolloutState
from modelkeel.serving.service import Serving

log = logging.getLogger(__name__)
ACCOUNT = "governance"
DECIDED = frozenset({"promotion.evaluated", "approval.given"})
ENDED = frozenset({"rollout.completed", "rollout.aborted"})


class CarryOut:
    """What follows from a decision.

    Args:
        identity: makes the service account that acts.
        promotions: what is carried out.
        policies: say which models are guarded.
        registry: knows what a run registered.
        pipelines: knows which runs the server started.
        serving: shifts traffic.
    """

    def __init__(
        self,
        identity: Identity,
        promotions: Promotions,
        policies: Policies,
        registry: Registry,
        pipelines: Pipelines,
        serving: Serving,
    ) -> None:
        self._identity = identity
        self._promotions = promotions
        self._policies = policies
        self._registry = registry
        self._pipelines = pipelines
        self._serving = serving
        # a decision is heard twice: by who made it and from the ledger
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def carry_out(self, workspace: str, promotion: str) -> Promotion:
        """Deploys or commits an approved promotion, once; any other stays as it is.

        Raises:
            Conflict: its evidence is no longer current, or another rollout is under way.
        """
        async with self._locks.setdefault(promotion, asyncio.Lock()):
            return await self._carry_out(workspace, promotion)

    async def _carry_out(self, workspace: str, promotion: str) -> Promotion:
        actor = await self._actor(workspace)
        found = await self._promotions.get(actor, promotion)
        if found.status != "approved":
            return found
        bound = await self._bound(actor, found)
        if not bound:
            return await self._promotions.commit(actor, promotion)
        for endpoint in bound:
            if not await self._tried(actor, endpoint, promotion):
                await self._serving.deploy(actor, endpoint.name, Deploy(f"{found.model}/{found.version}"))
        return await self._promotions.get(actor, promotion)

    def subscription(self) -> Subscription:
        """The ledger entries that move a promotion on."""
        return Subscription("governance", DECIDED | ENDED | {"pipeline.ended"}, self.handle)

    async def handle(self, entry: Entry) -> None:
        """One entry; again, it changes nothing more."""
        try:
            if entry.type in DECIDED and entry.data.get("status") == "approved":
                await self._decided(entry)
            elif entry.type == "pipeline.ended" and entry.data.get("status") == "finished":
                await self._candidates(entry)
            elif entry.type in ENDED:
                await self._ended(entry)
        except KeelError as error:
            log.warning("governance: entry %d (%s): %s", entry.index, entry.type, error)

    async def _decided(self, entry: Entry) -> None:
        actor = await self._actor(entry.workspace)
        found = await self._promotions.get(actor, entry.subject["promotion"])
        if found.automatic:
            await self._try(entry, found.id)

    async def _try(self, entry: Entry, promotion: str) -> None:
        try:
            await self.carry_out(entry.workspace, promotion)
        except KeelError as error:  # it stays approved, or is void: the promotion itself says so
            log.warning("governance: entry %d, promotion %s: %s", entry.index, promotion, error)

    async def _candidates(self, entry: Entry) -> None:
        """A run that the server started has ended: what it registered asks for its alias."""
        actor = await self._actor(entry.workspace)
        try:
            run = await self._pipelines.run(actor, entry.subject["run"])
        except NotFound:
            return
        if run.origin != "launch":
            return
        for version in await self._registry.versions_of_run(actor, run.run_id):
            policy = await self._policies.find(actor, version.name)
            if policy is not None:
                await self._promotions.request(actor, version.name, version.version, policy.policy.alias)

    async def _ended(self, entry: Entry) -> None:
        """A rollout is over: one that was given up ends its promotion, and what waited for the endpoint is next."""
        actor = await self._actor(entry.workspace)
        for endpoint in await self._serving.endpoints(actor):
            rollout = endpoint.rollout
            if rollout is not None and rollout.id == entry.subject.get("rollout") and rollout.ticket is not None:
                await self._tried(actor, endpoint, rollout.ticket)
        for promotion in reversed(await self._promotions.all(actor, statuses=("approved",))):
            if promotion.automatic:
                await self._try(entry, promotion.id)

    async def _tried(self, actor: Principal, endpoint: Endpoint, promotion: str) -> bool:
        """Whether an endpoint has taken the promotion up already; one that it gave up is void.

        Raises:
            Conflict: another rollout is under way there.
        """
        rollout = endpoint.rollout
        if rollout is None or rollout.ticket != promotion:
            if rollout is not None and rollout.state.is_open:
                hint = "Wait for it, or end it with `modelkeel rollout abort`."
                raise Conflict(f"Another rollout is under way at {endpoint.name}.", hint=hint)
            return False
        if rollout.state is RolloutState.ABORTED:
            reason = f"Its rollout at {endpoint.name} was aborted: {rollout.note or 'no reason given'}"
            await self._promotions.void(actor, promotion, reason)
        return True

    async def _bound(self, actor: Principal, promotion: Promotion) -> list[Endpoint]:
        """Endpoints whose traffic goes to the version that holds the alias now."""
        if promotion.champion is None:
            return []
        found = []
        for endpoint in await self._serving.endpoints(actor):
            routed = {share.revision for share in endpoint.routes}
            if any(
                r.id in routed and (r.model_id, r.version) == (promotion.model_id, promotion.champion.version)
                for r in endpoint.revisions
            ):
                found.append(endpoint)
        return found

    async def _actor(self, workspace: str) -> Principal:
        return await self._identity.service_account(workspace, ACCOUNT, [Role.MAINTAINER])
