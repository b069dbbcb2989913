"""Endpoints over HTTP."""

import msgspec
from litestar import Router, delete, get, post, put

from modelkeel.core.access import Principal
from modelkeel.serving.keys import EndpointKey, MadeKey, NewKey
from modelkeel.serving.models import Deploy, Endpoint, RolloutPolicy, Traffic
from modelkeel.serving.service import Serving


class Abort(msgspec.Struct, forbid_unknown_fields=True):
    """Why a rollout is ended."""

    reason: str


def router(serving: Serving) -> Router:
    """`/api/v1/endpoints/…`, `/api/v1/rollouts/policy/…`."""

    @get("/endpoints", summary="Endpoints of the workspace")
    async def endpoints(principal: Principal) -> list[Endpoint]:
        return await serving.endpoints(principal)

    @get("/endpoints/{name:str}", summary="One endpoint: traffic, revisions, rollout")
    async def endpoint(principal: Principal, name: str) -> Endpoint:
        return await serving.endpoint(principal, name)

    @get("/endpoints/{name:str}/traffic", summary="Every division of traffic, oldest first")
    async def traffic(principal: Principal, name: str) -> list[Traffic]:
        return await serving.history(principal, name)

    @put("/endpoints/{name:str}", summary="Deploy a model version", opt={"writes": "record"})
    async def deploy(principal: Principal, name: str, data: Deploy) -> Endpoint:
        return await serving.deploy(principal, name, data)

    @post("/endpoints/{name:str}/rollback", summary="Back to the revision before", opt={"writes": "record"})
    async def rollback(principal: Principal, name: str) -> Endpoint:
        return await serving.rollback(principal, name)

    @post("/endpoints/{name:str}/abort", summary="End the rollout under way", opt={"writes": "record"})
    async def abort(principal: Principal, name: str, data: Abort) -> Endpoint:
        return await serving.abort(principal, name, data.reason)

    @put("/rollouts/policy/{name:str}", summary="How new revisions take over", opt={"writes": "record"})
    async def policy(principal: Principal, name: str, data: RolloutPolicy) -> RolloutPolicy:
        return await serving.set_policy(principal, name, data)

    @get("/endpoints/{name:str}/keys", summary="Keys of an endpoint that are good now, without their secrets")
    async def keys(principal: Principal, name: str) -> list[EndpointKey]:
        return await serving.keys.list(principal, name)

    @post("/endpoints/{name:str}/keys", summary="Make a key that opens one endpoint", opt={"writes": "record"})
    async def create_key(principal: Principal, name: str, data: NewKey) -> MadeKey:
        return await serving.keys.create(principal, name, data)

    @delete("/endpoints/{name:str}/keys/{key:str}", summary="Revoke a key", opt={"writes": "record"})
    async def revoke_key(principal: Principal, name: str, key: str) -> None:
        await serving.keys.revoke(principal, name, key)

    handlers = [endpoints, endpoint, traffic, deploy, rollback, abort, policy, keys, create_key, revoke_key]
    return Router("/api/v1", route_handlers=handlers, tags=["serving"])
