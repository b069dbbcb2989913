"""Traces and evaluation data sets as they are moved, and the digests by which both sides compare them."""

import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from modelkeel.core.hashing import sha256

OWN_IDS: dict[str, Literal["run", "logged_model"]] = {
    "mlflow.sourceRun": "run",
    "mlflow.modelId": "logged_model",
    "mlflow.assessment.sourceRunId": "run",
}
"""Metadata that names a thing by its id, and its kind: where the thing has another id here, so has the metadata."""


class TraceItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="trace"):
    """A trace without its spans.

    Attributes:
        id: kept; it is unique in a workspace.
        experiment: below which it is.
        state: how far it is.
        request_time: its start, milliseconds since 1970.
        duration: milliseconds, once it ended.
        client_request: the caller's own id of the request.
        request_preview: the beginning of what was asked.
        response_preview: the beginning of what was answered.
        metadata: what does not change.
        tags: what may change.
        assessments: what was said of it, each as MLflow's protocol writes it, with `assessment_id`.
        runs: to which it was linked, but for the one that its metadata names.
    """

    id: str
    experiment: str
    state: Literal["STATE_UNSPECIFIED", "IN_PROGRESS", "OK", "ERROR"]
    request_time: int
    duration: int | None = None
    client_request: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[dict[str, Any]] = []
    runs: list[str] = []


class SpansItem(msgspec.Struct, frozen=True, tag_field="item", tag="spans"):
    """Some spans of a trace, each as OTLP's JSON with snake case names, base64 ids and texts for 64-bit numbers."""

    trace: str
    spans: list[str]


class EvaluationItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="evaluation_dataset"):
    """An evaluation data set without its records.

    Attributes:
        id: the source's.
        name: not unique.
        created: milliseconds since 1970.
        updated: milliseconds since 1970.
        schema: JSON that names the fields of its records.
        created_by: as the source says.
        updated_by: as the source says.
        tags: by key.
        experiments: to which it belongs, of those that are moved.
        keys: of all its records, so that what was removed at the source goes here too.
    """

    id: str
    name: str
    created: int
    updated: int
    schema: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    tags: dict[str, str] = {}
    experiments: list[str] = []
    keys: list[str] = []


class RecordItem(msgspec.Struct, frozen=True):
    """A record of an evaluation data set.

    Attributes:
        id: the source's.
        key: the SHA-256 of its inputs, which tells it from others of the set.
        created: milliseconds since 1970.
        updated: milliseconds since 1970.
        content: its inputs, outputs, expectations, tags, source and who wrote it, those that it has.
    """

    id: str
    key: str
    created: int
    updated: int
    content: dict[str, Any]

    @property
    def digest(self) -> str:
        """Of the content."""
        return written_digest(self.content)


class RecordsItem(msgspec.Struct, frozen=True, tag_field="item", tag="records"):
    """Some records of an evaluation data set."""

    dataset: str
    records: list[RecordItem]


class ExportedTrace(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trace to be moved, how many spans it has, and a mark that changes when it does (or nothing)."""

    trace: TraceItem
    spans: int
    mark: str = ""


class TracesPage(msgspec.Struct, frozen=True):
    """Some traces, and where the next page begins; None: there is none."""

    traces: list[ExportedTrace]
    next: int | None


class SpansPage(msgspec.Struct, frozen=True):
    """Some spans of a trace, and the number of the next one; None: that was all."""

    spans: list[str]
    next: int | None


class ExportedEvaluation(msgspec.Struct, frozen=True):
    """An evaluation data set to be moved, and a mark that changes when it does."""

    dataset: EvaluationItem
    mark: str


class RecordsPage(msgspec.Struct, frozen=True):
    """Some records, and where the next page begins; None: there is none."""

    records: list[RecordItem]
    next: int | None


def span_digest(content: str | bytes) -> str:
    """Of one span."""
    return sha256(content.encode() if isinstance(content, str) else content)


def trace_digest(item: TraceItem, spans: Iterable[str]) -> str:
    """Of all that a trace is, but for ids that each side may give itself.

    Args:
        item: the trace.
        spans: `span_digest` of each of its spans.
    """
    said = sorted(assessment_text(one) for one in item.assessments)
    whole = [
        [item.id, item.state, item.request_time, item.duration, item.client_request],
        [item.request_preview, item.response_preview],
        {key: "" if key in OWN_IDS else value for key, value in item.metadata.items()},
        item.tags,
        said,
        sorted(spans),
    ]
    return written_digest(whole)


def assessment_text(assessment: dict[str, Any]) -> str:
    """An assessment as one text, but for ids that each side may give itself."""
    told = {key: value for key, value in assessment.items() if key != "trace_id"}
    if isinstance(metadata := told.get("metadata"), dict):
        told["metadata"] = {key: "" if key in OWN_IDS else value for key, value in metadata.items()}
    return json.dumps(told, sort_keys=True)


def records_digest(item: EvaluationItem, records: Iterable[tuple[str, str]]) -> str:
    """Of all that an evaluation data set is, but for ids; each record by its key and digest."""
    return written_digest([item.name, item.created_by, item.tags, sorted(records)])


def written_digest(value: Any) -> str:
    """SHA-256 of a value's JSON with sorted keys. Not `digest_of`: MLflow's values may be NaN, or large integers."""
    return sha256(json.dumps(value, sort_keys=True).encode())
