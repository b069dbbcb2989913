"""Where a trace or an evaluation data set from elsewhere goes: merged or made, with the record of its origin."""

from collections.abc import Callable
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.moving.ground import Ground, more, outcome
from modelkeel.moving.models import Base, Origin, merge
from modelkeel.moving.trace_items import (
    PARTS,
    evaluation_fields,
    evaluation_item,
    evaluation_summary,
    trace_fields,
    trace_item,
    trace_summary,
)
from modelkeel.storage.transaction import Tx
from modelkeel.traces.evaluation_models import EvaluationDataset, EvaluationRecord
from modelkeel.traces.models import State, Trace
from modelkeel.traces.service import Traces
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import (
    OWN_IDS,
    EvaluationItem,
    RecordsItem,
    SpansItem,
    TraceItem,
    span_digest,
    written_digest,
)

_RECORDS = "evaluation_dataset.records"


class TracePlacing:
    """Takes traces and evaluation data sets of one peer.

    Args:
        ground: knows the peer's things here, and who imports.
        traces: where they go.
    """

    def __init__(self, ground: Ground, traces: Traces) -> None:
        self._ground = ground
        self._traces = traces
        self._principal = ground.principal
        self.ways: dict[type, Callable[[Tx, Any], wire.Outcome]] = {
            TraceItem: self._trace,
            SpansItem: self._spans,
            EvaluationItem: self._evaluation,
            RecordsItem: self._records,
        }

    def done(self, tx: Tx, item: wire.DoneItem) -> wire.Outcome:
        """Compares what came; what is whole gets its mark."""
        holds = self._holds_trace(tx, item.id) if item.kind == "trace" else self._holds_evaluation(tx, item.id)
        same = holds == item.sent
        ours = self._ground.here(tx, item.kind, item.id) if item.kind == "evaluation_dataset" else item.id
        before = self._ground.origin(tx, item.kind, item.id) or Origin(ours)
        if same and item.kind == "evaluation_dataset" and item.updated:
            self._traces.dataset_came(tx, ours, item.updated)
        if same or more(holds, item.sent):
            self._ground.keep(tx, item.kind, item.id, Origin(ours, before.base, item.mark))
        return wire.Outcome("done", item.id, ours, "same" if same else "kept", holds=holds)

    def _trace(self, tx: Tx, item: TraceItem) -> wire.Outcome:
        mapped = self._mapped(tx, item)
        before = self._ground.origin(tx, "trace", item.id)
        held = self._traces.held_trace(tx, self._principal, item.id)
        theirs = trace_fields(mapped)
        if held is None:
            given = _trace(mapped, mapped.experiment)
            self._traces.add_trace(tx, self._principal, given, mapped.runs, self._ground.by)
            self._ground.keep(tx, "trace", item.id, Origin(item.id, theirs))
            return wire.Outcome("trace", item.id, item.id, "made")
        here = trace_item(held)
        merged = merge(before.base if before else None, theirs, trace_fields(here))
        if merged.changes:
            taken = _taken(here, mapped, merged.changes)
            gone = [field for field, value in merged.changes.items() if value is None]
            given = _trace(taken, held.trace.experiment)
            self._traces.link_trace(tx, held, taken.runs)
            self._traces.change_trace(tx, self._principal, held, given, gone, self._ground.by)
        self._ground.keep(tx, "trace", item.id, Origin(item.id, merged.base))
        return outcome("trace", item.id, item.id, bool(merged.changes), merged.conflicts)

    def _mapped(self, tx: Tx, item: TraceItem) -> TraceItem:
        """A trace that names things by the ids that they have here."""
        assessments = [
            {**one, "metadata": self._own(tx, one["metadata"])} if isinstance(one.get("metadata"), dict) else one
            for one in item.assessments
        ]
        return msgspec.structs.replace(
            item,
            experiment=self._ground.experiment_here(tx, item.experiment),
            metadata=self._own(tx, item.metadata),
            assessments=assessments,
            runs=[self._ground.here(tx, "run", run) for run in item.runs],
        )

    def _own(self, tx: Tx, metadata: dict[str, str]) -> dict[str, str]:
        return {
            key: self._ground.here(tx, OWN_IDS[key], value) if key in OWN_IDS and value else value
            for key, value in metadata.items()
        }

    def _spans(self, tx: Tx, item: SpansItem) -> wire.Outcome:
        self._traces.add_spans(tx, self._principal, item.trace, item.spans)
        return wire.Outcome("spans", item.trace, item.trace)

    def _holds_trace(self, tx: Tx, identity: str) -> wire.Summary:
        held = self._traces.held_trace(tx, self._principal, identity)
        if held is None:
            raise NotFound(f"Trace with ID '{identity}' not found.")
        return trace_summary(trace_item(held), map(span_digest, self._traces.span_contents(tx, held.number)))

    def _evaluation(self, tx: Tx, item: EvaluationItem) -> wire.Outcome:
        who, by = self._principal, self._ground.by
        before = self._ground.origin(tx, "evaluation_dataset", item.id)
        ours = self._ground.here(tx, "evaluation_dataset", item.id)
        why = "" if ours == item.id else "its id is taken"
        places = [self._ground.origin(tx, "experiment", one) for one in item.experiments]
        mapped = msgspec.structs.replace(item, experiments=[one.ours for one in places if one is not None])
        theirs, held = evaluation_fields(mapped), self._traces.held_dataset(tx, who, ours)
        if held is None:
            given = EvaluationDataset(
                ours,
                item.name,
                "",
                item.created,
                item.updated,
                item.tags,
                item.schema,
                0,
                item.created_by,
                item.updated_by,
                mapped.experiments,
            )
            self._traces.add_dataset(tx, who, given, by)
            self._ground.keep(tx, "evaluation_dataset", item.id, Origin(ours, theirs))
            self._ground.keep(tx, _RECORDS, item.id, Origin(ours))
            return wire.Outcome("evaluation_dataset", item.id, ours, "made", why=why)
        merged = merge(before.base if before else None, theirs, evaluation_fields(evaluation_item(held, [])))
        if merged.changes:
            self._traces.change_dataset(tx, who, ours, merged.changes, by)
        self._ground.keep(tx, "evaluation_dataset", item.id, Origin(ours, merged.base))
        removed, changed_here = self._remove(tx, item, ours)
        conflicts = merged.conflicts + [f"record {key[:16]}" for key in changed_here]
        return outcome("evaluation_dataset", item.id, ours, bool(merged.changes or removed), conflicts, why)

    def _remove(self, tx: Tx, item: EvaluationItem, ours: str) -> tuple[list[str], list[str]]:
        """Takes away what was removed at the source; returns the keys, and those of what was changed here and stays."""
        before = self._ground.origin(tx, _RECORDS, item.id)
        base: Base = (before.base if before else None) or {}
        missing = base.keys() - set(item.keys)
        if not missing:
            return [], []
        held = self._traces.record_digests(tx, ours)
        removed = sorted(key for key in missing if held.get(key) == base[key])
        if removed:
            self._traces.remove_records(tx, self._principal, ours, removed, self._ground.by)
        changed_here = sorted(key for key in missing if held.get(key) not in {None, base[key]})
        left = {key: value for key, value in base.items() if key not in missing or key in changed_here}
        self._ground.keep(tx, _RECORDS, item.id, Origin(ours, left))
        return removed, changed_here

    def _records(self, tx: Tx, item: RecordsItem) -> wire.Outcome:
        ours = self._ground.here(tx, "evaluation_dataset", item.dataset)
        before = self._ground.origin(tx, _RECORDS, item.dataset)
        base: Base = (before.base if before else None) or {}
        theirs: Base = {}
        for record in item.records:
            if not isinstance(record.content.get("inputs"), dict) or record.key != written_digest(
                record.content["inputs"]
            ):
                raise InvalidInput(f"A record of {item.dataset} has another key than its inputs have.")
            theirs[record.key] = record.digest
        held = self._traces.record_digests(tx, ours)
        merged = merge({key: base[key] for key in theirs if key in base}, theirs, dict(held))
        new = [
            EvaluationRecord(record.id, record.created, record.updated, record.content)
            for record in item.records
            if record.key in merged.changes
        ]
        if new:
            self._traces.set_records(tx, self._principal, ours, new, self._ground.by)
        self._ground.keep(tx, _RECORDS, item.dataset, Origin(ours, {**base, **merged.base}))
        conflicts = [f"record {key[:16]}" for key in merged.conflicts]
        return outcome("records", item.dataset, ours, bool(new), conflicts)

    def _holds_evaluation(self, tx: Tx, theirs: str) -> wire.Summary:
        ours = self._ground.here(tx, "evaluation_dataset", theirs)
        held = self._traces.held_dataset(tx, self._principal, ours)
        if held is None:
            raise NotFound(f"Evaluation dataset with id '{theirs}' not found")
        return evaluation_summary(evaluation_item(held, []), self._traces.record_digests(tx, ours))


