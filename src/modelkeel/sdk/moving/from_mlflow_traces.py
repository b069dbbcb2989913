"""Traces and evaluation data sets of an MLflow, through MLflow's own client and stores."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from modelkeel.sdk.moving.source import SourceEvaluation, SourceTrace
from modelkeel.wire.moving_traces import EvaluationItem, RecordItem, TraceItem, written_digest

T = TypeVar("T")
BATCH = 100
READERS = 8
_LOCATION = "mlflow.artifactLocation"
_PLACE, _STORED = "mlflow.trace.spansLocation", "TRACKING_STORE"
_IN_STORE = {_STORED, "ARCHIVE_REPO"}
_RUN = "mlflow.sourceRun"
_UNKNOWN = {"ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "NOT_IMPLEMENTED", "INVALID_PARAMETER_VALUE"}
"""What a server or folder says that knows no such things."""


class MlflowTraces:
    """Reads them.

    Args:
        client: of the source.
        sql: MLflow's store on the source's database; None: it is a server or a folder.
        repository: the artifact repository of an address that a trace names.
    """

    def __init__(self, client: Any, sql: Any, repository: Callable[[str], Any]) -> None:
        self._client = client
        self._store = client._tracking_client.store
        self._sql = sql
        self._repository = repository
        self._places: dict[str, tuple[str, str]] = {}  # of the last batch: where its spans are, and its files

    def traces(self, experiment: str, runs: Sequence[str]) -> Iterator[list[SourceTrace]]:
        """An experiment's traces, oldest first, in batches; `runs` are the experiment's."""
        links: dict[str, list[str]] | None = None
        for infos in if_served(self._pages(experiment)):
            if self._sql is not None:
                links = self._sql_links([info.trace_id for info in infos])
            elif links is None:
                links = self._links(experiment, runs)
            self._places = {info.trace_id: (info.tags.get(_PLACE, ""), info.tags.get(_LOCATION, "")) for info in infos}
            yield [_trace(info, links.get(info.trace_id, [])) for info in infos]

    def spans(self, trace: str) -> Iterator[list[str]]:
        """The spans of a trace of the last batch."""
        from mlflow.entities.trace_data import TraceData

        place, files = self._places[trace]
        if place in _IN_STORE:
            found = self._stored(trace)
        elif files:
            found = TraceData.from_dict(self._downloaded(files)).spans
        else:
            found = []
        yield [written_span(span) for span in found]

    def evaluations(self, chosen: Collection[str], only: bool) -> Iterator[SourceEvaluation]:
        """Evaluation data sets.

        Args:
            chosen: ids of experiments that are moved.
            only: whether those of no chosen experiment are left out.
        """
        from mlflow.exceptions import MlflowException

        token = None
        while True:
            try:
                page = self._store.search_datasets(
                    experiment_ids=sorted(chosen) if only else None,
                    max_results=BATCH,
                    order_by=["created_time ASC"],
                    page_token=token,
                )
            except MlflowException as error:
                if error.error_code in _UNKNOWN:
                    return
                raise
            for one in page:
                yield self._evaluation(one)
            token = page.token
            if not token:
                return

    def records(self, dataset: str) -> Iterator[list[RecordItem]]:
        """An evaluation data set's records, oldest first."""
        token = None
        while True:
            found, token = self._store._load_dataset_records(dataset, max_results=BATCH, page_token=token)
            yield [_record(one) for one in found]
            if not token:
                return

    def _stored(self, trace: str) -> Any:
        """Spans that are kept with their trace."""
        from mlflow.exceptions import MlflowException

        try:
            return self._store.get_trace(trace, allow_partial=True).data.spans
        except MlflowException as error:
            if error.error_code not in _UNKNOWN:
                raise
        return [span for whole in self._store.batch_get_traces([trace]) for span in whole.data.spans]  # older servers

    def _pages(self, experiment: str) -> Iterator[list[Any]]:
        token = None
        while True:
            infos, token = self._store.search_traces(
                locations=[experiment], max_results=BATCH, order_by=["timestamp_ms ASC"], page_token=token
            )
            if infos:
                yield infos
            if not token:
                return

    def _downloaded(self, files: str) -> Any:
        from mlflow.exceptions import MlflowTraceDataNotFound

        try:
            return self._repository(files).download_trace_data()
        except MlflowTraceDataNotFound:
            return {"spans": []}  # it was started, and nothing more of it came

    def _sql_links(self, traces: list[str]) -> dict[str, list[str]]:
        from mlflow.store.tracking.dbmodels.models import SqlEntityAssociation as A

        links: dict[str, list[str]] = {}
        with self._sql.ManagedSessionMaker() as session:
            query = session.query(A.source_id, A.destination_id)
            query = query.filter(A.source_type == "trace", A.destination_type == "run", A.source_id.in_(traces))
            for trace, run in query:
                links.setdefault(trace, []).append(run)
        return links

    def _links(self, experiment: str, runs: Sequence[str]) -> dict[str, list[str]]:
        """A server says only which traces a run has, so each run is asked."""
        links: dict[str, list[str]] = {}
        with ThreadPoolExecutor(READERS) as pool:
            for run, traces in zip(runs, pool.map(lambda run: self._of_run(experiment, run), runs), strict=True):
                for trace in traces:
                    links.setdefault(trace, []).append(run)
        return links

    def _of_run(self, experiment: str, run: str) -> list[str]:
        from mlflow.exceptions import MlflowException

        found: list[str] = []
        token = None
        while True:
            try:
                infos, token = self._store.search_traces(
                    locations=[experiment],
                    filter_string=f"attributes.run_id = '{run}'",
                    max_results=BATCH,
                    page_token=token,
                )
            except MlflowException as error:
                if error.error_code in _UNKNOWN:
                    return []
                raise
            found += [info.trace_id for info in infos]
            if not token:
                return found

    def _evaluation(self, one: Any) -> SourceEvaluation:
        keys = [record.key for part in self.records(one.dataset_id) for record in part]
        item = EvaluationItem(
            one.dataset_id,
            one.name,
            one.created_time or 0,
            one.last_update_time or 0,
            one.schema,
            one.created_by,
            one.last_updated_by,
            dict(one.tags or {}),
            [str(experiment) for experiment in self._store.get_dataset_experiment_ids(one.dataset_id)],
            keys,
        )
        return SourceEvaluation(item, written_digest([msgspec.to_builtins(item), one.digest]))


