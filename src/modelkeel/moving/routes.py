"""Moving in and out over HTTP."""

from typing import Annotated

from litestar import Router, get, post
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.moving.reading import MovingOut
from modelkeel.moving.service import Moving
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import ExportedEvaluation, RecordsPage, SpansPage, TracesPage

LARGEST_BODY = 64 << 20


def imports_router(moving: Moving) -> Router:
    """`/api/v1/imports…`."""

    @get("/imports", summary="Imports and syncs, latest first")
    async def imports(principal: Principal) -> list[wire.ImportView]:
        return await moving.imports(principal)

    @post("/imports", summary="Begin an import, or go on with one", opt={"writes": "record"})
    async def begin(principal: Principal, data: wire.Begin) -> wire.ImportView:
        return await moving.begin(principal, data)

    @get("/imports/{identity:str}", summary="An import and its report")
    async def one(principal: Principal, identity: str) -> wire.ImportView:
        return await moving.one(principal, identity)

    @post(
        "/imports/{identity:str}/items",
        summary="Take things from elsewhere",
        opt={"writes": "record"},
        status_code=200,
        request_max_body_size=LARGEST_BODY,
    )
    async def take(principal: Principal, identity: str, data: wire.Items) -> list[wire.Outcome]:
        return await moving.take(principal, identity, data.items)

    @post(
        "/imports/{identity:str}/known",
        summary="Which of these came over whole and are still the same?",
        opt={"writes": "nothing"},
        status_code=200,
    )
    async def known(principal: Principal, identity: str, data: wire.Known) -> list[str]:
        return await moving.known(principal, identity, data)

    @post("/imports/{identity:str}/end", summary="End an import with its report", opt={"writes": "record"})
    async def end(principal: Principal, identity: str, data: wire.Report) -> wire.ImportView:
        return await moving.end(principal, identity, data)

    @post(
        "/imports/agreed",
        summary="Note what another server now has of ours",
        opt={"writes": "nothing"},
        request_max_body_size=LARGEST_BODY,
    )
    async def agree(principal: Principal, data: wire.Agreed) -> None:
        await moving.agree(principal, data)

    return Router("/api/v1", route_handlers=[imports, begin, one, take, known, end, agree], tags=["moving"])


def exports_router(moving: Moving, out: MovingOut) -> Router:
    """`/api/v1/exports…`."""

    @get("/exports/here", summary="This workspace as others name it")
    async def here(principal: Principal) -> wire.Here:
        return moving.here(principal)

    @get("/exports/experiments", summary="All experiments, whole")
    async def experiments(principal: Principal) -> list[wire.ExperimentItem]:
        return await out.experiments(principal)

    @get("/exports/runs", summary="All runs of an experiment, whole but for their points")
    async def runs(
        principal: Principal, experiment: str, after: int = 0, limit: Annotated[int, Parameter(ge=1, le=500)] = 100
    ) -> wire.RunsPage:
        return await out.runs(principal, experiment, after, limit)

    @get("/exports/runs/{run_id:str}/points", summary="All points of a metric of a run")
    async def points(
        principal: Principal,
        run_id: str,
        key: str,
        start: Annotated[int, Parameter(ge=0)] = 0,
        limit: Annotated[int, Parameter(ge=1, le=200_000)] = 50_000,
    ) -> wire.PointsPage:
        return await out.points(principal, run_id, key, start, limit)

    @get("/exports/logged-models", summary="All logged models of an experiment, whole")
    async def logged_models(principal: Principal, experiment: str) -> list[wire.ExportedLoggedModel]:
        return await out.logged_models(principal, experiment)

    @get("/exports/models", summary="All registered models with versions and aliases")
    async def models(principal: Principal) -> list[wire.ExportedModel]:
        return await out.models(principal)

    @get("/exports/traces", summary="All traces of an experiment, whole but for their spans")
    async def traces(
        principal: Principal, experiment: str, after: int = 0, limit: Annotated[int, Parameter(ge=1, le=500)] = 100
    ) -> TracesPage:
        return await out.traces(principal, experiment, after, limit)

    @get("/exports/traces/{trace_id:str}/spans", summary="All spans of a trace")
    async def spans(principal: Principal, trace_id: str, start: Annotated[int, Parameter(ge=0)] = 0) -> SpansPage:
        return await out.spans(principal, trace_id, start)

    @get("/exports/evaluation-datasets", summary="All evaluation data sets, whole but for their records")
    async def evaluation_datasets(principal: Principal) -> list[ExportedEvaluation]:
        return await out.evaluation_datasets(principal)

    @get("/exports/evaluation-datasets/{dataset_id:str}/records", summary="All records of an evaluation data set")
    async def records(
        principal: Principal,
        dataset_id: str,
        after: Annotated[int, Parameter(ge=0)] = 0,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 500,
    ) -> RecordsPage:
        return await out.records(principal, dataset_id, after, limit)

    tracked = [here, experiments, runs, points, logged_models, models]
    handlers = [*tracked, traces, spans, evaluation_datasets, records]
    return Router("/api/v1", route_handlers=handlers, tags=["moving"])
