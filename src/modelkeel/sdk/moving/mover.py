"""Sends what a source has to a server, batch by batch, and compares both at the end of each run and logged model."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from modelkeel.core.errors import Corrupt
from modelkeel.core.hashing import digest_of, sha256_file
from modelkeel.core.points import Point, PointsDigest
from modelkeel.sdk.api import Api
from modelkeel.sdk.moving.source import Source, SourceModel, SourceRegistered, SourceRun
from modelkeel.sdk.moving.trace_mover import TraceMover
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import SpansItem

POINTS_AT_ONCE = 20_000
FILES_AT_ONCE = 200
UPLOADS = 8
_COUNTED = ("params", "tags", "points", "files", "bytes", "spans", "assessments", "links", "records")
Progress = Callable[[Counter[str]], None]


class Mover:
    """One import, or one direction of a sync.

    Args:
        source: where from.
        api: of the server it goes to.
        own: of the source, if it is a Modelkeel: it is told what the other has, so that a sync back knows it.
        keep_numbers: whether versions keep their numbers; in a sync they are the server's own.
        again: whether to compare also what came over whole before and did not change.
        progress: told the counts from time to time.
    """

    def __init__(
        self,
        source: Source,
        api: Api,
        *,
        own: Api | None = None,
        keep_numbers: bool = True,
        again: bool = False,
        progress: Progress = lambda _: None,
    ) -> None:
        self._source = source
        self._api = api
        self._own = own
        self._keep_numbers = keep_numbers
        self._again = again
        self._progress = progress
        self._scratch = Path(tempfile.mkdtemp(prefix="keel-move-"))
        self.counts: Counter[str] = Counter()
        self.differences: list[str] = []
        self.ids: dict[str, str] = {}
        self._open: set[str] = set()  # runs and logged models with a conflict: they are asked about again next time
        self._import = ""
        self._peer = ""
        self._of_traces = TraceMover(
            source, send=self._send, known=self._known, done=self._done, mark=self._mark, tell=self._tell
        )

    def move(self) -> wire.ImportView:
        """Moves all of it; returns the import with its report.

        An import that was interrupted goes on where it was: what came over whole is known by the server.
        """
        begin = wire.Begin(self._source.peer, self._source.kind, self._source.shown)  # type: ignore[arg-type]
        begun = self._api.post("/api/v1/imports", begin, type=wire.ImportView)
        self._import, self._peer = begun.id, begun.here
        try:
            for experiment in self._experiments():
                for model in self._source.logged_models(experiment):
                    self._logged_model(model)
                for batch in self._source.runs(experiment):
                    self._runs(batch)
                self._of_traces.traces(experiment)
            self._of_traces.evaluations()
            for registered in self._source.registered():
                self._registered(registered)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
        report = wire.Report(not self.differences, dict(self.counts), self.differences, self.ids)
        return self._api.post(f"/api/v1/imports/{self._import}/end", report, type=wire.ImportView)

    def _experiments(self) -> list[str]:
        items = self._source.experiments()
        outcomes = self._send(items)
        self.counts["experiments"] += len(items)
        return [item.id for item, outcome in zip(items, outcomes, strict=True) if outcome.state != "refused"]

    def _logged_model(self, model: SourceModel) -> None:
        self._tell("logged_models", 1)
        if self._known("logged_model", {model.item.id: model.mark}):
            self.counts["same"] += 1
            return
        if self._send([model.item])[0].state == "refused":
            return
        files = self._files("logged_model", model.item.id, model.files)
        item = model.item
        sent = _summary(len(item.params), len(item.tags), len(item.points), "", files)
        self._done(
            [
                wire.DoneItem(
                    "logged_model", item.id, self._mark(item.id, model.mark), sent, model.status, model.updated
                )
            ],
        )

    def _runs(self, batch: Sequence[SourceRun]) -> None:
        known = self._known("run", {run.item.id: run.mark for run in batch})
        self._tell("runs", len(batch))
        self.counts["same"] += len(known)
        fresh = [run for run in batch if run.item.id not in known]
        if not fresh:
            return
        outcomes = self._send([run.item for run in fresh])
        taken = [run for run, outcome in zip(fresh, outcomes, strict=True) if outcome.state != "refused"]
        series = self._points(taken)
        done = []
        for run in taken:
            files = self._files("run", run.item.id, run.files)
            digests = series.get(run.item.id, {})
            digest = digest_of({key: {"points": d.count, "digest": d.value} for key, d in digests.items()})
            tags = {**run.item.tags, "mlflow.runName": run.item.name} if run.item.name else run.item.tags
            points = sum(d.count for d in digests.values())
            sent = _summary(len(run.item.params), len(tags), points, digest, files)
            done.append(wire.DoneItem("run", run.item.id, self._mark(run.item.id, run.mark), sent))
        self._done(done)

    def _points(self, runs: Sequence[SourceRun]) -> dict[str, dict[str, PointsDigest]]:
        """Sends the points of some runs; returns the digests over each series."""
        digests: dict[str, dict[str, PointsDigest]] = {}
        waiting: list[wire.PointsItem] = []
        count = 0
        for run, key, points in self._source.series(runs):
            if not points:
                continue
            digests.setdefault(run, {}).setdefault(key, PointsDigest()).add(points)
            for start in range(0, len(points), POINTS_AT_ONCE):
                some = points[start : start + POINTS_AT_ONCE]
                waiting.append(_points_item(run, key, some))
                count += len(some)
                if count >= POINTS_AT_ONCE:
                    self._send(waiting)
                    self._tell("points", count)
                    waiting, count = [], 0
        if waiting:
            self._send(waiting)
            self._tell("points", count)
        return digests

    def _files(self, kind: wire.Owner, owner: str, files: Sequence[wire.FileItem] | None) -> list[wire.FileItem]:
        """Sends what the server does not hold of some files, then the list of them."""
        with ThreadPoolExecutor(UPLOADS) as pool:
            if files is None:
                listed: list[wire.FileItem] = []
                paths = self._source.list_files(owner)
                for start in range(0, len(paths), FILES_AT_ONCE):
                    some = paths[start : start + FILES_AT_ONCE]
                    listed += self._read_and_send(pool, owner, some)
            else:
                listed = list(files)
                for start in range(0, len(listed), FILES_AT_ONCE):
                    wanted = self._not_held(listed[start : start + FILES_AT_ONCE])
                    list(pool.map(lambda file: self._put(file, self._source.content(file.digest)), wanted))
        if listed or files is not None:
            self._send([wire.FilesItem(kind, owner, listed)])
        self._tell("files", len(listed))
        self.counts["bytes"] += sum(file.size for file in listed)
        return listed

    def _read_and_send(self, pool: ThreadPoolExecutor, owner: str, paths: Sequence[str]) -> list[wire.FileItem]:
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        local = dict(zip(paths, pool.map(lambda path: self._source.fetch(owner, path, folder), paths), strict=True))
        found = list(
            pool.map(lambda path: wire.FileItem(path, sha256_file(local[path]), local[path].stat().st_size), paths)
        )
        wanted = self._not_held(found)
        list(pool.map(lambda file: self._put(file, _pieces(local[file.path])), wanted))
        shutil.rmtree(folder, ignore_errors=True)
        return found

    def _not_held(self, files: Sequence[wire.FileItem]) -> list[wire.FileItem]:
        by_digest = {file.digest: file for file in files}
        if not by_digest:
            return []
        held = self._api.post("/api/v1/blobs/held", {"digests": list(by_digest)})["digests"]
        return [file for digest, file in by_digest.items() if digest not in set(held)]

    def _put(self, file: wire.FileItem, pieces: Iterable[bytes]) -> None:
        stored = self._api.put_bytes("/api/v1/blobs", pieces)
        if stored["digest"] != file.digest:
            raise Corrupt(
                f"{file.path} changed while it was sent.", hint="Repeat the command; it goes on where it was."
            )
        self.counts["sent_bytes"] += file.size

    def _registered(self, one: SourceRegistered) -> None:
        self._tell("models", 1)
        for model in one.models:
            self._logged_model(model)
        if self._send([one.item])[0].state == "refused":
            return
        versions = [msgspec.structs.replace(version, keep=self._keep_numbers) for version in one.versions]
        for start in range(0, len(versions), 100):  # one at a time on the server would take as long; numbers go up
            for version in versions[start : start + 100]:
                self._send([version])
        self.counts["versions"] += len(versions)
        self._send([wire.AliasItem(one.item.name, alias, number) for alias, number in one.aliases.items()])
        self.counts["aliases"] += len(one.aliases)
        stages = [wire.StageItem(v.model, v.version, v.stage or "None") for v in versions]
        for start in range(0, len(stages), 100):
            self._send(stages[start : start + 100])
        self._progress(self.counts)

    def _known(self, kind: wire.Whole, marks: dict[str, str]) -> set[str]:
        if self._again or not any(marks.values()):
            return set()
        body = wire.Known(kind, marks)
        return set(self._api.post(f"/api/v1/imports/{self._import}/known", body, type=list[str]))

    def _done(self, items: Sequence[wire.DoneItem]) -> None:
        for item, outcome in zip(items, self._send(items), strict=True):
            if outcome.state == "same":
                self.counts["verified"] += 1
                self.counts["params"] += item.sent.params
                self.counts["tags"] += item.sent.tags
            elif outcome.holds is not None:
                self.differences.append(f"{item.kind} {item.id}: {_compared(item.sent, outcome.holds)}")

    def _send(self, items: Sequence[wire.Item]) -> list[wire.Outcome]:
        if not items:
            return []
        path = f"/api/v1/imports/{self._import}/items"
        outcomes = self._api.post(path, wire.Items(list(items)), type=list[wire.Outcome])
        for outcome in outcomes:
            self._note(outcome)
        if self._own is not None:
            agreed = [
                (item, outcome.here)
                for item, outcome in zip(items, outcomes, strict=True)
                if outcome.state not in {"kept", "refused"}
                and not isinstance(item, wire.PointsItem | SpansItem | wire.DoneItem)
            ]
            if agreed:
                body = wire.Agreed(self._peer, [item for item, _ in agreed], [here for _, here in agreed])
                self._own.post("/api/v1/imports/agreed", body)
        return outcomes

    def _note(self, outcome: wire.Outcome) -> None:
        name = f"{outcome.item.replace('_', ' ')} {outcome.id}"
        if outcome.state == "refused":
            self.differences.append(f"{name} was refused: {outcome.why}")
        elif outcome.conflicts:
            self._open.add(outcome.id)
            fields = ", ".join(outcome.conflicts[:10]) + (" …" if len(outcome.conflicts) > 10 else "")
            why = f" ({outcome.why})" if outcome.why else ""
            self.differences.append(f"{name} is otherwise here and stays so: {fields}{why}")
        number = outcome.id.rpartition("/")[2] if outcome.item == "version" else outcome.id
        if outcome.item in {
            "experiment",
            "run",
            "logged_model",
            "version",
            "evaluation_dataset",
        } and outcome.here not in {"", number}:
            self.ids[f"{outcome.item} {outcome.id}"] = outcome.here
        if outcome.state in {"made", "changed"}:
            self.counts[outcome.state] += 1

    def _mark(self, owner: str, mark: str) -> str:
        """None for what has an open conflict: with one, the server would take it as known and nobody hear of it."""
        return "" if owner in self._open else mark

    def _tell(self, what: str, more: int) -> None:
        self.counts[what] += more
        self._progress(self.counts)


def count(source: Source, progress: Progress = lambda _: None) -> dict[str, int]:
    """What a source has, without its points and files."""
    counts: Counter[str] = Counter()
    items = source.experiments()
    counts["experiments"] += len(items)
    for item in items:
        counts["logged_models"] += sum(1 for _ in source.logged_models(item.id))
        for batch in source.runs(item.id):
            counts["runs"] += len(batch)
            counts["metrics"] += sum(len(run.keys) for run in batch)
            progress(counts)
        for traces in source.traces(item.id):
            counts["traces"] += len(traces)
            progress(counts)
    counts["evaluation_datasets"] += sum(1 for _ in source.evaluations())
    for one in source.registered():
        counts["models"] += 1
        counts["versions"] += len(one.versions)
    return dict(counts)


def _summary(params: int, tags: int, points: int, digest: str, files: Sequence[wire.FileItem]) -> wire.Summary:
    ordered = sorted(files, key=lambda file: file.path)
    tree = digest_of([[file.path, file.digest, file.size] for file in ordered])
    return wire.Summary(params, tags, points, digest, len(files), sum(file.size for file in files), tree)


def _points_item(run: str, key: str, points: Sequence[Point]) -> wire.PointsItem:
    values = [None if point[3] else point[2] for point in points]
    return wire.PointsItem(run, key, [point[0] for point in points], [point[1] for point in points], values)


def _pieces(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def _compared(sent: wire.Summary, holds: wire.Summary) -> str:
    """What is not the same, in words."""
    counts = [
        f"{getattr(holds, name)} {name} here, {getattr(sent, name)} at the source"
        for name in _COUNTED
        if getattr(holds, name) != getattr(sent, name)
    ]
    same = counts or [
        f"other {what} here"
        for name, what in (("points_digest", "points"), ("tree", "files"), ("content", "content"))
        if getattr(holds, name) != getattr(sent, name)
    ]
    return "; ".join(same)
