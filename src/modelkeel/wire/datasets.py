"""Data sets as they travel, and what can be said of two versions without their content."""

import re
from typing import Annotated, Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.wire.values import Value

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
Count = Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)]


class Column(msgspec.Struct, frozen=True):
    """One column of a table.

    Attributes:
        name: of the column.
        type: as polars names it, `Float64`.
        nulls: how many cells are empty.
        distinct: how many different values there are; None: not counted.
        min: the least value, as text; None: there is none.
        max: the greatest.
        mean: of numbers.
        std: their standard deviation, with n - 1.
    """

    name: str
    type: str
    nulls: int = 0
    distinct: int | None = None
    min: str | None = None
    max: str | None = None
    mean: float | None = None
    std: float | None = None


class Profile(msgspec.Struct, frozen=True):
    """What is known of a version without reading it: rows and columns of a table, files of a folder.

    Attributes:
        rows: of a table; None: it is no table.
        columns: of a table, in their order.
        files: how many files there are.
    """

    rows: int | None = None
    columns: tuple[Column, ...] = ()
    files: int | None = None


class DatasetVersion(msgspec.Struct, frozen=True):
    """One version of a data set; it never changes.

    Attributes:
        dataset: the data set's name.
        number: counts up, never used twice.
        digest: of the content.
        size: bytes.
        source: where it came from, in the user's words.
        user: who added it.
        entry: of the ledger.
        run_id: the run that made it.
        deleted: when its content was let go.
        value: how the content is stored; None in lists, and where it was let go.
        used_by: runs that read it.
        new: whether adding it made a version; False: the newest one has the same content.
    """

    dataset: str
    number: int
    digest: str
    size: int
    profile: Profile
    source: str
    user: str
    created: str
    entry: int
    run_id: str | None = None
    deleted: str | None = None
    value: Value | None = None
    used_by: list[str] = []
    new: bool = False


class Dataset(msgspec.Struct, frozen=True):
    """A named data set.

    Attributes:
        owner: who answers for it, a name.
        keep_versions: how many of the newest versions keep their content; None: all.
        keep_days: for how long versions that are not the newest keep theirs; None: for ever.
        newest: number of the newest version; 0: there is none.
        versions: newest first; in lists only the newest.
    """

    id: str
    name: str
    description: str
    owner: str
    keep_versions: int | None
    keep_days: int | None
    newest: int
    created: str
    updated: str
    versions: list[DatasetVersion]


class DescribeDataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be said of a data set; what is left out stays."""

    description: Annotated[str, msgspec.Meta(max_length=5000)] | None = None
    owner: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    keep_versions: Count | None = None
    keep_days: Count | None = None
    keep_for_ever: bool = False


class AddVersion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version to be added; its content is stored already."""

    value: Value
    profile: Profile
    source: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    run_id: str | None = None


class UseVersion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run that read a version."""

    run_id: str


class ColumnDiff(msgspec.Struct, frozen=True):
    """One thing that differs in a column: `added`, `removed`, `type`, or a statistic."""

    column: str
    what: str
    was: str
    now: str


class DatasetDiff(msgspec.Struct, frozen=True):
    """What differs between two versions.

    Attributes:
        same: whether the content is the same, byte by byte.
        rows: of both, where both are tables.
        columns: what differs in columns, in their order.
    """

    dataset: str
    before: int
    after: int
    same: bool
    rows: tuple[int | None, int | None]
    size: tuple[int, int]
    columns: list[ColumnDiff]


def check_dataset_name(name: str) -> None:
    """Refuses a name that can't stand in an address.

    Raises:
        InvalidInput: it can't.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:200]!r} can't be the name of a data set.",
            hint="Write up to 200 letters, digits, `.`, `_` and `-`: flights-2013.",
        )


def diff_of(was: DatasetVersion, now: DatasetVersion) -> DatasetDiff:
    """What differs between two versions, by what is known of them."""
    old = {column.name: column for column in was.profile.columns}
    new = {column.name: column for column in now.profile.columns}
    found: list[ColumnDiff] = []
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            found.append(ColumnDiff(name, "removed", old[name].type, ""))
        elif name not in old:
            found.append(ColumnDiff(name, "added", "", new[name].type))
        else:
            found += [
                ColumnDiff(name, field, _told(getattr(old[name], field)), _told(getattr(new[name], field)))
                for field in ("type", "nulls", "distinct", "min", "max", "mean", "std")
                if getattr(old[name], field) != getattr(new[name], field)
            ]
    rows, size = (was.profile.rows, now.profile.rows), (was.size, now.size)
    return DatasetDiff(was.dataset, was.number, now.number, was.digest == now.digest, rows, size, found)


def _told(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
