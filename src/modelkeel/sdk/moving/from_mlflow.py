"""MLflow as a source: a tracking server, a database or an `mlruns` folder, through MLflow's own client and stores.

A SQLite database is copied first and only the copy is opened, and brought to the schema that the installed MLflow
knows. So the source is never changed, and what is read is one state of it.
"""

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from modelkeel.core.errors import InvalidInput, NotFound, Unavailable
from modelkeel.core.hashing import digest_of, sha256
from modelkeel.core.points import Point, stored_point
from modelkeel.sdk.moving.from_mlflow_traces import MlflowTraces, if_served
from modelkeel.sdk.moving.mlflow_addresses import DATABASES, driven, lasting, local, plain, shown
from modelkeel.sdk.moving.source import SourceEvaluation, SourceModel, SourceRegistered, SourceRun, SourceTrace
from modelkeel.wire.moving import (
    DatasetItem,
    ExperimentItem,
    LoggedModelItem,
    ModelItem,
    ModelPoint,
    OutputItem,
    Owner,
    RunItem,
    VersionItem,
)
from modelkeel.wire.moving_traces import RecordItem

BATCH = 100
PART = 50_000
READERS = 8
_PROMPT = "mlflow.prompt.is_prompt"
_STATUS = {"READY": "LOGGED_MODEL_READY", "FAILED": "LOGGED_MODEL_UPLOAD_FAILED", "PENDING": "LOGGED_MODEL_PENDING"}


