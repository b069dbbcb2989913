"""Use cases of moving out: what a workspace holds, as items."""

from functools import partial

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.hashing import digest_of
from modelkeel.moving import store
from modelkeel.moving.trace_items import evaluation_item, record_item, trace_item
from modelkeel.registry.models import ModelVersion, RegisteredModel, Stage
from modelkeel.registry.service import Registry
from modelkeel.storage.database import Database
from modelkeel.traces.service import Traces
from modelkeel.tracking.exporting import WholeRun
from modelkeel.tracking.models import ArtifactFile, LoggedModel, Run
from modelkeel.tracking.service import Tracking
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import (
    ExportedEvaluation,
    ExportedTrace,
    RecordsPage,
    SpansPage,
    TraceItem,
    TracesPage,
    written_digest,
)

SPANS_AT_ONCE = 16 << 20


class MovingOut:
    """Gives what an export or a sync takes away; reading rights are enough.

    Args:
        database: knows what came from where.
        tracking: has experiments, runs and logged models.
        registry: has models and versions.
        traces: has traces and evaluation data sets.
    """

    def __init__(self, database: Database, tracking: Tracking, registry: Registry, traces: Traces) -> None:
        self._db = database
        self._tracking = tracking
        self._registry = registry
        self._traces = traces

    async def experiments(self, principal: Principal) -> list[wire.ExperimentItem]:
        """All that the principal may read, also deleted ones."""
        default = (await self._tracking.experiment(principal, "0")).id
        return [
            wire.ExperimentItem(
                one.id, one.name, one.lifecycle.value, one.created, one.updated, one.tags, one.id == default
            )
            for one in await self._tracking.every_experiment(principal)
        ]

    async def runs(self, principal: Principal, experiment: str, after: int, limit: int) -> wire.RunsPage:
        """Some runs of an experiment, in the order in which they came."""
        found, more = await self._tracking.whole_runs(principal, experiment, after, limit)
        return wire.RunsPage([_run(one) for one in found], more)

    async def points(self, principal: Principal, run_id: str, key: str, start: int, limit: int) -> wire.PointsPage:
        """Some points of a metric."""
        found, more = await self._tracking.whole_series(principal, run_id, key, start, limit)
        values = [None if point[3] else point[2] for point in found]
        return wire.PointsPage([point[0] for point in found], [point[1] for point in found], values, more)

    async def logged_models(self, principal: Principal, experiment: str) -> list[wire.ExportedLoggedModel]:
        """An experiment's logged models."""
        return [_logged_model(*one) for one in await self._tracking.whole_models(principal, experiment)]

    async def models(self, principal: Principal) -> list[wire.ExportedModel]:
        """Registered models with versions and aliases."""
        found = await self._registry.every_model(principal)
        subjects = [version.subject for _, versions in found for version in versions]
        places: dict[str, list[str]] = {}
        for start in range(0, len(subjects), 500):
            some = subjects[start : start + 500]
            for row in await self._db.read(
                partial(store.others, workspace=principal.workspace, kind="version", ours=some)
            ):
                places.setdefault(row.ours, []).append(f"{row.peer}/{row.theirs}")
        return [_model(model, versions, places) for model, versions in found]

    async def traces(self, principal: Principal, experiment: str, after: int, limit: int) -> TracesPage:
        """Some traces of an experiment, in the order in which they came."""
        found, more = await self._traces.whole_traces(principal, experiment, after, limit)
        return TracesPage([_trace(trace_item(held), spans) for held, spans in found], more)

    async def spans(self, principal: Principal, trace: str, start: int) -> SpansPage:
        """Some spans of a trace."""
        found, more = await self._traces.spans_from(principal, trace, start, SPANS_AT_ONCE)
        return SpansPage([content.decode() for content in found], more)

    async def evaluation_datasets(self, principal: Principal) -> list[ExportedEvaluation]:
        """Evaluation data sets, without their records."""
        found = await self._traces.whole_datasets(principal)
        return [
            ExportedEvaluation(
                item := evaluation_item(one, keys), written_digest([msgspec.to_builtins(item), one.digest])
            )
            for one, keys in found
        ]

    async def records(self, principal: Principal, dataset: str, after: int, limit: int) -> RecordsPage:
        """Some records of an evaluation data set, in the order in which they came."""
        found, more = await self._traces.records_after(principal, dataset, after, limit)
        return RecordsPage([record_item(one) for one in found], more)


def _trace(item: TraceItem, spans: int) -> ExportedTrace:
    """The mark is empty while a trace goes on: more spans may come."""
    over = item.state in {"OK", "ERROR"}
    return ExportedTrace(item, spans, written_digest([msgspec.to_builtins(item), spans]) if over else "")


def _run(one: WholeRun) -> wire.ExportedRun:
    run = one.run
    item = wire.RunItem(
        run.id,
        run.experiment_id,
        run.name,
        run.user,
        run.status.value,
        run.started,
        run.ended,
        run.lifecycle.value,
        run.params,
        run.tags,
        [wire.DatasetItem(**msgspec.structs.asdict(data)) for data in run.inputs],
        run.model_inputs,
        [wire.OutputItem(made.model_id, made.step) for made in run.model_outputs],
    )
    return wire.ExportedRun(item, _files(one.files), one.keys, _mark(run, item))


def _mark(run: Run, item: wire.RunItem) -> str:
    """Changes whenever a run does; empty while it is not sealed, as its points may grow unseen."""
    return digest_of([run.seal, msgspec.json.encode(item).decode()]) if run.seal else ""


def _logged_model(model: LoggedModel, files: list[ArtifactFile]) -> wire.ExportedLoggedModel:
    item = wire.LoggedModelItem(
        model.id,
        model.experiment_id,
        model.name,
        model.model_type,
        model.source_run,
        model.lifecycle.value,
        model.created,
        model.params,
        model.tags,
        [
            wire.ModelPoint(
                run,
                m.key,
                m.step,
                m.timestamp,
                None if m.value != m.value else m.value,
                m.dataset_name,
                m.dataset_digest,
            )
            for run, m in model.metrics
        ],
    )
    listed = _files(files)
    mark = digest_of([msgspec.json.encode([item, listed]).decode(), model.status])
    return wire.ExportedLoggedModel(item, model.status, model.updated, listed, mark)


def _model(model: RegisteredModel, versions: list[ModelVersion], places: dict[str, list[str]]) -> wire.ExportedModel:
    item = wire.ModelItem(model.name, model.description, model.user, model.created, model.updated, model.tags)
    return wire.ExportedModel(
        item,
        [
            wire.VersionItem(
                model.name,
                v.version,
                v.owner.kind.value,
                v.owner.id,
                v.prefix,
                v.source,
                v.run_id,
                v.description,
                v.run_link,
                v.user,
                v.created,
                v.updated,
                v.tags,
                "" if v.stage is Stage.NONE else v.stage.value,
                elsewhere=places.get(v.subject, []),
            )
            for v in versions
        ],
        model.aliases,
    )


def _files(files: list[ArtifactFile]) -> list[wire.FileItem]:
    return [wire.FileItem(file.path, file.digest, file.size) for file in files]
