"""Tracking for the page and the command line; the `mlflow` client has routes of its own in `protocols`."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, route
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.response import ServerSentEvent
from litestar.response.base import ASGIResponse

from modelkeel.core.access import Principal
from modelkeel.http.files import file_answer
from modelkeel.tracking.models import ArtifactOwner, ListedArtifact
from modelkeel.tracking.reading import News
from modelkeel.tracking.series import Bucket
from modelkeel.tracking.service import Tracking
from modelkeel.tracking.views import (
    ExperimentPage,
    LoggedModelView,
    RunPage,
    RunView,
    experiment_view,
    logged_model_view,
    run_row,
    run_view,
)

Ask = Request[Any, Any, Any]
Limit = Annotated[int, Parameter(ge=1, le=1000)]


def router(tracking: Tracking) -> Router:
    """`/api/v1/experiments`, `/runs…`, `/logged-models…`."""

    @get("/experiments", summary="Experiments, newest first")
    async def experiments(
        principal: Principal,
        filter: str = "",  # noqa: A002 - MLflow's word
        order_by: list[str] | None = None,
        limit: Limit = 100,
        token: str = "",
    ) -> ExperimentPage:
        found, more = await tracking.search_experiments(
            principal, filter=filter, order_by=order_by, limit=limit, token=token
        )
        return ExperimentPage([experiment_view(each) for each in found], more)

    @get("/runs", summary="Runs of experiments that meet a filter, with chosen columns")
    async def runs(
        principal: Principal,
        experiment: list[str],
        filter: str = "",  # noqa: A002 - MLflow's word
        order_by: list[str] | None = None,
        columns: list[str] | None = None,
        limit: Limit = 100,
        token: str = "",
    ) -> RunPage:
        found, more = await tracking.list_runs(principal, experiment, filter, order_by or [], limit, token)
        return RunPage([run_row(run, columns or []) for run in found], more)

    @get("/runs/{run_id:str}", summary="A run")
    async def run(principal: Principal, run_id: str) -> RunView:
        return run_view(await tracking.get_run(principal, run_id))

    @get("/runs/{run_id:str}/artifacts", summary="Entries of a folder of a run's files")
    async def run_files(principal: Principal, run_id: str, path: str = "") -> list[ListedArtifact]:
        return await tracking.list_folder(principal, ArtifactOwner.run(run_id), path)

    async def send(request: Ask, principal: Principal, owner: ArtifactOwner, path: str) -> ASGIResponse:
        file = await tracking.file(principal, owner, path.removeprefix("/"))
        return await file_answer(request, file.path, file.digest, file.size, partial(tracking.stream, file))

    @route(
        "/runs/{run_id:str}/artifacts/{path:path}",
        http_method=["GET", "HEAD"],
        summary="A file of a run, or a range of it",
        media_type="application/octet-stream",
    )
    async def run_file(request: Ask, principal: Principal, run_id: str, path: str) -> ASGIResponse:
        return await send(request, principal, ArtifactOwner.run(run_id), path)

    @get("/logged-models/{model_id:str}", summary="A logged model")
    async def model(principal: Principal, model_id: str) -> LoggedModelView:
        return logged_model_view(await tracking.logged_model(principal, model_id, deleted=True))

    @get("/logged-models/{model_id:str}/artifacts", summary="Entries of a folder of a logged model's files")
    async def model_files(principal: Principal, model_id: str, path: str = "") -> list[ListedArtifact]:
        return await tracking.list_folder(principal, ArtifactOwner.model(model_id), path)

    @route(
        "/logged-models/{model_id:str}/artifacts/{path:path}",
        http_method=["GET", "HEAD"],
        summary="A file of a logged model, or a range of it",
        media_type="application/octet-stream",
    )
    async def model_file(request: Ask, principal: Principal, model_id: str, path: str) -> ASGIResponse:
        return await send(request, principal, ArtifactOwner.model(model_id), path)

    return Router(
        "/api/v1",
        route_handlers=[
            experiments,
            runs,
            run,
            *_series_routes(tracking),
            run_files,
            run_file,
            model,
            model_files,
            model_file,
        ],
        tags=["tracking"],
    )


def _series_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """A metric's points: drawn, whole, and as they come."""

    @get("/runs/{run_id:str}/metric-buckets", summary="A metric's series in ranges of steps, for drawing")
    async def buckets(
        principal: Principal,
        run_id: str,
        key: str,
        count: Annotated[int, Parameter(ge=1, le=5000)] = 400,
        first: int | None = None,
        last: int | None = None,
    ) -> list[Bucket]:
        return await tracking.metric_buckets(principal, run_id, key, count, first, last)

    @get(
        "/runs/{run_id:str}/metric-points",
        summary="Every point of a metric as an Arrow IPC stream: step, timestamp, value",
        media_type="application/vnd.apache.arrow.stream",
    )
    async def points(
        principal: Principal, run_id: str, key: str, first: int | None = None, last: int | None = None
    ) -> Response[bytes]:
        content = await tracking.metric_arrow(principal, run_id, key, first, last)
        return Response(content, media_type="application/vnd.apache.arrow.stream")

    @get(
        "/runs/{run_id:str}/metric-events",
        summary="The latest points of a run's metrics, then new ones as they come (Server-Sent Events)",
        media_type="text/event-stream",
    )
    async def events(principal: Principal, run_id: str, key: list[str] | None = None) -> ServerSentEvent:
        await tracking.get_run(principal, run_id)  # refused before anything is streamed
        return ServerSentEvent(_events(tracking.follow_metrics(principal, run_id, key or [])))

    return [buckets, points, events]


async def _events(news: AsyncIterator[News]) -> AsyncIterator[dict[str, str]]:
    """`metrics` events with what is new, then one `end` when the run has ended."""
    async for each in news:
        ended = each.status.ended and not each.metrics
        yield {"event": "end" if ended else "metrics", "data": msgspec.json.encode(each).decode()}
