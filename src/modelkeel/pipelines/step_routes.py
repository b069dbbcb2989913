"""Steps of pipeline runs, the step cache and verdicts on reruns over HTTP."""

from litestar import Router, get, post

from modelkeel.core.access import Principal
from modelkeel.pipelines.paying import Paid
from modelkeel.pipelines.reproductions import Reproductions
from modelkeel.pipelines.steps import Steps
from modelkeel.wire.pipelines import CachedStep, Decide, Lookup, Reports, StepRun
from modelkeel.wire.reproductions import RecordedReproduction, Reproduction


def router(steps: Steps, paid: Paid, reproductions: Reproductions) -> Router:
    """`/api/v1/pipelines/runs/…/steps`, `/pipelines/cache`, `/reproductions`."""

    @post("/pipelines/runs/{run_id:str}/steps", summary="Report steps", opt={"writes": "record"}, status_code=204)
    async def report(principal: Principal, run_id: str, data: Reports) -> None:
        await steps.report(principal, run_id, data.steps)

    @get("/pipelines/runs/{run_id:str}/steps/{index:int}", summary="One step of a run")
    async def step(principal: Principal, run_id: str, index: int) -> StepRun:
        return await steps.step(principal, run_id, index)

    @get("/pipelines/runs/{run_id:str}/steps/{index:int}/log", summary="What a step printed", media_type="text/plain")
    async def log(principal: Principal, run_id: str, index: int) -> str:
        return await steps.log(principal, run_id, index)

    @post(
        "/pipelines/runs/{run_id:str}/steps/{index:int}/decide",
        summary="Answer a step that waits for a person",
        opt={"writes": "record"},
        status_code=200,
    )
    async def decide(principal: Principal, run_id: str, index: int, data: Decide) -> StepRun:
        return await steps.decide(principal, run_id, index, data)

    @post("/pipelines/cache", summary="Which results are there already?", opt={"writes": "nothing"}, status_code=200)
    async def lookup(principal: Principal, data: Lookup) -> list[CachedStep]:
        return await paid.lookup(principal, data.keys)

    @post("/reproductions", summary="Record a verdict on a rerun", opt={"writes": "record"})
    async def record(principal: Principal, data: Reproduction) -> RecordedReproduction:
        return await reproductions.record(principal, data)

    @get("/reproductions", summary="Verdicts on reruns, newest first")
    async def verdicts(principal: Principal, run_id: str | None = None) -> list[RecordedReproduction]:
        return await reproductions.verdicts(principal, run_id)

    return Router("/api/v1", route_handlers=[report, step, log, decide, lookup, record, verdicts], tags=["pipelines"])
