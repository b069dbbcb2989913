"""What can be moved from: anything that gives experiments, runs, points, files, models and versions."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from modelkeel.core.points import Point
from modelkeel.wire.moving import (
    ExperimentItem,
    FileItem,
    LoggedModelItem,
    ModelItem,
    RunItem,
    VersionItem,
)
from modelkeel.wire.moving_traces import EvaluationItem, RecordItem, TraceItem


class SourceRun(msgspec.Struct, frozen=True):
    """A run at a source.

    Attributes:
        item: itself.
        keys: names of its metrics.
        mark: changes when it does; empty: it may change unseen.
        files: its files, where their digests are known already; None: they have to be read.
    """

    item: RunItem
    keys: list[str]
    mark: str
    files: list[FileItem] | None = None


class SourceModel(msgspec.Struct, frozen=True):
    """A logged model at a source; attributes as of `SourceRun`."""

    item: LoggedModelItem
    status: str
    updated: int
    mark: str
    files: list[FileItem] | None = None


class SourceRegistered(msgspec.Struct, frozen=True):
    """A registered model at a source.

    Attributes:
        item: itself.
        versions: in order of their numbers.
        aliases: and the versions that they mean.
        models: logged models made for versions whose files belong to none.
    """

    item: ModelItem
    versions: list[VersionItem]
    aliases: dict[str, int]
    models: list[SourceModel] = []


class SourceTrace(msgspec.Struct, frozen=True):
    """A trace at a source, without its spans.

    Attributes:
        item: itself.
        mark: changes when it does; empty: it may change unseen.
    """

    item: TraceItem
    mark: str


class SourceEvaluation(msgspec.Struct, frozen=True):
    """An evaluation data set at a source, without its records; attributes as of `SourceTrace`."""

    item: EvaluationItem
    mark: str


class Source(Protocol):
    """Reads one source. Nothing of it is ever changed."""

    peer: str
    kind: str
    shown: str

    def experiments(self) -> list[ExperimentItem]:
        """All of them, also deleted ones."""

    def runs(self, experiment: str) -> Iterator[Sequence[SourceRun]]:
        """An experiment's runs, in batches."""

    def series(self, runs: Sequence[SourceRun]) -> Iterator[tuple[str, str, list[Point]]]:
        """Of some runs: run, key and points in order of step, time, value; a long series comes in several parts."""

    def logged_models(self, experiment: str) -> Iterator[SourceModel]:
        """An experiment's logged models."""

    def list_files(self, owner: str) -> list[str]:
        """Paths of the files of a run or logged model, where `files` did not say them."""

    def fetch(self, owner: str, path: str, folder: Path) -> Path:
        """A file's content as a local file; if it was copied, below `folder`."""

    def content(self, digest: str) -> Iterable[bytes]:
        """Content by digest, where `files` said it."""

    def registered(self) -> Iterator[SourceRegistered]:
        """Registered models."""

    def traces(self, experiment: str) -> Iterator[Sequence[SourceTrace]]:
        """An experiment's traces, in batches."""

    def spans(self, trace: str) -> Iterator[list[str]]:
        """Contents of a trace's spans, in parts; see `SpansItem`."""

    def evaluations(self) -> Iterator[SourceEvaluation]:
        """Evaluation data sets of what was chosen."""

    def records(self, dataset: str) -> Iterator[list[RecordItem]]:
        """An evaluation data set's records, in parts."""