def _trace(item: TraceItem, experiment: str) -> Trace:
    return Trace(
        id=item.id,
        experiment=experiment,
        state=State(item.state),
        request_time=item.request_time,
        duration=item.duration,
        client_request=item.client_request,
        request_preview=item.request_preview,
        response_preview=item.response_preview,
        metadata=item.metadata,
        tags=item.tags,
        assessments=item.assessments,
    )


def _taken(here: TraceItem, theirs: TraceItem, changes: Base) -> TraceItem:
    """What is here, with the changed fields of theirs; of assessments and runs only the changed ones."""
    changed = {field for field, value in changes.items() if value is not None}
    parts = {name: getattr(theirs, name) for name in PARTS if name in changed}
    metadata = {key: value for key, value in theirs.metadata.items() if f"meta:{key}" in changed}
    tags = {key: value for key, value in theirs.tags.items() if f"tag:{key}" in changed}
    return msgspec.structs.replace(
        here,
        **parts,
        metadata={**here.metadata, **metadata},
        tags={key: value for key, value in {**here.tags, **tags}.items() if f"tag:{key}" not in changes or key in tags},
        assessments=[one for one in theirs.assessments if f"assessment:{one.get('assessment_id')}" in changed],
        runs=[run for run in theirs.runs if f"run:{run}" in changed],
    )
