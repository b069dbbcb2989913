"""Pipeline runs over HTTP."""

from typing import Annotated, Any

import msgspec
from litestar import Router, get, post, put
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.pipelines.launch import Launches
from modelkeel.pipelines.service import Pipelines
from modelkeel.wire.captures import Capture
from modelkeel.wire.pipelines import CancelRun, EndRun, PipelineRun, RunSummary, Savings, Started, StartRun

Limit = Annotated[int, Parameter(ge=1, le=1000)]
After = Annotated[int, Parameter(ge=-1, lt=1 << 31)]


class Launch(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a run in a worker process; `params` are what differs from the pipeline's last captured run."""

    params: dict[str, Any] = {}


class LaunchedRun(msgspec.Struct, frozen=True):
    """The id of a run that was started."""

    run_id: str


def router(pipelines: Pipelines, launches: Launches) -> Router:
    """`/api/v1/pipelines/…`."""

    @post("/pipelines/runs", summary="Start a pipeline run", opt={"writes": "record"})
    async def start(principal: Principal, data: StartRun) -> Started:
        return await pipelines.start(principal, data)

    @post("/pipelines/{pipeline:str}/launch", summary="Run a pipeline on the server", opt={"writes": "record"})
    async def launch(principal: Principal, pipeline: str, data: Launch) -> LaunchedRun:
        return LaunchedRun(await launches.launch(principal, pipeline, data.params, {}))

    @get("/pipelines/runs", summary="Pipeline runs, newest first")
    async def runs(
        principal: Principal, pipeline: str | None = None, before: int | None = None, limit: Limit = 100
    ) -> list[RunSummary]:
        return await pipelines.runs(principal, pipeline, before, limit)

    @get("/pipelines/runs/{run_id:str}", summary="A pipeline run with its steps and graph")
    async def run(principal: Principal, run_id: str, after: After = -1, limit: Limit | None = None) -> PipelineRun:
        return await pipelines.run(principal, run_id, after=after, limit=limit)

    @post("/pipelines/runs/{run_id:str}/cancel", summary="Cancel a run", opt={"writes": "record"}, status_code=204)
    async def cancel(principal: Principal, run_id: str, data: CancelRun) -> None:
        await launches.cancel(principal, run_id, data.reason)

    @put(
        "/pipelines/runs/{run_id:str}/capture",
        summary="What stood behind a run",
        opt={"writes": "record"},
        status_code=204,
    )
    async def capture(principal: Principal, run_id: str, data: Capture) -> None:
        await pipelines.capture(principal, run_id, data)

    @post("/pipelines/runs/{run_id:str}/end", summary="End a run", opt={"writes": "record"}, status_code=204)
    async def end(principal: Principal, run_id: str, data: EndRun) -> None:
        await pipelines.end(principal, run_id, data)

    @get("/pipelines/savings", summary="What the cache has spared")
    async def savings(principal: Principal) -> Savings:
        return await pipelines.savings(principal)

    return Router(
        "/api/v1",
        route_handlers=[
            start,
            launch,
            runs,
            run,
            cancel,
            capture,
            end,
            savings,
        ],
        tags=["pipelines"],
    )
