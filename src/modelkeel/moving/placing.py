"""Where one item from elsewhere goes: found again, merged or made, in one transaction with the record of its origin."""

from collections.abc import Callable
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import experiment_id
from modelkeel.moving.ground import Ground, fields, more, outcome
from modelkeel.moving.models import Base, Origin, merge
from modelkeel.moving.placing_traces import TracePlacing
from modelkeel.moving.trace_items import agreed_trace
from modelkeel.registry.service import Registry
from modelkeel.storage.transaction import Tx
from modelkeel.traces.service import Traces
from modelkeel.tracking.models import (
    RUN_NAME_TAG,
    ArtifactOwner,
    DatasetInput,
    Experiment,
    Lifecycle,
    LoggedModel,
    Metric,
    ModelOutput,
    ModelStatus,
    OwnerKind,
    Run,
    RunStatus,
)
from modelkeel.tracking.service import Tracking
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import EvaluationItem, RecordsItem, TraceItem

NAN = float("nan")


class Placing:
    """Takes items of one peer for one principal.

    Args:
        ground: knows the peer's things here, and who imports.
        tracking: where experiments, runs and logged models go.
        registry: where models and versions go.
        traces: where traces and evaluation data sets go.
        default: id of the workspace's Default experiment.
    """

    def __init__(self, ground: Ground, tracking: Tracking, registry: Registry, traces: Traces, default: str) -> None:
        self._ground = ground
        self._tracking = tracking
        self._registry = registry
        self._principal = ground.principal
        self._default = default
        self._of_traces = TracePlacing(ground, traces)
        self.peer, self.by = ground.peer, ground.by
        self._ways: dict[type, Callable[[Tx, Any], wire.Outcome]] = {
            wire.ExperimentItem: self._experiment,
            wire.RunItem: self._run,
            wire.PointsItem: self._points,
            wire.LoggedModelItem: self._logged_model,
            wire.FilesItem: self._files,
            wire.ModelItem: self._model,
            wire.VersionItem: self._version,
            wire.DoneItem: self._done,
            **self._of_traces.ways,
        }

    def place(self, tx: Tx, item: wire.Item) -> wire.Outcome:
        """What becomes of an item; a mistake in it is an error of ours."""
        return self._ways[type(item)](tx, item)

    def _experiment(self, tx: Tx, item: wire.ExperimentItem) -> wire.Outcome:
        who = self._principal
        before = self._ground.origin(tx, "experiment", item.id)
        why = ""
        if before is not None:
            ours = before.ours
        elif item.default:
            ours = self._default
        else:
            ours = self._tracking.free_id(tx, who, "experiment", item.id)
            held = self._tracking.held_experiment(tx, who, ours)
            named = self._tracking.named_experiment(tx, who, item.name) if item.lifecycle == "active" else None
            if named is not None and named != ours:
                ours, why = named, f"joined the experiment that is named {item.name!r} here"
            elif held is not None and held.name != item.name:
                ours = experiment_id()
            if not why and ours != item.id:
                why = "its id is taken"
        given = Experiment(ours, item.name, Lifecycle(item.lifecycle), item.created, item.updated, item.tags)
        held = self._tracking.held_experiment(tx, who, ours)
        theirs = _experiment_fields(item)
        if held is None:
            self._tracking.add_experiment(tx, who, given, self._ground.by)
            self._ground.keep(tx, "experiment", item.id, Origin(ours, theirs))
            return wire.Outcome("experiment", item.id, ours, "made", why=why)
        ours_now = fields(held.tags, name=held.name, lifecycle=str(held.lifecycle))
        merged = merge(before.base if before else None, theirs, ours_now)
        if merged.changes:
            self._tracking.change_experiment(tx, who, ours, merged.changes, self._ground.by)
        self._ground.keep(tx, "experiment", item.id, Origin(ours, merged.base))
        return outcome("experiment", item.id, ours, bool(merged.changes), merged.conflicts, why)

    def _run(self, tx: Tx, item: wire.RunItem) -> wire.Outcome:
        who = self._principal
        before = self._ground.origin(tx, "run", item.id)
        ours = self._ground.here(tx, "run", item.id)
        why = "" if ours == item.id else "its id is taken"
        tags = {**item.tags, RUN_NAME_TAG: item.name} if item.name else item.tags
        given = Run(
            ours,
            self._ground.experiment_here(tx, item.experiment),
            item.name,
            item.user,
            RunStatus(item.status),
            item.started,
            item.ended,
            Lifecycle(item.lifecycle),
            item.params,
            {},
            tags,
            [DatasetInput(**msgspec.structs.asdict(one)) for one in item.datasets],
            [self._ground.here(tx, "logged_model", model) for model in item.model_inputs],
            [ModelOutput(self._ground.here(tx, "logged_model", one.model), one.step) for one in item.model_outputs],
        )
        theirs, held = _run_fields(given), self._tracking.held_run(tx, who, ours)
        if held is None:
            self._tracking.add_run(tx, who, given, self._ground.by)
            self._ground.keep(tx, "run", item.id, Origin(ours, theirs))
            return wire.Outcome("run", item.id, ours, "made", why=why)
        merged = merge(before.base if before else None, theirs, _run_fields(held))
        given = msgspec.structs.replace(given, experiment_id=held.experiment_id)
        changed = self._tracking.change_run(tx, who, given, merged.changes, self._ground.by)
        self._ground.keep(tx, "run", item.id, Origin(ours, merged.base))
        return outcome("run", item.id, ours, changed, merged.conflicts, why)

    def _points(self, tx: Tx, item: wire.PointsItem) -> wire.Outcome:
        if not len(item.steps) == len(item.times) == len(item.values):
            raise InvalidInput("The columns of the points are of unequal length.")
        ours = self._ground.here(tx, "run", item.run)
        rows = zip(item.steps, item.times, item.values, strict=True)
        metrics = [Metric(item.key, NAN if value is None else value, time, step) for step, time, value in rows]
        self._tracking.add_points(tx, self._principal, ours, metrics)
        return wire.Outcome("points", item.run, ours)

    def _logged_model(self, tx: Tx, item: wire.LoggedModelItem) -> wire.Outcome:
        who = self._principal
        before = self._ground.origin(tx, "logged_model", item.id)
        ours = self._ground.here(tx, "logged_model", item.id)
        why = "" if ours == item.id else "its id is taken"
        given = LoggedModel(
            ours,
            self._ground.experiment_here(tx, item.experiment),
            item.name,
            ModelStatus.PENDING,
            item.type,
            self._ground.here(tx, "run", item.source_run) if item.source_run else "",
            item.created,
            0,
            Lifecycle(item.lifecycle),
            item.params,
            item.tags,
        )
        points = [
            (
                self._ground.here(tx, "run", p.run),
                Metric(
                    p.key, NAN if p.value is None else p.value, p.time, p.step, ours, p.dataset_name, p.dataset_digest
                ),
            )
            for p in item.points
        ]
        theirs, held = _model_fields(given), self._tracking.held_model(tx, who, ours)
        if held is None:
            self._tracking.add_logged_model(tx, who, given, self._ground.by)
            self._tracking.add_model_points(tx, points)
            self._ground.keep(tx, "logged_model", item.id, Origin(ours, theirs))
            return wire.Outcome("logged_model", item.id, ours, "made", why=why)
        merged = merge(before.base if before else None, theirs, _model_fields(held))
        if merged.changes:
            self._tracking.change_logged_model(tx, who, ours, merged.changes, self._ground.by)
        self._tracking.add_model_points(tx, points)
        self._ground.keep(tx, "logged_model", item.id, Origin(ours, merged.base))
        return outcome("logged_model", item.id, ours, bool(merged.changes), merged.conflicts, why)

    def _files(self, tx: Tx, item: wire.FilesItem) -> wire.Outcome:
        who, kind = self._principal, f"{item.kind}.files"
        ours = self._ground.here(tx, item.kind, item.owner)
        owner = ArtifactOwner(OwnerKind(item.kind), ours)
        before = self._ground.origin(tx, kind, item.owner)
        theirs: Base = {file.path: f"{file.digest}:{file.size}" for file in item.files}
        merged = merge(before.base if before else None, theirs, dict(self._tracking.held_files(tx, who, owner)))
        self._tracking.change_files(tx, who, owner, merged.changes, self._ground.by)
        self._ground.keep(tx, kind, item.owner, Origin(ours, merged.base))
        return outcome("files", item.owner, ours, bool(merged.changes), merged.conflicts)

    def _model(self, tx: Tx, item: wire.ModelItem) -> wire.Outcome:
        who = self._principal
        before = self._ground.origin(tx, "model", item.name)
        held = self._registry.held_model(tx, who, item.name)
        theirs = _described(item)
        if held is None:
            times = (item.created, item.updated)
            identity = self._registry.add_model(tx, who, item.name, item.description, item.user, times, self._ground.by)
            self._registry.tag_new(tx, identity, None, item.tags)
            self._ground.keep(tx, "model", item.name, Origin(identity, theirs))
            return wire.Outcome("model", item.name, identity, "made")
        base = before.base if before is not None and before.ours == held.id else None
        merged = merge(base, theirs, fields(held.tags, description=held.description or None))
        self._registry.change_imported_model(tx, who, item.name, merged.changes, self._ground.by)
        self._ground.keep(tx, "model", item.name, Origin(held.id, merged.base))
        return outcome("model", item.name, held.id, bool(merged.changes), merged.conflicts)

    def _version(self, tx: Tx, item: wire.VersionItem) -> wire.Outcome:
        who, theirs_id = self._principal, f"{item.model}/{item.version}"
        model = self._registry.held_model(tx, who, item.model)
        if model is None:
            raise NotFound(f"Registered Model with name={item.model} not found")
        before = self._same_version(tx, item, model.id)
        theirs = _described(item)
        if before is not None:
            number = int(before.ours.rpartition("/")[2])
            held = self._registry.held_version(tx, who, item.model, number)
            if held is None:
                return wire.Outcome("version", theirs_id, str(number), "kept", why="it was deleted here")
            merged = merge(before.base, theirs, fields(held.tags, description=held.description or None))
            self._registry.change_imported_version(tx, who, item.model, number, merged.changes, self._ground.by)
            self._ground.keep(tx, "version", theirs_id, Origin(before.ours, merged.base))
            return outcome("version", theirs_id, str(number), bool(merged.changes), merged.conflicts)
        owner = ArtifactOwner(OwnerKind(item.owner_kind), self._ground.here(tx, item.owner_kind, item.owner))
        free = item.keep and not self._registry.number_taken(tx, model.id, item.version)
        held_owner: Any = (
            self._tracking.held_run(tx, who, owner.id)
            if owner.kind is OwnerKind.RUN
            else self._tracking.held_model(tx, who, owner.id)
        )
        if held_owner is None:
            raise NotFound(f"The {item.owner_kind} {item.owner} that has the files of {theirs_id} is not here.")
        given = {
            "name": item.model,
            "owner": owner,
            "prefix": item.prefix,
            "source": self._source(owner, item.prefix),
            "run": self._ground.here(tx, "run", item.run) if item.run else "",
            "experiment": held_owner.experiment_id,
            "description": item.description,
            "run_link": item.run_link,
            "user": item.user,
            "created": item.created,
            "updated": item.updated,
        }
        number = self._registry.add_version(tx, who, given, item.version if free else None, self._ground.by)
        self._registry.tag_new(tx, model.id, number, item.tags)
        self._ground.keep(tx, "version", theirs_id, Origin(f"{model.id}/{number}", theirs))
        why = "" if free or not item.keep else f"number {item.version} is taken"
        return wire.Outcome("version", theirs_id, str(number), "made", why=why)

    def _same_version(self, tx: Tx, item: wire.VersionItem, model: str) -> Origin | None:
        """The version that came as this one before, or that this one came from."""
        found = self._ground.origin(tx, "version", f"{item.model}/{item.version}")
        if found is not None and found.ours.startswith(f"{model}/"):
            return found
        own = f"{self._principal.workspace}/"
        for place in item.elsewhere:
            if place.startswith(own):
                return Origin(f"{model}/{place.rpartition('/')[2]}")
        return None

    def origin(self, tx: Tx, kind: str, theirs: str) -> Origin | None:
        """Where a thing of the peer is here."""
        return self._ground.origin(tx, kind, theirs)

    def _done(self, tx: Tx, item: wire.DoneItem) -> wire.Outcome:
        if item.kind not in {"run", "logged_model"}:
            return self._of_traces.done(tx, item)
        ours = self._ground.here(tx, item.kind, item.id)
        owner = ArtifactOwner(OwnerKind(item.kind), ours)
        if item.kind == "logged_model" and item.status and item.status != ModelStatus.PENDING:
            self._tracking.finish_logged_model(
                tx, self._principal, ours, ModelStatus(item.status), item.updated, self._ground.by
            )
        held = self._tracking.holdings(tx, self._principal, owner)
        holds = wire.Summary(**msgspec.structs.asdict(held))
        same = holds == item.sent
        before = self._ground.origin(tx, item.kind, item.id) or Origin(ours)
        if same or more(holds, item.sent):
            self._ground.keep(tx, item.kind, item.id, Origin(ours, before.base, item.mark))
        return wire.Outcome("done", item.id, ours, "same" if same else "kept", holds=holds)

    def _source(self, owner: ArtifactOwner, prefix: str) -> str:
        if owner.kind is OwnerKind.MODEL:
            return f"models:/{owner.id}"
        return f"runs:/{owner.id}/{prefix}" if prefix else f"runs:/{owner.id}"