class MlflowSource:
    """Reads MLflow.

    Args:
        uri: `http(s)://…`, a database's URI or a folder.
        registry: where the registered models are, if elsewhere.
        artifacts: the folder or address behind `mlflow-artifacts:`, where a database is read whose server is not asked.
        only: names of experiments; none: all.

    Raises:
        NotFound: there is no such file or folder.
        InvalidInput: a database has a schema that the installed MLflow does not know.
    """

    kind = "mlflow"

    def __init__(
        self, uri: str, registry: str | None = None, artifacts: str | None = None, only: Sequence[str] = ()
    ) -> None:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # newer clients want to be told
        self._scratch = Path(tempfile.mkdtemp(prefix="keel-import-"))
        self._only = set(only)
        self._artifacts = artifacts
        self.shown = shown(uri)
        self.peer = f"mlflow:{sha256(lasting(uri).encode())[:32]}"
        self._uri = self._opened(uri)
        registry_uri = self._uri if registry is None or registry == uri else self._opened(registry)

        from mlflow import MlflowClient

        self._client = MlflowClient(self._uri, registry_uri)
        self._sql = _sql_store(self._uri)
        self._chosen: set[str] = set()
        self._roots: dict[str, str] = {}  # where the files of runs and logged models are, as they were met
        self._met: list[str] = []  # runs of the experiment that was listed last
        self._traces = MlflowTraces(self._client, self._sql, lambda root: self._repository(self._behind(root)))

    def close(self) -> None:
        """Removes the copies."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def experiments(self) -> list[ExperimentItem]:
        """All that were chosen."""
        from mlflow.entities import ViewType

        found = []
        for one in _pages(lambda token: self._client.search_experiments(ViewType.ALL, page_token=token)):
            if self._only and one.name not in self._only:
                continue
            self._chosen.add(one.experiment_id)
            default = one.experiment_id == "0"
            tags = {key: value for key, value in one.tags.items() if value is not None}
            created, updated = one.creation_time or 0, one.last_update_time or 0
            found.append(
                ExperimentItem(
                    one.experiment_id, one.name, one.lifecycle_stage, created, updated, tags, default=default
                )
            )
        missing = self._only - {one.name for one in found}
        if missing:
            raise NotFound(f"The source has no experiment {min(missing)!r}.")
        return found

    def runs(self, experiment: str) -> Iterator[list[SourceRun]]:
        """Runs, oldest first, in batches."""
        from mlflow.entities import ViewType

        def page(token: str | None) -> Any:
            order = ["attributes.start_time ASC"]
            return self._client.search_runs([experiment], "", ViewType.ALL, BATCH, order, token)

        self._met = []
        for found in _whole_pages(page):
            self._met += [one.info.run_id for one in found]
            yield [self._run(one) for one in found]

    def series(self, runs: Sequence[SourceRun]) -> Iterator[tuple[str, str, list[Point]]]:
        """Histories: of a database by one query, else by several readers at once."""
        if self._sql is not None:
            yield from self._sql_series([run.item.id for run in runs])
            return
        asked = [(run.item.id, key) for run in runs for key in run.keys]
        with ThreadPoolExecutor(READERS) as pool:
            for some in _batched(asked):
                yield from pool.map(self._history, some)

    def logged_models(self, experiment: str) -> Iterator[SourceModel]:
        """Logged models; deleted ones are not listed by MLflow, and a server before MLflow 3 has none."""
        for one in if_served(_pages(lambda token: self._client.search_logged_models([experiment], page_token=token))):
            self._roots[one.model_id] = one.artifact_location
            points = [
                ModelPoint(
                    m.run_id or one.source_run_id or "",
                    m.key,
                    m.step,
                    m.timestamp,
                    None if m.value != m.value else stored_point(0, 0, m.value)[2],
                    m.dataset_name,
                    m.dataset_digest,
                )
                for m in one.metrics or []
            ]
            points = list({(p.run, p.key, p.step, p.time, p.value): p for p in points}.values())
            item = LoggedModelItem(
                one.model_id,
                one.experiment_id,
                one.name,
                one.model_type or "",
                one.source_run_id or "",
                "active",
                one.creation_timestamp,
                dict(one.params or {}),
                dict(one.tags or {}),
                points,
            )
            status = _STATUS.get(str(one.status), "LOGGED_MODEL_PENDING")
            mark = digest_of([msgspec.json.encode(item).decode(), status]) if status == _STATUS["READY"] else ""
            yield SourceModel(item, status, one.last_updated_timestamp, mark)

    def list_files(self, owner: str) -> list[str]:
        """Paths of all files below the owner's root."""
        repository = self._repository(self._root(owner))
        found: list[str] = []
        folders = [""]
        while folders:
            at = folders.pop()
            for one in repository.list_artifacts(at or None):
                (folders if one.is_dir else found).append(one.path)
        return sorted(found)

    def fetch(self, owner: str, path: str, folder: Path) -> Path:
        """A local file is read where it is; any other is downloaded."""
        root = self._root(owner)
        if urlsplit(root).scheme in {"", "file"}:
            return local(root) / path
        into = Path(tempfile.mkdtemp(dir=folder))
        return Path(self._repository(root).download_artifacts(path, str(into)))

    def content(self, digest: str) -> Iterable[bytes]:
        """MLflow names no content by digest."""
        raise NotFound(f"MLflow has no content {digest}.")

    def registered(self) -> Iterator[SourceRegistered]:
        """Registered models with all versions; those of no chosen experiment are left out."""
        # The store is asked: the client leaves prompts out by a filter, by which older servers leave out everything.
        store = self._client._get_registry_client().store
        for one in _pages(lambda token: store.search_registered_models(None, 100, None, token)):
            if (one.tags or {}).get(_PROMPT) == "true":
                continue
            query = f"name='{one.name}'" if "'" not in one.name else f'name="{one.name}"'
            every = list(_pages(lambda token, q=query: self._client.search_model_versions(q, page_token=token)))
            versions: list[VersionItem] = []
            models: list[SourceModel] = []
            for version in sorted(every, key=lambda v: int(v.version)):
                placed = self._version(version, models)
                if placed is not None:
                    versions.append(placed)
            if self._only and not versions:
                continue
            kept = {version.version for version in versions}
            aliases = {alias: int(number) for alias, number in (one.aliases or {}).items() if int(number) in kept}
            item = ModelItem(
                one.name,
                one.description or "",
                "",
                one.creation_timestamp or 0,
                one.last_updated_timestamp or 0,
                dict(one.tags or {}),
            )
            yield SourceRegistered(item, versions, aliases, models)

    def traces(self, experiment: str) -> Iterator[list[SourceTrace]]:
        """Traces, oldest first, in batches."""
        yield from self._traces.traces(experiment, self._met)

    def spans(self, trace: str) -> Iterator[list[str]]:
        """The spans of a trace of the last batch."""
        yield from self._traces.spans(trace)

    def evaluations(self) -> Iterator[SourceEvaluation]:
        """Evaluation data sets of a chosen experiment; with everything, also those of none."""
        yield from self._traces.evaluations(self._chosen, only=bool(self._only))

    def records(self, dataset: str) -> Iterator[list[RecordItem]]:
        """An evaluation data set's records."""
        yield from self._traces.records(dataset)

    def _opened(self, uri: str) -> str:
        scheme = urlsplit(uri).scheme.partition("+")[0]
        if scheme in {"http", "https"}:
            return uri
        if scheme == "sqlite":
            return self._copied(uri)
        if scheme in DATABASES:
            _check_schema(driven(uri))
            return driven(uri)
        folder = local(uri)
        if not folder.is_dir():
            raise NotFound(f"There is no folder {folder}.", hint="Name a server, a database's URI or an mlruns folder.")
        return str(folder)

    def _copied(self, uri: str) -> str:
        path = Path(uri.partition("sqlite:///")[2].partition("?")[0])
        if not path.is_file():
            raise NotFound(f"There is no database {path}.")
        from mlflow.store.db import utils

        copy = self._scratch / f"{len(list(self._scratch.iterdir()))}.db"
        source = utils.create_sqlalchemy_engine(f"sqlite:///{path.absolute()}")
        with source.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
        source.dispose()
        copied = utils.create_sqlalchemy_engine(f"sqlite:///{copy}")
        try:
            utils._upgrade_db(copied)
        except Exception as error:
            raise InvalidInput(
                f"The database {path} can't be read by this MLflow: {error}", hint="Is it a tracking database?"
            ) from error
        finally:
            copied.dispose()
        return f"sqlite:///{copy}"

    def _run(self, run: Any) -> SourceRun:
        info, data = run.info, run.data
        self._roots[info.run_id] = info.artifact_uri
        tags = {key: value for key, value in data.tags.items() if value is not None}
        inputs, outputs = run.inputs, run.outputs
        item = RunItem(
            info.run_id,
            info.experiment_id,
            info.run_name or tags.get("mlflow.runName", ""),
            info.user_id or tags.get("mlflow.user", ""),
            info.status,
            info.start_time or 0,
            info.end_time,
            info.lifecycle_stage,
            dict(data.params),
            tags,
            [_dataset(one) for one in (inputs.dataset_inputs if inputs else [])],
            [one.model_id for one in (inputs.model_inputs if inputs else None) or []],
            [OutputItem(one.model_id, one.step) for one in (outputs.model_outputs if outputs else None) or []],
        )
        latest = sorted([m.key, repr(m.value), m.timestamp, m.step] for m in getattr(data, "_metric_objs", []))
        over = info.status in {"FINISHED", "FAILED", "KILLED"}
        return SourceRun(
            item,
            sorted(data.metrics),
            sha256(msgspec.json.encode([item, latest])) if over else "",
        )

    def _history(self, asked: tuple[str, str]) -> tuple[str, str, list[Point]]:
        run, key = asked
        points = {stored_point(m.step, m.timestamp, m.value) for m in self._client.get_metric_history(run, key)}
        return run, key, sorted(points)

    def _sql_series(self, runs: list[str]) -> Iterator[tuple[str, str, list[Point]]]:
        from mlflow.store.tracking.dbmodels.models import SqlMetric as M

        columns = (M.run_uuid, M.key, M.step, M.timestamp, M.value, M.is_nan)
        with self._sql.ManagedSessionMaker() as session:
            query = session.query(*columns).filter(M.run_uuid.in_(runs)).order_by(*columns).yield_per(10_000)
            for (run, key), rows in itertools.groupby(query, key=lambda row: (row[0], row[1])):
                while part := list(itertools.islice(rows, PART)):
                    yield run, key, [_stored(row) for row in part]

    def _root(self, owner: str) -> str:
        uri = self._roots.get(owner)
        if uri is None:
            uri = (
                self._client.get_logged_model(owner).artifact_location
                if owner.startswith("m-")
                else self._client.get_run(owner).info.artifact_uri
            )
            self._roots[owner] = uri
        return self._behind(str(uri))

    def _behind(self, uri: str) -> str:
        """Where the files of an address are."""
        parts = urlsplit(uri)
        if parts.scheme == "mlflow-artifacts" and self._artifacts is not None:
            return f"{self._artifacts.rstrip('/')}/{parts.path.lstrip('/')}"
        if parts.scheme == "mlflow-artifacts" and not self._uri.startswith("http"):
            raise Unavailable(
                "The artifacts of this database lie behind its tracking server.",
                hint="Import from the server's URL, or name its artifact folder with --artifacts.",
            )
        return uri

    @cache  # noqa: B019 - lives as long as the import
    def _repository(self, root: str) -> Any:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(root, tracking_uri=self._uri)

    def _version(self, version: Any, models: list[SourceModel]) -> VersionItem | None:
        """A version with the tree that has its files; `models` gets one where no run or logged model does."""
        run, logged = version.run_id or "", getattr(version, "model_id", None) or ""
        kind, owner, prefix = self._tree(version.source or "", run, logged)
        experiment = self._experiment_of(kind, owner, run)
        if self._only and experiment not in self._chosen:
            return None
        if not owner:
            kind, owner = "logged_model", f"m-{sha256(f'{self.peer}/{version.name}/{version.version}'.encode())[:32]}"
            self._roots[owner] = version.source
            item = LoggedModelItem(
                owner,
                experiment,
                version.name,
                "",
                run,
                "active",
                version.creation_timestamp,
                {},
                {"source": version.source},
            )
            models.append(SourceModel(item, _STATUS["READY"], version.creation_timestamp, ""))
        return VersionItem(
            version.name,
            int(version.version),
            kind,
            owner,
            prefix,
            version.source or "",
            run,
            version.description or "",
            version.run_link or "",
            version.user_id or "",
            version.creation_timestamp or 0,
            version.last_updated_timestamp or 0,
            dict(version.tags or {}),
            stage if (stage := version.current_stage or "") != "None" else "",
        )

    def _tree(self, source: str, run: str, logged: str) -> tuple[Owner, str, str]:
        """Which run's or logged model's files a version's source names; no owner: somebody else's."""
        if match := re.fullmatch(r"models:/+(m-[0-9a-f]{32})/?", source):
            return "logged_model", match.group(1), ""
        if match := re.fullmatch(r"runs:/+([0-9a-f]{32})/?(.*)", source):
            return "run", match.group(1), match.group(2).strip("/")
        for kind, owner in (("logged_model", logged), ("run", run)):
            below = self._below(source, owner) if owner else None
            if below is not None:
                return kind, owner, below  # type: ignore[return-value]  # one of the two
        if logged:
            return "logged_model", logged, ""
        return "run", "", ""

    def _below(self, source: str, owner: str) -> str | None:
        """The folder of an owner's tree that a source names."""
        try:
            root = self._roots.get(owner) or self._root(owner)
        except Exception as error:
            if type(error).__name__ in {"MlflowException", "RestException", "Unavailable"}:
                return None
            raise
        one, other = plain(source), plain(root)
        if one == other:
            return ""
        return one[len(other) + 1 :] if one.startswith(f"{other}/") else None

    def _experiment_of(self, kind: Owner, owner: str, run: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            if kind == "logged_model" and owner:
                return str(self._client.get_logged_model(owner).experiment_id)
            if owner or run:
                return str(self._client.get_run(owner or run).info.experiment_id)
        except MlflowException:
            pass  # it is gone; the version stands alone
        return "0"


def _pages(page: Any) -> Iterator[Any]:
    for found in _whole_pages(page):
        yield from found


def _whole_pages(page: Any) -> Iterator[Any]:
    token = None
    while True:
        found = page(token)
        yield found
        token = found.token
        if not token:
            return


def _batched(asked: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for start in range(0, len(asked), READERS * 4):
        yield asked[start : start + READERS * 4]


def _dataset(one: Any) -> DatasetItem:
    data = one.dataset
    tags = {tag.key: tag.value for tag in one.tags}
    return DatasetItem(data.name, data.digest, data.source_type, data.source, data.schema, data.profile, tags)


def _stored(row: Any) -> Point:
    return stored_point(row[2], row[3], float("nan") if row[5] else row[4])


def _sql_store(uri: str) -> Any:
    """MLflow's store on a database; None for anything else."""
    if urlsplit(uri).scheme.partition("+")[0] not in DATABASES:
        return None
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(uri, "mlflow-artifacts:/")


def _check_schema(uri: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.db import utils

    engine = utils.create_sqlalchemy_engine(uri)
    try:
        utils._verify_schema(engine)
    except MlflowException as error:
        raise InvalidInput(
            "The database has another schema than the installed MLflow, and a source is never changed.",
            hint="Import from its tracking server's URL, or upgrade a copy with `mlflow db upgrade`.",
        ) from error
    finally:
        engine.dispose()
