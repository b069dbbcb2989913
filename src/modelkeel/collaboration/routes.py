"""Webhooks of any event, and the log of deliveries, over HTTP."""

from typing import Annotated

from litestar import Router, delete, get, post
from litestar.params import Parameter

from modelkeel.collaboration.models import Delivery, NewWebhook, Webhook
from modelkeel.collaboration.service import Webhooks
from modelkeel.core.access import Principal


def router(webhooks: Webhooks) -> Router:
    """`/api/v1/webhooks`."""

    @get("/webhooks", summary="Webhooks")
    async def every(principal: Principal) -> list[Webhook]:
        return await webhooks.all(principal)

    @post("/webhooks", summary="Make a webhook", opt={"writes": "record"})
    async def create(principal: Principal, data: NewWebhook) -> Webhook:
        return await webhooks.create(principal, data)

    @delete("/webhooks/{webhook:str}", summary="Delete a webhook", opt={"writes": "record"})
    async def remove(principal: Principal, webhook: str) -> None:
        await webhooks.delete(principal, webhook)

    @get("/webhooks/{webhook:str}/deliveries", summary="A webhook's deliveries, newest first")
    async def deliveries(
        principal: Principal, webhook: str, limit: Annotated[int, Parameter(ge=1, le=1000)] = 100
    ) -> list[Delivery]:
        return await webhooks.deliveries(principal, webhook, limit)

    @post(
        "/webhooks/{webhook:str}/deliveries/{delivery:str}/redeliver",
        summary="Send a delivery again",
        status_code=200,
        opt={"writes": "measurement"},
    )
    async def redeliver(principal: Principal, webhook: str, delivery: str) -> Delivery:
        return await webhooks.redeliver(principal, webhook, delivery)

    return Router("/api/v1", route_handlers=[every, create, remove, deliveries, redeliver], tags=["webhooks"])
