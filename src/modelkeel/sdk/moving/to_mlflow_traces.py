"""Traces and evaluation data sets into a stock MLflow database, by MLflow's own store and table classes."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from modelkeel.sdk.moving.from_mlflow_traces import written_span
from modelkeel.sdk.moving.source import Source
from modelkeel.wire.moving_traces import (
    RecordItem,
    TraceItem,
    records_digest,
    span_digest,
    trace_digest,
    written_digest,
)

AT_ONCE = 8 << 20
_WRAPPED = "mlflow_wrapped"
LONGEST_ID = 50
"""Characters of a trace's id in MLflow's database."""
_NUMBERS = {"mlflow.trace.tokenUsage", "mlflow.trace.cost"}
"""Metadata that MLflow keeps as numbers, and writes anew."""
Shape = tuple[frozenset[str], frozenset[str]]
"""The keys of a trace's metadata and tags; MLflow adds some of its own."""


class TraceExport:
    """The part of an `Export` for traces and evaluation data sets.

    Args:
        source: what to write.
        store: MLflow's, on the new database.
        tables: the module of MLflow's table classes.
        experiments: their ids in the new database, by ours.
        notes: what a person should read.
        tell: counts something.
    """

    def __init__(
        self,
        source: Source,
        store: Any,
        tables: Any,
        experiments: Mapping[str, str],
        notes: list[str],
        tell: Callable[[str, int], None],
    ) -> None:
        self._source = source
        self._store = store
        self._t = tables
        self._experiments = experiments
        self._notes = notes
        self._tell = tell
        self._sums: dict[str, str] = {}
        self._shapes: dict[str, Shape] = {}
        self._known: dict[Shape, Shape] = {}  # most traces have the same keys

    def write_traces(self, experiment: str) -> None:
        """Writes an experiment's traces. The experiment has to be active still: MLflow logs to no other."""
        for batch in self._source.traces(experiment):
            for one in batch:
                self._write_trace(one.item)
            self._tell("traces", len(batch))

    def write_evaluations(self) -> None:
        """Writes the evaluation data sets."""
        for one in self._source.evaluations():
            item, t = one.item, self._t
            at = [self._experiments[e] for e in item.experiments if e in self._experiments]
            row = {
                "dataset_id": item.id,
                "name": item.name,
                "schema": item.schema,
                "profile": json.dumps({"num_records": len(item.keys)}) if item.keys else None,
                "digest": one.mark[:32],
                "created_time": item.created,
                "last_update_time": item.updated,
                "created_by": item.created_by,
                "last_updated_by": item.updated_by,
            }
            tags = [{"dataset_id": item.id, "key": key, "value": value} for key, value in item.tags.items()]
            links = [_link("evaluation_dataset", item.id, "experiment", e, item.created) for e in at]
            self._insert(t.SqlEvaluationDataset, [row])
            self._insert(t.SqlEvaluationDatasetTag, tags)
            self._insert(t.SqlEntityAssociation, links)
            digests: list[tuple[str, str]] = []
            for part in self._source.records(item.id):
                self._insert(t.SqlEvaluationDatasetRecord, [_record_row(item.id, record) for record in part])
                digests += [(record.key, written_digest(_told(record))) for record in part]
                self._tell("records", len(part))
            self._sums[item.id] = records_digest(msgspec.structs.replace(item, experiments=at), digests)
            self._tell("evaluation_datasets", 1)

    def differences(self, back: Source) -> list[str]:
        """Ids of what is otherwise in the new database than at the source."""
        found: dict[str, str] = {}
        for experiment in self._experiments.values():
            for batch in back.traces(experiment):
                for one in batch:
                    spans = [span_digest(span) for part in back.spans(one.item.id) for span in part]
                    if shape := self._shapes.get(one.item.id):
                        found[one.item.id] = trace_digest(_comparable(one.item, shape), spans)
        for dataset in back.evaluations():
            records = [record for part in back.records(dataset.item.id) for record in part]
            digests = [(record.key, written_digest(_told(record))) for record in records]
            found[dataset.item.id] = records_digest(dataset.item, digests)
        return [identity for identity, digest in self._sums.items() if found.get(identity) != digest]

    @property
    def verified(self) -> int:
        """How many things are compared."""
        return len(self._sums)

    def _write_trace(self, item: TraceItem) -> None:
        from mlflow.entities import TraceInfo, TraceLocation, TraceState

        if len(item.id) > LONGEST_ID:
            self._notes.append(f"trace {item.id} is left out: MLflow's ids have {LONGEST_ID} characters at most")
            return
        at = self._experiments[item.experiment]
        said = [_assessment(one) for one in item.assessments]
        info = TraceInfo(
            item.id,
            TraceLocation.from_experiment_id(at),
            item.request_time,
            TraceState(item.state),
            request_preview=item.request_preview,
            response_preview=item.response_preview,
            client_request_id=item.client_request,
            execution_duration=item.duration,
            trace_metadata=dict(item.metadata),
            tags=dict(item.tags),
            assessments=said,
        )
        self._store.start_trace(info)
        self._insert(
            self._t.SqlEntityAssociation, [_link("trace", item.id, "run", r, item.request_time) for r in item.runs]
        )
        digests: list[str] = []
        waiting: list[str] = []
        size = 0
        for part in self._source.spans(item.id):
            for span in part:
                waiting.append(span)
                size += len(span)
                if size > AT_ONCE:
                    digests += self._write_spans(at, waiting)
                    waiting, size = [], 0
        digests += self._write_spans(at, waiting)
        self._settle(item)
        self._tell("spans", len(digests))
        shape = (frozenset(item.metadata) - _NUMBERS, frozenset(item.tags))
        self._shapes[item.id] = self._known.setdefault(shape, shape)
        self._sums[item.id] = trace_digest(_comparable(item, shape), digests)

    def _settle(self, item: TraceItem) -> None:
        """Sets what MLflow's store derives from the spans, and that it takes each assessment as valid, back."""
        trace, said = self._t.SqlTraceInfo, self._t.SqlAssessments
        told = {
            "timestamp_ms": item.request_time,
            "execution_time_ms": item.duration,
            "status": item.state,
            "request_preview": item.request_preview,
            "response_preview": item.response_preview,
        }
        over = [one["assessment_id"] for one in item.assessments if one.get("valid") is False]
        with self._store.ManagedSessionMaker() as session:
            row = session.query(trace).filter(trace.request_id == item.id)
            row.update(told, synchronize_session=False)
            if over:
                rows = session.query(said).filter(said.assessment_id.in_(over))
                rows.update({"valid": False}, synchronize_session=False)

    def _write_spans(self, experiment: str, contents: list[str]) -> list[str]:
        """Writes some spans; returns digests of them as MLflow is to have them."""
        if not contents:
            return []
        spans = [_span(content) for content in contents]
        self._store.log_spans(experiment, spans)
        return [_kept_digest(span) for span in spans]

    def _insert(self, table: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            with self._store.ManagedSessionMaker() as session:
                session.bulk_insert_mappings(table, rows)


def _comparable(item: TraceItem, shape: Shape) -> TraceItem:
    """A trace without what MLflow adds to it."""
    metadata, tags = shape
    return msgspec.structs.replace(
        item,
        metadata={key: value for key, value in item.metadata.items() if key in metadata},
        tags={key: value for key, value in item.tags.items() if key in tags},
        assessments=[
            {key: value for key, value in one.items() if (key, value) != ("valid", True)} for one in item.assessments
        ],
    )


def _assessment(content: dict[str, Any]) -> Any:
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
    from mlflow.entities.assessment import Assessment
    from mlflow.protos.assessments_pb2 import Assessment as Message

    made = Assessment.from_proto(ParseDict(content, Message(), ignore_unknown_fields=True))
    made.overrides = content.get("overrides")  # an expectation's is not read
    return made


def _span(content: str) -> Any:
    from google.protobuf.json_format import ParseDict
    from mlflow.entities.span import Span
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

    message = ParseDict(json.loads(content), Message(), ignore_unknown_fields=True)
    return Span.from_otel_proto(message, preserve_request_id=True)


def _kept_digest(span: Any) -> str:
    """Of a span as MLflow reads it again: it names some attributes of other tools its own way."""
    from mlflow.entities.span import LazySpan
    from mlflow.tracing.otel.translation import translate_span_when_storing
    from mlflow.tracing.utils import TraceJSONEncoder

    stored = json.dumps(translate_span_when_storing(span), cls=TraceJSONEncoder, ensure_ascii=False)
    return span_digest(written_span(LazySpan.from_stored_content(stored)))


def _told(record: RecordItem) -> dict[str, Any]:
    """A record's content as MLflow has it: what is empty may be missing."""
    return {key: value for key, value in record.content.items() if value not in (None, {})}


def _record_row(dataset: str, record: RecordItem) -> dict[str, Any]:
    content = record.content
    outputs = content.get("outputs")
    return {
        "dataset_record_id": record.id,
        "dataset_id": dataset,
        "inputs": content["inputs"],
        "outputs": None if outputs is None else {_WRAPPED: outputs},
        "expectations": content.get("expectations"),
        "tags": content.get("tags"),
        "source": content.get("source"),
        "source_id": content.get("source_id"),
        "source_type": content.get("source_type"),
        "created_time": record.created,
        "last_update_time": record.updated,
        "created_by": content.get("created_by"),
        "last_updated_by": content.get("last_updated_by"),
        "input_hash": record.key,
    }


def _link(source_type: str, source: str, target_type: str, target: str, time: int) -> dict[str, Any]:
    return {
        "association_id": f"a-{uuid.uuid4().hex}"[:36],
        "source_type": source_type,
        "source_id": source,
        "destination_type": target_type,
        "destination_id": target,
        "created_time": time,
    }
