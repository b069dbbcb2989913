"""Predictions, labels and monitors over HTTP."""

from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.core.clock import parse_rfc3339
from modelkeel.monitoring.models import LabelReceipt, PredictionRecord, TrafficReport
from modelkeel.monitoring.service import Monitoring


def router(monitoring: Monitoring) -> Router:
    """`/api/v1/predictions`, `/labels`, `/monitors`, `/alerts`, `/incidents`."""

    @get("/predictions/{prediction_id:str}", summary="A prediction by its id")
    async def prediction(principal: Principal, prediction_id: str) -> PredictionRecord:
        return await monitoring.prediction(principal, prediction_id)

    @post(
        "/labels",
        summary="Send labels",
        description="A list of {prediction_id, label, event_time?}, or {prediction_ids, labels, event_times?}.",
        opt={"writes": "measurement"},
        status_code=202,
    )
    async def labels(principal: Principal, request: Request[Any, Any, Any]) -> LabelReceipt:
        return await monitoring.add_labels(principal, await request.body())

    @get("/monitors/{endpoint:str}/traffic", summary="Live traffic of an endpoint")
    async def traffic(
        principal: Principal,
        endpoint: str,
        since: Annotated[str | None, Parameter(description="server time, RFC 3339; by default the last hour")] = None,
        limit: Annotated[int, Parameter(ge=1, le=10_000)] = 2_000,
    ) -> TrafficReport:
        return await monitoring.traffic(principal, endpoint, parse_rfc3339(since) if since else None, limit)

    return Router("/api/v1", route_handlers=[prediction, labels, traffic], tags=["monitoring"])
