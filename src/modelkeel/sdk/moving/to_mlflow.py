"""A stock MLflow database as a target: made by MLflow itself, then filled with rows that keep ids, users and times.

Rows go in through MLflow's own table classes. The database is written beside its place and moved there when it is whole
and was read back and found the same; so an interrupted export leaves no half of one.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modelkeel.core.errors import Conflict, InvalidInput
from modelkeel.core.hashing import digest_of, sha256_file
from modelkeel.core.paths import resolve
from modelkeel.core.points import Point, PointsDigest
from modelkeel.sdk.moving.from_keel import KeelSource
from modelkeel.sdk.moving.from_mlflow import MlflowSource
from modelkeel.sdk.moving.source import Source, SourceModel, SourceRegistered, SourceRun
from modelkeel.sdk.moving.to_mlflow_traces import TraceExport
from modelkeel.wire import moving as wire

WRITERS = 8
_STATUS = {"LOGGED_MODEL_PENDING": 1, "LOGGED_MODEL_READY": 2, "LOGGED_MODEL_UPLOAD_FAILED": 3}
Progress = Callable[[Counter[str]], None]
Series = dict[str, dict[str, PointsDigest]]


class Export:
    """Writes what a Modelkeel has for stock MLflow.

    Args:
        source: what to write.
        target: `sqlite:///…`, not there yet.
        artifacts: the folder for files, to be given to `mlflow server` as `--artifacts-destination`.
        progress: told the counts from time to time.

    Raises:
        InvalidInput: the target is no SQLite database.
        Conflict: it is there already.
    """

    def __init__(self, source: KeelSource, target: str, artifacts: Path, progress: Progress = lambda _: None) -> None:
        if not target.startswith("sqlite:///"):
            raise InvalidInput("An export goes to a new SQLite database.", hint="Write sqlite:///new.db.")
        self.path = Path(target.removeprefix("sqlite:///")).absolute()
        if self.path.exists():
            raise Conflict(f"{self.path} is there already.", hint="Name a new file; nothing is written over.")
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._part.unlink(missing_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._source = source
        self._files = artifacts.absolute()
        self._progress = progress
        self._default = "0"
        self._experiments: dict[str, str] = {}
        self._homes: dict[str, str] = {}  # where the files of runs and logged models are
        self._datasets: dict[tuple[str, str, str], str] = {}
        self._sums: dict[str, wire.Summary] = {}
        self._model_points: list[tuple[dict[str, Any], list[wire.ModelPoint]]] = []
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []

        from mlflow.store.model_registry.dbmodels import models as registry
        from mlflow.store.tracking.dbmodels import models as tracking
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self._t: Any = tracking
        self._r: Any = registry
        self._store: Any = SqlAlchemyStore(f"sqlite:///{self._part}", "mlflow-artifacts:/")
        self._traces = TraceExport(source, self._store, tracking, self._experiments, self.notes, self._tell)

    def write(self) -> None:
        """Writes all of it, reads it back, compares, and puts it in its place.

        Raises:
            Conflict: what was read back is not the same; the file stays as `….part`.
        """
        items = self._source.experiments()
        self._write_experiments(items)
        for experiment in self._experiments:
            for model in self._source.logged_models(experiment):
                self._write_logged_model(model)
            for batch in self._source.runs(experiment):
                self._write_runs(batch)
            self._traces.write_traces(experiment)
        self._traces.write_evaluations()
        self._delete_experiments([item.id for item in items if item.lifecycle == "deleted"])
        self._write_model_points()
        for registered in self._source.registered():
            self._write_registered(registered)
        self._store.engine.dispose()
        differences = self._read_back()
        if differences:
            raise Conflict(
                f"What was written is not what was read: {'; '.join(differences[:5])}",
                hint="Was it changed meanwhile? Export again.",
            )
        self._part.rename(self.path)

    def _insert(self, rows: Iterable[tuple[Any, Sequence[dict[str, Any]]]]) -> None:
        with self._store.ManagedSessionMaker() as session:
            for table, some in rows:
                if some:
                    session.bulk_insert_mappings(table, some)

    def _write_experiments(self, items: Sequence[wire.ExperimentItem]) -> None:
        taken: set[str] = set()
        rows, tags = [], []
        for item in sorted(items, key=lambda one: one.lifecycle == "deleted"):
            theirs = self._default if item.default else item.id
            self._experiments[item.id] = theirs
            name = item.name
            if name in taken:  # stock keeps the name of a deleted experiment taken
                name = f"{item.name} (deleted {item.id})"
                self.notes.append(f"experiment {item.id} is now named {name!r}: stock MLflow lets no two share a name")
            taken.add(name)
            row = {
                "experiment_id": int(theirs),
                "name": name,
                "artifact_location": f"mlflow-artifacts:/{theirs}",
                "lifecycle_stage": "active",  # until its traces are in it
                "creation_time": item.created,
                "last_update_time": item.updated,
            }
            rows.append(row)
            tags += [{"experiment_id": int(theirs), "key": k, "value": v} for k, v in item.tags.items()]
        with self._store.ManagedSessionMaker() as session:  # the store made its own Default
            session.query(self._t.SqlExperiment).delete()
        if not any(item.default for item in items):
            rows.append(
                {
                    "experiment_id": 0,
                    "name": "Default",
                    "artifact_location": "mlflow-artifacts:/0",
                    "lifecycle_stage": "active",
                }
            )
        self._insert([(self._t.SqlExperiment, rows), (self._t.SqlExperimentTag, tags)])
        self._tell("experiments", len(items))

    def _delete_experiments(self, ours: Sequence[str]) -> None:
        table = self._t.SqlExperiment
        with self._store.ManagedSessionMaker() as session:
            for identity in ours:
                row = session.query(table).filter(table.experiment_id == int(self._experiments[identity]))
                row.update({"lifecycle_stage": "deleted"}, synchronize_session=False)

    def _write_logged_model(self, model: SourceModel) -> None:
        item, t = model.item, self._t
        at = int(self._experiments[item.experiment])
        home = self._homes[item.id] = f"{at}/models/{item.id}/artifacts"
        row = {
            "model_id": item.id,
            "experiment_id": at,
            "name": item.name,
            "artifact_location": f"mlflow-artifacts:/{home}",
            "creation_timestamp_ms": item.created,
            "last_updated_timestamp_ms": model.updated,
            "status": _STATUS[model.status],
            "lifecycle_stage": item.lifecycle,
            "model_type": item.type,
            "source_run_id": item.source_run or None,
        }
        of = {"model_id": item.id, "experiment_id": at}
        params = [{**of, "param_key": key, "param_value": value} for key, value in item.params.items()]
        tags = [{**of, "tag_key": key, "tag_value": value} for key, value in item.tags.items()]
        self._insert([(t.SqlLoggedModel, [row]), (t.SqlLoggedModelParam, params), (t.SqlLoggedModelTag, tags)])
        self._model_points.append((of, item.points))
        self._write_files(home, model.files or [])
        self._sums[item.id] = _sum(len(item.params), len(item.tags), len(item.points), {}, model.files or [])
        self._tell("logged_models", 1)

    def _write_model_points(self) -> None:
        """Points of logged models name their runs, which have to be there first."""
        for of, points in self._model_points:
            rows = [
                {
                    **of,
                    "metric_name": p.key,
                    "metric_timestamp_ms": p.time,
                    "metric_step": p.step,
                    "metric_value": p.value,
                    "run_id": p.run,
                    "dataset_name": p.dataset_name,
                    "dataset_digest": p.dataset_digest,
                    "dataset_uuid": self._datasets.get(
                        (str(of["experiment_id"]), p.dataset_name or "", p.dataset_digest or "")
                    ),
                }
                for p in points
            ]
            self._insert([(self._t.SqlLoggedModelMetric, rows)])

    def _write_runs(self, batch: Sequence[SourceRun]) -> None:
        t = self._t
        runs: list[dict[str, Any]] = []
        params: list[dict[str, Any]] = []
        tags: list[dict[str, Any]] = []
        inputs: list[dict[str, Any]] = []
        input_tags: list[dict[str, Any]] = []
        datasets: list[dict[str, Any]] = []
        for run in batch:
            item = run.item
            at = self._experiments[item.experiment]
            home = self._homes[item.id] = f"{at}/{item.id}/artifacts"
            of = {"run_uuid": item.id}
            runs.append(
                {
                    **of,
                    "name": item.name,
                    "source_type": "UNKNOWN",
                    "source_name": "",
                    "entry_point_name": "",
                    "user_id": item.user,
                    "status": item.status,
                    "start_time": item.started,
                    "end_time": item.ended,
                    "deleted_time": item.ended or item.started if item.lifecycle == "deleted" else None,
                    "source_version": "",
                    "lifecycle_stage": item.lifecycle,
                    "artifact_uri": f"mlflow-artifacts:/{home}",
                    "experiment_id": int(at),
                }
            )
            params += [{**of, "key": key, "value": value} for key, value in item.params.items()]
            tags += [{**of, "key": key, "value": value} for key, value in item.tags.items()]
            for data in item.datasets:
                dataset = self._dataset(at, data, datasets)
                link = uuid.uuid4().hex
                inputs.append(_link(link, "DATASET", dataset, "RUN", item.id))
                input_tags += [{"input_uuid": link, "name": k, "value": v} for k, v in data.tags.items()]
            inputs += [_link(uuid.uuid4().hex, "RUN_INPUT", item.id, "MODEL_INPUT", m) for m in item.model_inputs]
            inputs += [
                _link(uuid.uuid4().hex, "RUN_OUTPUT", item.id, "MODEL_OUTPUT", made.model, made.step)
                for made in item.model_outputs
            ]
        self._insert([(t.SqlRun, runs), (t.SqlParam, params), (t.SqlTag, tags), (t.SqlDataset, datasets)])
        self._insert([(t.SqlInput, inputs), (t.SqlInputTag, input_tags)])
        series = self._write_points(batch)
        for run in batch:
            self._write_files(self._homes[run.item.id], run.files or [])
            points = sum(one.count for one in series.get(run.item.id, {}).values())
            self._sums[run.item.id] = _sum(
                len(run.item.params), len(run.item.tags), points, series.get(run.item.id, {}), run.files or []
            )
        self._tell("runs", len(batch))

    def _dataset(self, experiment: str, data: wire.DatasetItem, rows: list[dict[str, Any]]) -> str:
        key = (experiment, data.name, data.digest)
        if key not in self._datasets:
            self._datasets[key] = uuid.uuid4().hex
            rows.append(
                {
                    "dataset_uuid": self._datasets[key],
                    "experiment_id": int(experiment),
                    "name": data.name,
                    "digest": data.digest,
                    "dataset_source_type": data.source_type,
                    "dataset_source": data.source,
                    "dataset_schema": data.schema,
                    "dataset_profile": data.profile,
                }
            )
        return self._datasets[key]

    def _write_points(self, batch: Sequence[SourceRun]) -> Series:
        series: Series = {}
        latest: dict[tuple[str, str], Point] = {}
        for run, key, points in self._source.series(batch):
            if not points:
                continue
            series.setdefault(run, {}).setdefault(key, PointsDigest()).add(points)
            self._insert([(self._t.SqlMetric, [_metric(run, key, point) for point in points])])
            latest[run, key] = points[-1]  # they come in order of (step, time, value)
            self._tell("points", len(points))
        rows = [_metric(run, key, point) for (run, key), point in latest.items()]
        self._insert([(self._t.SqlLatestMetric, rows)])
        return series

    def _write_files(self, home: str, files: Sequence[wire.FileItem]) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda file: self._write_file(home, file), files))
        self.counts["bytes"] += sum(file.size for file in files)
        self._tell("files", len(files))

    def _write_file(self, home: str, file: wire.FileItem) -> None:
        at = resolve(self._files / home, file.path)
        if at.exists() and sha256_file(at) == file.digest:
            return  # an export that was interrupted wrote it
        at.parent.mkdir(parents=True, exist_ok=True)
        part = at.with_name(f".{at.name}.part")
        with part.open("wb") as out:
            for piece in self._source.content(file.digest):
                out.write(piece)
        part.rename(at)

    def _write_registered(self, one: SourceRegistered) -> None:
        r, name = self._r, one.item.name
        model = {
            "name": name,
            "creation_time": one.item.created,
            "last_updated_time": one.item.updated,
            "description": one.item.description,
        }
        tags = [{"name": name, "key": key, "value": value} for key, value in one.item.tags.items()]
        versions, version_tags = [], []
        for version in one.versions:
            home = self._homes.get(version.owner)
            if home is None:
                self.notes.append(f"{name}/{version.version} is left out: its experiment was not exported")
                continue
            place = f"mlflow-artifacts:/{home}" + (f"/{version.prefix}" if version.prefix else "")
            versions.append(
                {
                    "name": name,
                    "version": version.version,
                    "creation_time": version.created,
                    "last_updated_time": version.updated,
                    "description": version.description,
                    "user_id": version.user,
                    "current_stage": version.stage or "None",
                    "source": f"models:/{version.owner}" if version.owner_kind == "logged_model" else place,
                    "storage_location": place,
                    "run_id": version.run or None,
                    "run_link": version.run_link,
                    "status": "READY",
                }
            )
            version_tags += [
                {"name": name, "version": version.version, "key": k, "value": v} for k, v in version.tags.items()
            ]
        kept = {row["version"] for row in versions}
        aliases = [{"name": name, "alias": a, "version": n} for a, n in one.aliases.items() if n in kept]
        self._insert(
            [
                (r.SqlRegisteredModel, [model]),
                (r.SqlRegisteredModelTag, tags),
                (r.SqlModelVersion, versions),
                (r.SqlModelVersionTag, version_tags),
                (r.SqlRegisteredModelAlias, aliases),
            ]
        )
        self.counts["versions"] += len(versions)
        self._tell("models", 1)

    def _read_back(self) -> list[str]:
        """What is otherwise in the written database and folder than it was at the source."""
        back = MlflowSource(f"sqlite:///{self._part}", artifacts=str(self._files))
        found: dict[str, wire.Summary] = {}
        try:
            for experiment in self._experiments.values():
                for model in back.logged_models(experiment):
                    item = model.item
                    files = _files_of(back, item.id)
                    found[item.id] = _sum(len(item.params), len(item.tags), len(item.points), {}, files)
                for batch in back.runs(experiment):
                    series: Series = {}
                    for run, key, points in back.series(batch):
                        series.setdefault(run, {}).setdefault(key, PointsDigest()).add(points)
                    for one in batch:
                        of = series.get(one.item.id, {})
                        points_held = sum(digest.count for digest in of.values())
                        files = _files_of(back, one.item.id)
                        found[one.item.id] = _sum(len(one.item.params), len(one.item.tags), points_held, of, files)
            other = self._traces.differences(back)
        finally:
            back.close()
        self.counts["verified"] = sum(1 for key, value in found.items() if self._sums.get(key) == value)
        self.counts["verified"] += self._traces.verified - len(other)
        hidden = {
            key for key in self._sums if key.startswith("m-") and key not in found
        }  # MLflow lists no deleted ones
        return [key for key, value in self._sums.items() if key not in hidden and found.get(key) != value] + other

    def _tell(self, what: str, more: int) -> None:
        self.counts[what] += more
        self._progress(self.counts)


def _sum(
    params: int, tags: int, points: int, series: dict[str, PointsDigest], files: Sequence[wire.FileItem]
) -> wire.Summary:
    digest = digest_of({key: {"points": one.count, "digest": one.value} for key, one in series.items()})
    ordered = sorted(files, key=lambda file: file.path)
    tree = digest_of([[file.path, file.digest, file.size] for file in ordered])
    return wire.Summary(params, tags, points, digest, len(files), sum(file.size for file in files), tree)


def _files_of(source: Source, owner: str) -> list[wire.FileItem]:
    found = []
    for path in source.list_files(owner):
        local = source.fetch(owner, path, Path())
        found.append(wire.FileItem(path, sha256_file(local), local.stat().st_size))
    return found


def _metric(run: str, key: str, point: Point) -> dict[str, Any]:
    step, time, value, is_nan = point
    return {"run_uuid": run, "key": key, "step": step, "timestamp": time, "value": value, "is_nan": bool(is_nan)}


def _link(identity: str, kind: str, source: str, to: str, target: str, step: int = 0) -> dict[str, Any]:
    return {
        "input_uuid": identity,
        "source_type": kind,
        "source_id": source,
        "destination_type": to,
        "destination_id": target,
        "step": step,
    }
