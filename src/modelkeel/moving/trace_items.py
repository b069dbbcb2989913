"""Traces and evaluation data sets as items, and their fields as they are merged. Pure."""

from collections.abc import Iterable

from modelkeel.core.hashing import sha256
from modelkeel.moving.ground import fields
from modelkeel.moving.models import Base
from modelkeel.traces.evaluation_models import EvaluationDataset, EvaluationRecord
from modelkeel.traces.importing import HeldTrace
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import (
    OWN_IDS,
    EvaluationItem,
    RecordItem,
    RecordsItem,
    TraceItem,
    assessment_text,
    records_digest,
    trace_digest,
)

_LONG = 80
PARTS = ("state", "request_time", "duration", "client_request", "request_preview", "response_preview")


def trace_item(held: HeldTrace) -> TraceItem:
    """A trace that is here."""
    trace = held.trace
    return TraceItem(
        trace.id,
        trace.experiment,
        trace.state.value,
        trace.request_time,
        trace.duration,
        trace.client_request,
        trace.request_preview,
        trace.response_preview,
        trace.metadata,
        trace.tags,
        trace.assessments,
        held.runs,
    )


def trace_fields(item: TraceItem) -> Base:
    """A trace's fields: long values by their digest, ids that each side may give itself not at all."""
    flat: Base = {name: _short(str(getattr(item, name))) for name in PARTS if getattr(item, name) is not None}
    flat |= {f"tag:{key}": _short(value) for key, value in item.tags.items()}
    flat |= {f"meta:{key}": "" if key in OWN_IDS else _short(value) for key, value in item.metadata.items()}
    flat |= {f"assessment:{one.get('assessment_id')}": _short(assessment_text(one)) for one in item.assessments}
    flat |= {f"run:{run}": "" for run in item.runs}
    return flat


def trace_summary(item: TraceItem, spans: Iterable[str]) -> wire.Summary:
    """What a trace holds; `spans` are the digests of its spans."""
    of_spans = list(spans)
    return wire.Summary(
        tags=len(item.tags),
        spans=len(of_spans),
        assessments=len(item.assessments),
        links=len(item.runs),
        content=trace_digest(item, of_spans),
    )


def evaluation_item(dataset: EvaluationDataset, keys: list[str]) -> EvaluationItem:
    """An evaluation data set that is here."""
    return EvaluationItem(
        dataset.id,
        dataset.name,
        dataset.created,
        dataset.updated,
        dataset.schema,
        dataset.created_by,
        dataset.updated_by,
        dataset.tags,
        dataset.experiments,
        keys,
    )


def evaluation_fields(item: EvaluationItem) -> Base:
    """An evaluation data set's fields."""
    return fields(item.tags, name=item.name) | {f"experiment:{one}": "" for one in item.experiments}


def evaluation_summary(item: EvaluationItem, records: dict[str, str]) -> wire.Summary:
    """What an evaluation data set holds; `records` are the digests of its records by their keys."""
    digest = records_digest(item, records.items())
    return wire.Summary(tags=len(item.tags), records=len(records), content=digest)


def record_item(record: EvaluationRecord) -> RecordItem:
    """A record that is here."""
    return RecordItem(record.id, record.key, record.created, record.updated, record.content)


def agreed_trace(item: TraceItem | EvaluationItem | RecordsItem, here: str) -> tuple[str, str, str, Base]:
    """Kind, id there, id here and fields of something of ours that another server now has."""
    match item:
        case TraceItem():
            return "trace", here, item.id, trace_fields(item)
        case EvaluationItem():
            return "evaluation_dataset", here, item.id, evaluation_fields(item)
        case RecordsItem():
            return "evaluation_dataset.records", here, item.dataset, {one.key: one.digest for one in item.records}


def _short(text: str) -> str:
    return text if len(text) <= _LONG else sha256(text.encode())
