"""Traces as MLflow's protocol writes them, both ways."""

import re
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.traces.models import State, Trace

_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")


class MlflowExperiment(msgspec.Struct, omit_defaults=True):
    """A place below an experiment."""

    experiment_id: str = ""


class TraceLocation(msgspec.Struct):
    """Where a trace is; we know experiments only."""

    type: str = "MLFLOW_EXPERIMENT"
    mlflow_experiment: MlflowExperiment | None = None


class TraceInfo(msgspec.Struct, omit_defaults=True):
    """A trace without its spans."""

    trace_id: str = ""
    client_request_id: str | None = None
    trace_location: TraceLocation | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    request_time: str = ""
    execution_duration: str | None = None
    state: Literal["STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS"] = "STATE_UNSPECIFIED"
    trace_metadata: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []
    tags: dict[str, str] = {}


class OnlyInfo(msgspec.Struct):
    """A trace of which the spans are not shown."""

    trace_info: TraceInfo


class Whole(msgspec.Struct):
    """A trace with its spans."""

    trace_info: TraceInfo
    spans: list[msgspec.Raw] = []


class StartTrace(msgspec.Struct):
    """What a client tells of a trace."""

    trace: OnlyInfo


class OneTrace(msgspec.Struct):
    """A trace without spans."""

    trace: OnlyInfo


class OneWhole(msgspec.Struct):
    """A trace with spans."""

    trace: Whole


class TraceId(msgspec.Struct):
    """Names a trace."""

    trace_id: str = ""
    allow_partial: bool = False


class TraceIds(msgspec.Struct):
    """Names traces."""

    trace_ids: list[str] = []


class ManyWhole(msgspec.Struct):
    """Traces with spans."""

    traces: list[Whole]


class ManyInfos(msgspec.Struct):
    """Traces without spans."""

    trace_infos: list[TraceInfo]


class SearchTraces(msgspec.Struct):
    """A search."""

    locations: list[TraceLocation] = []
    filter: str | None = None
    max_results: int = 100
    order_by: list[str] = []
    page_token: str | None = None


class FoundTraces(msgspec.Struct, omit_defaults=True):
    """A page of a search."""

    traces: list[TraceInfo]
    next_page_token: str | None = None


class TraceTag(msgspec.Struct):
    """A tag of a trace; `value` only where it is set."""

    trace_id: str = ""
    key: str = ""
    value: str = ""


class DeleteTraces(msgspec.Struct):
    """Which traces go."""

    experiment_id: str = ""
    max_timestamp_millis: int | None = None
    max_traces: int | None = None
    request_ids: list[str] = []


class DeletedTraces(msgspec.Struct):
    """How many went."""

    traces_deleted: int


class LinkTraces(msgspec.Struct):
    """Traces that belong to a run."""

    trace_ids: list[str] = []
    run_id: str = ""


class AssessmentId(msgspec.Struct):
    """Names an assessment."""

    trace_id: str = ""
    assessment_id: str = ""


class GivenAssessment(msgspec.Struct):
    """An assessment, and for a change its fields that are meant, by commas."""

    assessment: dict[str, Any] = {}
    update_mask: str = ""
    trace_id: str = ""
    assessment_id: str = ""


class OneAssessment(msgspec.Struct):
    """An assessment."""

    assessment: dict[str, Any]


def trace(info: TraceInfo) -> Trace:
    """A trace as a client tells it.

    Raises:
        InvalidInput: it has no experiment, or a time that is none.
    """
    place = info.trace_location.mlflow_experiment if info.trace_location is not None else None
    if place is None or not place.experiment_id:
        raise InvalidInput("A trace has a trace_location of type MLFLOW_EXPERIMENT with an experiment_id.")
    return Trace(
        info.trace_id,
        place.experiment_id,
        State(info.state),
        _milliseconds(info.request_time),
        None if info.execution_duration is None else _length(info.execution_duration),
        info.client_request_id,
        info.request_preview,
        info.response_preview,
        info.trace_metadata,
        info.tags,
    )


def info(found: Trace) -> TraceInfo:
    """A trace as we tell it."""
    duration = None if found.duration is None else f"{found.duration // 1000}.{found.duration % 1000:03d}s"
    return TraceInfo(
        found.id,
        found.client_request,
        TraceLocation(mlflow_experiment=MlflowExperiment(found.experiment)),
        found.request_preview,
        found.response_preview,
        written(found.request_time),
        duration,
        found.state.value,
        found.metadata,
        found.assessments,
        found.tags,
    )


def whole(found: tuple[Trace, list[bytes]]) -> Whole:
    """A trace with spans as we tell it."""
    return Whole(info(found[0]), [msgspec.Raw(content) for content in found[1]])


def written(ms: int) -> str:
    """A time as protobuf's JSON writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _milliseconds(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"request_time is a time as in 2026-01-31T12:00:00.250Z, got '{text[:60]}'.") from None
    if found.tzinfo is None:
        raise InvalidInput("request_time names its time zone, as in 2026-01-31T12:00:00.250Z.")
    return round(found.timestamp() * 1000)


def _length(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidInput(f"execution_duration is a number of seconds as in 1.250s, got '{text[:60]}'.")
    return int(match[1]) * 1000 + round(int((match[2] or "0").ljust(9, "0")) / 1_000_000)
