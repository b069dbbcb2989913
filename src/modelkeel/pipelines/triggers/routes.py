"""Triggers over HTTP."""

from typing import Annotated, Any

from litestar import Request, Router, delete, get, post, put
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.pipelines.triggers.models import Fire, Firing, Pause, SetTrigger, Trigger
from modelkeel.pipelines.triggers.service import HOOKS, Triggers

Limit = Annotated[int, Parameter(ge=1, le=1000)]
LARGEST_CALL = 1 << 20


def router(triggers: Triggers) -> Router:
    """`/api/v1/triggers`, and `/api/v1/hooks` for signed calls."""

    @get("/triggers", summary="Triggers")
    async def every(principal: Principal) -> list[Trigger]:
        return await triggers.all(principal)

    @get("/triggers/{name:str}", summary="A trigger")
    async def one(principal: Principal, name: str) -> Trigger:
        return await triggers.get(principal, name)

    @put("/triggers/{name:str}", summary="Make or change a trigger", opt={"writes": "record"})
    async def set_one(principal: Principal, name: str, data: SetTrigger) -> Trigger:
        return await triggers.set(principal, name, data)

    @delete("/triggers/{name:str}", summary="Delete a trigger", opt={"writes": "record"})
    async def remove(principal: Principal, name: str) -> None:
        await triggers.delete(principal, name)

    @get("/triggers/{name:str}/firings", summary="What a trigger did, newest first")
    async def firings(principal: Principal, name: str, limit: Limit = 100, before: str | None = None) -> list[Firing]:
        return await triggers.firings(principal, name, limit, before)

    @post("/triggers/{name:str}/pause", summary="Pause a trigger, or go on", opt={"writes": "record"}, status_code=200)
    async def pause(principal: Principal, name: str, data: Pause) -> Trigger:
        return await triggers.pause(principal, name, paused=data.paused)

    @post("/triggers/{name:str}/fire", summary="Fire a trigger by hand", opt={"writes": "record"})
    async def fire(principal: Principal, name: str, data: Fire) -> Firing:
        return await triggers.fire(principal, name, data.params)

    @post("/triggers/{name:str}/secret", summary="Give a trigger another secret", opt={"writes": "record"})
    async def secret(principal: Principal, name: str) -> Trigger:
        return await triggers.new_secret(principal, name)

    @post(
        f"{HOOKS.removeprefix('/api/v1')}/{{trigger:str}}",
        summary="Fire a trigger by a signed call",
        opt={"open": True, "writes": "record"},
        request_max_body_size=LARGEST_CALL,
        status_code=202,
    )
    async def call(request: Request[Any, Any, Any], trigger: str) -> Firing:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await triggers.call(trigger, headers, await request.body())

    return Router(
        "/api/v1",
        route_handlers=[every, one, set_one, remove, firings, pause, fire, secret, call],
        tags=["triggers"],
    )
