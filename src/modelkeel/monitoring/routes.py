"""Predictions, labels, monitors, windows, alerts and incidents over HTTP."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Router, delete, get, post, put
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.core.clock import parse_rfc3339
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.models import (
    Alert,
    Comparison,
    Incident,
    LabelReceipt,
    Monitor,
    PredictionRecord,
    TrafficReport,
    Window,
)
from modelkeel.monitoring.service import Monitoring

Limit = Annotated[int, Parameter(ge=1, le=10_000)]
Moment = Annotated[str | None, Parameter(description="RFC 3339")]


class Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    """Somebody looks after an alert."""

    note: str = ""


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    """No row before this event time (RFC 3339) will come any more."""

    until: str


def router(monitoring: Monitoring) -> Router:
    """`/api/v1/predictions`, `/labels`, `/monitors`, `/alerts`, `/incidents`."""
    handlers = [*_log_routes(monitoring), *_monitor_routes(monitoring), *_alert_routes(monitoring)]
    return Router("/api/v1", route_handlers=handlers, tags=["monitoring"])


def _log_routes(monitoring: Monitoring) -> list[Any]:
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

    @get("/monitors/{endpoint:str}/traffic", summary="Live traffic of an endpoint, by server time")
    async def traffic(principal: Principal, endpoint: str, since: Moment = None, limit: Limit = 2_000) -> TrafficReport:
        return await monitoring.traffic(principal, endpoint, _ms(since), limit)

    return [prediction, labels, traffic]


def _monitor_routes(monitoring: Monitoring) -> list[Any]:
    @get("/monitors", summary="Monitors of the workspace")
    async def monitors(principal: Principal) -> list[Monitor]:
        return await monitoring.monitors.all(principal)

    @get("/monitors/{endpoint:str}", summary="An endpoint's monitor")
    async def monitor(principal: Principal, endpoint: str) -> Monitor:
        return await monitoring.monitors.get(principal, endpoint)

    @put("/monitors/{endpoint:str}", summary="Watch an endpoint", opt={"writes": "record"})
    async def put_monitor(principal: Principal, endpoint: str, data: MonitorConfig) -> Monitor:
        return await monitoring.monitors.put(principal, endpoint, data)

    @delete("/monitors/{endpoint:str}", summary="Stop watching an endpoint", opt={"writes": "record"})
    async def delete_monitor(principal: Principal, endpoint: str) -> None:
        await monitoring.monitors.delete(principal, endpoint)

    @put("/monitors/{endpoint:str}/reference", summary="Upload a reference (Parquet)", opt={"writes": "record"})
    async def put_reference(principal: Principal, endpoint: str, request: Request[Any, Any, Any]) -> Monitor:
        return await monitoring.monitors.put_reference(principal, endpoint, await request.body())

    @post(
        "/monitors/{endpoint:str}/advance",
        summary="Close windows up to an event time",
        opt={"writes": "measurement"},
        status_code=200,
    )
    async def advance(principal: Principal, endpoint: str, data: Advance) -> Monitor:
        return await monitoring.monitors.advance(principal, endpoint, parse_rfc3339(data.until))

    @get("/monitors/{endpoint:str}/windows", summary="Windows by event time, oldest first")
    async def windows(
        principal: Principal, endpoint: str, since: Moment = None, until: Moment = None, limit: Limit = 200
    ) -> list[Window]:
        return await monitoring.windows(principal, endpoint, _ms(since), _ms(until), limit)

    @get("/monitors/{endpoint:str}/histograms", summary="A window's histograms beside the reference's")
    async def histograms(principal: Principal, endpoint: str, start: str, revision: str) -> dict[str, Any]:
        return await monitoring.reader.histograms(principal, endpoint, start, revision)

    @get("/monitors/{endpoint:str}/compare", summary="Two revisions on the labelled rows that both scored")
    async def compare(principal: Principal, endpoint: str, a: str, b: str, since: Moment = None) -> Comparison:
        return await monitoring.compare(principal, endpoint, a, b, _ms(since) or 0)

    return [
        monitors,
        monitor,
        put_monitor,
        delete_monitor,
        put_reference,
        advance,
        windows,
        histograms,
        compare,
    ]


def _alert_routes(monitoring: Monitoring) -> list[Any]:
    @get("/alerts", summary="Alerts, newest first")
    async def alerts(
        principal: Principal,
        endpoint: str | None = None,
        status: Annotated[str | None, Parameter(description="active, open, acknowledged or resolved")] = None,
        limit: Limit = 200,
    ) -> list[Alert]:
        return await monitoring.alerts(principal, endpoint, status, limit)

    @get("/alerts/{alert_id:str}", summary="An alert with its evidence")
    async def alert(principal: Principal, alert_id: str) -> Alert:
        return await monitoring.reader.alert(principal, alert_id)

    @post(
        "/alerts/{alert_id:str}/acknowledge",
        summary="Acknowledge an alert",
        opt={"writes": "record"},
        status_code=200,
    )
    async def acknowledge(principal: Principal, alert_id: str, data: Acknowledgement) -> Alert:
        return await monitoring.reader.acknowledge(principal, alert_id, data.note)

    @get("/incidents", summary="Incidents, newest first")
    async def incidents(principal: Principal, endpoint: str | None = None, limit: Limit = 100) -> list[Incident]:
        return await monitoring.incidents(principal, endpoint, limit)

    @get("/incidents/{incident_id:str}", summary="An incident with its timeline")
    async def incident(principal: Principal, incident_id: str) -> Incident:
        return await monitoring.reader.incident(principal, incident_id)

    return [alerts, alert, acknowledge, incidents, incident]


def _ms(moment: str | None) -> int | None:
    return parse_rfc3339(moment) if moment else None
