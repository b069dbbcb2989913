"""Policies, promotions, approvals and traces over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from litestar import Router, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.core.clock import parse_rfc3339
from modelkeel.core.errors import InvalidInput
from modelkeel.governance.lineage import Served, Trace, VersionTrace
from modelkeel.governance.models import OPEN, Promotion, StandingApproval, Status
from modelkeel.governance.policy import GatePolicy, StoredPolicy
from modelkeel.governance.service import Governance
from modelkeel.governance.standing import StandingRequest


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a version to take an alias.

    Attributes:
        automatic: whether it is carried out after the last approval without a further command.
    """

    model: str
    version: int
    alias: str
    automatic: bool = True


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says: a reason, and the digest of the evidence that they looked at."""

    reason: str = ""
    evidence: str = ""


def router(governance: Governance) -> Router:
    """`/api/v1/policies`, `/promotions`, `/standing-approvals`, `/trace`, `/served`."""
    handlers = [*_policies(governance), *_promotions(governance), *_standing(governance), *_traces(governance)]
    return Router("/api/v1", route_handlers=handlers, tags=["governance"])


def _policies(governance: Governance) -> Sequence[HTTPRouteHandler]:

    @get("/policies", summary="Gate policies in force")
    async def policies(principal: Principal) -> list[StoredPolicy]:
        return await governance.policies.all(principal)

    @get("/policies/{model:str}", summary="A model's gate policy")
    async def policy(principal: Principal, model: str) -> StoredPolicy:
        return await governance.policies.get(principal, model)

    @put("/policies/{model:str}", summary="Set a model's gate policy", opt={"writes": "record"})
    async def set_policy(principal: Principal, model: str, data: GatePolicy) -> StoredPolicy:
        return await governance.policies.put(principal, model, data)

    return [policies, policy, set_policy]


def _promotions(governance: Governance) -> Sequence[HTTPRouteHandler]:
    @get("/promotions", summary="Promotions, newest first")
    async def promotions(
        principal: Principal,
        model: str | None = None,
        version: int | None = None,
        status: Annotated[Status | Literal["open"] | None, Parameter(description="`open`: waiting or approved")] = None,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    ) -> list[Promotion]:
        statuses = tuple(sorted(OPEN)) if status == "open" else (status,) if status else ()
        return await governance.promotions.all(principal, model=model, version=version, statuses=statuses, limit=limit)

    @post("/promotions", summary="Ask for a promotion", opt={"writes": "record"})
    async def ask(principal: Principal, data: Ask) -> Promotion:
        return await governance.promote(principal, data.model, data.version, data.alias, automatic=data.automatic)

    @get("/promotions/{identity:str}", summary="One promotion with its gates and approvals")
    async def promotion(principal: Principal, identity: str) -> Promotion:
        return await governance.promotions.get(principal, identity)

    @post("/promotions/{identity:str}/approve", summary="Approve", opt={"writes": "record"})
    async def approve(principal: Principal, identity: str, data: Decision | None = None) -> Promotion:
        said = data or Decision()
        return await governance.approve(principal, identity, said.reason, said.evidence)

    @post("/promotions/{identity:str}/reject", summary="Reject, with a reason", opt={"writes": "record"})
    async def reject(principal: Principal, identity: str, data: Decision) -> Promotion:
        return await governance.decisions.reject(principal, identity, data.reason)

    @post("/promotions/{identity:str}/commit", summary="Carry an approved promotion out", opt={"writes": "record"})
    async def commit(principal: Principal, identity: str) -> Promotion:
        return await governance.commit(principal, identity)

    return [promotions, ask, promotion, approve, reject, commit]


def _standing(governance: Governance) -> Sequence[HTTPRouteHandler]:
    @get("/standing-approvals", summary="Standing approvals, newest first")
    async def standings(principal: Principal, model: str | None = None) -> list[StandingApproval]:
        return await governance.standing.all(principal, model)

    @post("/standing-approvals", summary="Approve in advance, within limits", opt={"writes": "record"})
    async def give(principal: Principal, data: StandingRequest) -> StandingApproval:
        return await governance.standing.give(principal, data)

    @post("/standing-approvals/{identity:str}/revoke", summary="Take it back", opt={"writes": "record"})
    async def revoke(principal: Principal, identity: str) -> StandingApproval:
        return await governance.standing.revoke(principal, identity)

    return [standings, give, revoke]


def _traces(governance: Governance) -> Sequence[HTTPRouteHandler]:
    @get("/trace/predictions/{identity:str}", summary="What stands behind a prediction")
    async def trace(principal: Principal, identity: str) -> Trace:
        return await governance.tracing.trace(principal, identity)

    @get("/trace/versions/{model:str}/{version:int}", summary="What came of a model version")
    async def trace_version(principal: Principal, model: str, version: int) -> VersionTrace:
        return await governance.tracing.trace_version(principal, model, version)

    @get("/served/{endpoint:str}", summary="What served at a time, by the clock that is named")
    async def served(
        principal: Principal,
        endpoint: str,
        server_time: Annotated[str | None, Parameter(description="RFC 3339, by the server's clock")] = None,
        event_time: Annotated[str | None, Parameter(description="RFC 3339, by the callers' event times")] = None,
    ) -> Served:
        if (server_time is None) == (event_time is None):
            raise InvalidInput("Name one clock.", hint="Give server_time=… or event_time=….")
        if server_time is not None:
            return await governance.tracing.served_at(principal, endpoint, server_time=parse_rfc3339(server_time))
        return await governance.tracing.served_at(principal, endpoint, event_time=parse_rfc3339(event_time or ""))

    return [trace, trace_version, served]
