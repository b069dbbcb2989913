"""What can be moved from: anything that gives experiments, runs, points, files, models and versions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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


Progress = Callable[[str, int], None]
"""Told what was done: a word for it, and how many more."""
