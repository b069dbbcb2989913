"""What stood behind a pipeline run: its code, its environment, its data."""

from typing import Any

import msgspec

from modelkeel.wire.values import Value


class LeftOut(msgspec.Struct, frozen=True):
    """A file that the snapshot does not hold, and why: `secret`, `large` or `name` (one that can't be laid again)."""

    path: str
    reason: str


class Snapshot(msgspec.Struct, frozen=True):
    """The project's files as they were.

    Attributes:
        digest: of the tar.
        files: how many it holds.
        size: bytes of the tar.
        commit: git's commit, if the folder is in a repository.
        dirty: whether files differ from that commit.
        diff: blob of the uncommitted changes as a patch.
        left_out: files that it does not hold.
    """

    digest: str
    files: int
    size: int
    commit: str | None = None
    dirty: bool = False
    diff: str | None = None
    left_out: list[LeftOut] = []


class Wheel(msgspec.Struct, frozen=True):
    """A local or editable package, laid in as a wheel."""

    name: str
    version: str
    filename: str
    digest: str


class Environment(msgspec.Struct, frozen=True):
    """What was installed.

    Attributes:
        digest: of names and versions; it stands in cache keys.
        python: the interpreter's version, `3.11.7`.
        platform: e.g. `linux-x86_64`.
        packages: how many packages.
        lock: blob of the hashed requirement file.
        wheels: packages that no index has.
        unlocked: packages that no index has and that could not be built, so a rebuilt environment lacks them.
    """

    digest: str
    python: str
    platform: str
    packages: int
    lock: str | None = None
    wheels: list[Wheel] = []
    unlocked: list[str] = []


class DataInput(msgspec.Struct, frozen=True):
    """Data from outside that the run declared.

    Attributes:
        name: as declared.
        value: its content.
        pinned: whether the content is stored, so that a rerun can have it back.
    """

    name: str
    value: Value
    pinned: bool


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stood behind the run: sent once, while it runs or at its end."""

    snapshot: Snapshot | None
    environment: Environment
    machine: dict[str, Any]
    data: list[DataInput] = []