def if_served(found: Iterator[T]) -> Iterator[T]:
    """What a server gives; nothing, if it is from before there was such a thing."""
    from mlflow.exceptions import MlflowException

    try:
        yield from found
    except MlflowException as error:
        if error.error_code != "ENDPOINT_NOT_FOUND":
            raise


def _trace(info: Any, links: list[str]) -> SourceTrace:
    """A trace by its info; it has no mark while it goes on.

    The tag that names the source's folder for its files is left out: the spans are stored with the trace here.
    """
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

    tags = {key: str(value) for key, value in info.tags.items() if key != _LOCATION}
    metadata = {key: str(value) for key, value in info.trace_metadata.items()}
    item = TraceItem(
        info.trace_id,
        str(info.experiment_id),
        info.state.value,
        info.request_time,
        info.execution_duration,
        info.client_request_id or None,
        info.request_preview,
        info.response_preview,
        metadata,
        {**tags, _PLACE: _STORED},
        [MessageToDict(one.to_proto(), preserving_proto_field_name=True) for one in info.assessments],
        [run for run in links if run != metadata.get(_RUN)],
    )
    over = item.state in {"OK", "ERROR"}
    return SourceTrace(item, written_digest(msgspec.to_builtins(item)) if over else "")


def written_span(span: Any) -> str:
    """An MLflow span as `SpansItem` has it."""
    from google.protobuf.json_format import MessageToDict

    written = MessageToDict(span.to_otel_proto(), preserving_proto_field_name=True)
    return json.dumps(written, ensure_ascii=False, separators=(",", ":"))


def _record(one: Any) -> RecordItem:
    source = None if one.source is None else one.source.to_dict()
    kind = None if one.source is None else str(getattr(one.source.source_type, "value", one.source.source_type))
    told = {
        "inputs": one.inputs,
        "outputs": one.outputs,
        "expectations": one.expectations,
        "tags": one.tags,
        "source": source,
        "source_type": kind,
        "source_id": one.source_id,
        "created_by": one.created_by,
        "last_updated_by": one.last_updated_by,
    }
    content = {key: value for key, value in told.items() if value is not None}
    return RecordItem(
        one.dataset_record_id, written_digest(one.inputs), one.created_time or 0, one.last_update_time or 0, content
    )