def _run_fields(run: Run | wire.RunItem) -> Base:
    tags = {key: value for key, value in run.tags.items() if key != RUN_NAME_TAG}
    return fields(
        tags,
        name=run.name,
        user=run.user,
        status=str(run.status),
        started=str(run.started),
        ended=None if run.ended is None else str(run.ended),
        lifecycle=str(run.lifecycle),
    ) | {f"param:{key}": value for key, value in run.params.items()}


def _model_fields(model: LoggedModel | wire.LoggedModelItem) -> Base:
    params = {f"param:{key}": value for key, value in model.params.items()}
    return fields(model.tags, lifecycle=str(model.lifecycle)) | params


def _experiment_fields(item: wire.ExperimentItem) -> Base:
    return fields(item.tags) if item.default else fields(item.tags, name=item.name, lifecycle=item.lifecycle)


def _described(item: wire.ModelItem | wire.VersionItem) -> Base:
    return fields(item.tags, description=item.description or None)


def agreed(item: wire.Item, here: str) -> tuple[str, str, str, Base]:  # noqa: PLR0911 - one line a kind
    """Kind, id there, id here and fields of something of ours that another server now has.

    A model's id here is its name still, a version's begins with it: the caller knows the ids behind them.
    """
    match item:
        case wire.ExperimentItem():
            return "experiment", here, item.id, _experiment_fields(item)
        case wire.RunItem():
            return "run", here, item.id, _run_fields(item)
        case wire.LoggedModelItem():
            return "logged_model", here, item.id, _model_fields(item)
        case wire.FilesItem():
            files: Base = {file.path: f"{file.digest}:{file.size}" for file in item.files}
            return f"{item.kind}.files", here, item.owner, files
        case wire.ModelItem():
            return "model", item.name, item.name, _described(item)
        case wire.VersionItem():
            return "version", f"{item.model}/{here}", f"{item.model}/{item.version}", _described(item)
        case wire.AliasItem():
            return "alias", f"{item.model}@{item.alias}", str(item.version), {"version": here}
        case wire.StageItem():
            return "stage", f"{item.model}/{here}", str(item.version), {"stage": item.stage}
        case TraceItem() | EvaluationItem() | RecordsItem():
            return agreed_trace(item, here)
        case _:
            raise InvalidInput("Points, spans and ends of transfers are not agreed on.")
