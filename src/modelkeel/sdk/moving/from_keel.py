"""A Modelkeel as a source: for exports, and for syncing with another one."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from modelkeel.core.errors import NotFound
from modelkeel.core.points import Point, stored_point
from modelkeel.sdk.api import Api
from modelkeel.sdk.moving.source import SourceEvaluation, SourceModel, SourceRegistered, SourceRun, SourceTrace
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import ExportedEvaluation, RecordItem, RecordsPage, SpansPage, TracesPage

NAN = float("nan")
BATCH = 100


class KeelSource:
    """Reads a workspace of a Modelkeel.

    Args:
        api: of the server to read.
        experiments: names; with no `models` either: all.
        models: names of registered models; the runs and logged models behind their versions come too.
    """

    kind = "modelkeel"

    def __init__(self, api: Api, experiments: Sequence[str] = (), models: Sequence[str] = ()) -> None:
        self._api = api
        self.peer = api.get("/api/v1/exports/here", type=wire.Here).peer
        self.shown = api.url
        self._experiments = set(experiments)
        self._models = set(models)
        self._everything = not experiments and not models
        self._behind: dict[str, set[str]] = {}  # runs and logged models behind chosen versions, by experiment
        self._whole: set[str] = set()

    def experiments(self) -> list[wire.ExperimentItem]:
        """The chosen ones, and those to which something behind a chosen model belongs."""
        for one in self.registered():
            for version in one.versions:
                self._find(version)
        every = self._api.get("/api/v1/exports/experiments", type=list[wire.ExperimentItem])
        missing = self._experiments - {one.name for one in every}
        if missing:
            raise NotFound(f"{self.shown} has no experiment {min(missing)!r}.")
        self._whole = {one.id for one in every if self._everything or one.name in self._experiments}
        return [one for one in every if one.id in self._whole or one.id in self._behind]

    def runs(self, experiment: str) -> Iterator[list[SourceRun]]:
        """Runs in the order in which they came, in batches."""
        after: int | None = 0
        while after is not None:
            query = {"experiment": experiment, "after": after, "limit": BATCH}
            page = self._api.get("/api/v1/exports/runs", query, type=wire.RunsPage)
            yield [
                SourceRun(one.run, one.keys, one.mark, one.files)
                for one in page.runs
                if experiment in self._whole or one.run.id in self._behind.get(experiment, ())
            ]
            after = page.next

    def series(self, runs: Sequence[SourceRun]) -> Iterator[tuple[str, str, list[Point]]]:
        """Points, page by page."""
        for run in runs:
            for key in run.keys:
                start: int | None = 0
                while start is not None:
                    path = f"/api/v1/exports/runs/{run.item.id}/points"
                    page = self._api.get(path, {"key": key, "start": start}, type=wire.PointsPage)
                    columns = zip(page.steps, page.times, page.values, strict=True)
                    yield run.item.id, key, [stored_point(s, t, NAN if v is None else v) for s, t, v in columns]
                    start = page.next

    def logged_models(self, experiment: str) -> Iterator[SourceModel]:
        """Logged models, also deleted ones."""
        path, query = "/api/v1/exports/logged-models", {"experiment": experiment}
        for one in self._api.get(path, query, type=list[wire.ExportedLoggedModel]):
            if experiment in self._whole or one.model.id in self._behind.get(experiment, ()):
                yield SourceModel(one.model, one.status, one.updated, one.mark, one.files)

    def list_files(self, owner: str) -> list[str]:
        """Files come with their owners."""
        raise NotFound(f"The files of {owner} were not listed.")

    def fetch(self, owner: str, path: str, folder: Path) -> Path:
        """A file's content as a local file."""
        into = folder / "content"
        with (
            self._api.stream(
                f"/api/v1/{'logged-models' if owner.startswith('m-') else 'runs'}/{owner}/artifacts/{path}"
            ) as p,
            into.open("wb") as file,
        ):
            for piece in p:
                file.write(piece)
        return into

    def content(self, digest: str) -> Iterable[bytes]:
        """Content by digest, as it streams in."""
        with self._api.stream(f"/api/v1/blobs/{digest}") as pieces:
            yield from pieces

    def registered(self) -> Iterator[SourceRegistered]:
        """The chosen models."""
        if not (self._everything or self._models):
            return
        every = self._api.get("/api/v1/exports/models", type=list[wire.ExportedModel])
        missing = self._models - {one.model.name for one in every}
        if missing:
            raise NotFound(f"{self.shown} has no registered model {min(missing)!r}.")
        for one in every:
            if self._everything or one.model.name in self._models:
                yield SourceRegistered(one.model, one.versions, one.aliases)

    def traces(self, experiment: str) -> Iterator[list[SourceTrace]]:
        """Traces in the order in which they came, in batches; those of chosen experiments."""
        after: int | None = 0 if experiment in self._whole else None
        while after is not None:
            query = {"experiment": experiment, "after": after, "limit": BATCH}
            page = self._api.get("/api/v1/exports/traces", query, type=TracesPage)
            yield [SourceTrace(one.trace, one.mark) for one in page.traces]
            after = page.next

    def spans(self, trace: str) -> Iterator[list[str]]:
        """Spans, page by page."""
        start: int | None = 0
        while start is not None:
            page = self._api.get(f"/api/v1/exports/traces/{quote(trace)}/spans", {"start": start}, type=SpansPage)
            yield page.spans
            start = page.next

    def evaluations(self) -> Iterator[SourceEvaluation]:
        """Evaluation data sets of a chosen experiment; with everything, also those of none."""
        for one in self._api.get("/api/v1/exports/evaluation-datasets", type=list[ExportedEvaluation]):
            if self._everything or self._whole & set(one.dataset.experiments):
                yield SourceEvaluation(one.dataset, one.mark)

    def records(self, dataset: str) -> Iterator[list[RecordItem]]:
        """Records, page by page."""
        after: int | None = 0
        while after is not None:
            path = f"/api/v1/exports/evaluation-datasets/{quote(dataset)}/records"
            page = self._api.get(path, {"after": after}, type=RecordsPage)
            yield page.records
            after = page.next

    def _find(self, version: wire.VersionItem) -> None:
        """Notes what stands behind a version, so that it comes along."""
        for kind, identity in {(version.owner_kind, version.owner), ("run", version.run)}:
            if identity:
                path = "runs" if kind == "run" else "logged-models"
                found = self._api.get(f"/api/v1/{path}/{identity}")
                self._behind.setdefault(str(found["experiment"]), set()).add(identity)
