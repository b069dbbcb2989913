"""Routes of traces and assessments. Spans come by OTLP: see `modelkeel.protocols.otlp`."""

from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Principal
from modelkeel.protocols.mlflow import trace_messages as t
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.traces.service import Traces

_NEW = ("3.0",)
_BOTH = ("2.0", "3.0")


def trace_routes(traces: Traces) -> list[HTTPRouteHandler]:
    """`/mlflow/traces…`."""

    async def start(principal: Principal, asked: t.StartTrace) -> t.OneTrace:
        found = await traces.start(principal, t.trace(asked.trace.trace_info))
        return t.OneTrace(t.OnlyInfo(t.info(found)))

    async def info(principal: Principal, asked: t.TraceId) -> t.OneTrace:
        return t.OneTrace(t.OnlyInfo(t.info(await traces.trace(principal, asked.trace_id))))

    async def get(principal: Principal, asked: t.TraceId) -> t.OneWhole:
        require(trace_id=asked.trace_id)
        return t.OneWhole(t.whole(await traces.whole(principal, asked.trace_id)))

    async def batch(principal: Principal, asked: t.TraceIds) -> t.ManyWhole:
        return t.ManyWhole([t.whole(f) for f in await traces.several(principal, asked.trace_ids, spans=True)])

    async def infos(principal: Principal, asked: t.TraceIds) -> t.ManyInfos:
        found = await traces.several(principal, asked.trace_ids, spans=False)
        return t.ManyInfos([t.info(trace) for trace, _ in found])

    async def search(principal: Principal, asked: t.SearchTraces) -> t.FoundTraces:
        places = [place.mlflow_experiment for place in asked.locations]
        found, token = await traces.search(
            principal,
            [place.experiment_id for place in places if place is not None],
            text=asked.filter,
            order_by=asked.order_by,
            limit=asked.max_results,
            token=asked.page_token,
        )
        return t.FoundTraces([t.info(trace) for trace in found], token)

    async def set_tag(principal: Principal, asked: t.TraceTag) -> None:
        require(key=asked.key)
        await traces.set_tag(principal, asked.trace_id, asked.key, asked.value)

    async def delete_tag(principal: Principal, asked: t.TraceTag) -> None:
        require(key=asked.key)
        await traces.delete_tag(principal, asked.trace_id, asked.key)

    async def delete(principal: Principal, asked: t.DeleteTraces) -> t.DeletedTraces:
        require(experiment_id=asked.experiment_id)
        count = await traces.delete(
            principal,
            asked.experiment_id,
            until=asked.max_timestamp_millis,
            most=asked.max_traces,
            trace_ids=asked.request_ids,
        )
        return t.DeletedTraces(count)

    async def link(principal: Principal, asked: t.LinkTraces) -> None:
        require(run_id=asked.run_id)
        await traces.link_to_run(principal, asked.trace_ids, asked.run_id)

    return [
        endpoint("POST", "/mlflow/traces", t.StartTrace, start, writes="measurement", versions=_NEW),
        endpoint("GET", "/mlflow/traces/get", t.TraceId, get, versions=_NEW),
        endpoint("GET", "/mlflow/traces/batchGet", t.TraceIds, batch, versions=_NEW),
        endpoint("POST", "/mlflow/traces/batchGetInfos", t.TraceIds, infos, writes="nothing", versions=_NEW),
        endpoint("POST", "/mlflow/traces/search", t.SearchTraces, search, writes="nothing", versions=_NEW),
        endpoint("POST", "/mlflow/traces/delete-traces", t.DeleteTraces, delete, writes="record", versions=_BOTH),
        endpoint("POST", "/mlflow/traces/link-to-run", t.LinkTraces, link, writes="record", versions=_BOTH),
        endpoint("GET", "/mlflow/traces/{trace_id}", t.TraceId, info, versions=_NEW),
        endpoint("PATCH", "/mlflow/traces/{trace_id}/tags", t.TraceTag, set_tag, writes="record", versions=_BOTH),
        endpoint("DELETE", "/mlflow/traces/{trace_id}/tags", t.TraceTag, delete_tag, writes="record", versions=_BOTH),
    ]


def assessment_routes(traces: Traces) -> list[HTTPRouteHandler]:
    """`/mlflow/traces/{trace_id}/assessments…`."""
    one = "/mlflow/traces/{trace_id}/assessments/{assessment_id}"

    async def create(principal: Principal, asked: t.GivenAssessment) -> t.OneAssessment:
        return t.OneAssessment(await traces.assess(principal, asked.trace_id, asked.assessment))

    async def get(principal: Principal, asked: t.AssessmentId) -> t.OneAssessment:
        return t.OneAssessment(await traces.assessment(principal, asked.trace_id, asked.assessment_id))

    async def update(principal: Principal, asked: t.GivenAssessment) -> t.OneAssessment:
        fields = [_snake(name) for name in asked.update_mask.split(",") if name]
        found = await traces.reassess(principal, asked.trace_id, asked.assessment_id, asked.assessment, fields)
        return t.OneAssessment(found)

    async def delete(principal: Principal, asked: t.AssessmentId) -> None:
        await traces.delete_assessment(principal, asked.trace_id, asked.assessment_id)

    return [
        endpoint(
            "POST",
            "/mlflow/traces/{trace_id}/assessments",
            t.GivenAssessment,
            create,
            writes="record",
            versions=_NEW,
        ),
        endpoint("GET", one, t.AssessmentId, get, versions=_NEW),
        endpoint("PATCH", one, t.GivenAssessment, update, writes="record", versions=_NEW),
        endpoint("DELETE", one, t.AssessmentId, delete, writes="record", versions=_NEW),
    ]


def _snake(name: str) -> str:
    """A field's name of a mask, which protobuf's JSON writes in camel case."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name.strip())
