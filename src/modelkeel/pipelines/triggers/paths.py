"""Whether data at a path on the server's machine changed: by names, sizes and times, or by a table's version."""

import asyncio
import glob
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from modelkeel.core.errors import InvalidInput
from modelkeel.core.hashing import digest_of

MOST_FILES = 100_000
NOTHING = "nothing"


def check_path(path: str, allowed: Sequence[Path]) -> None:
    """Refuses a path that the operator did not let pipelines read.

    Raises:
        InvalidInput: it is relative, or none of theirs.
    """
    if not Path(path).is_absolute() or ".." in Path(path).parts:
        raise InvalidInput(f"{path[:200]!r} is no whole path.", hint="Write it from the root: /data/new.")
    fixed = Path(glob.escape(path)) if not glob.has_magic(path) else Path(path.partition("*")[0].rpartition("/")[0])
    place = fixed.resolve() if not glob.has_magic(path) else Path(os.path.realpath(fixed))
    if not any(place == root.resolve() or root.resolve() in place.parents for root in allowed):
        raise InvalidInput(
            f"The server may not look at {path[:200]}.",
            hint="The operator allows it: modelkeel up --allow-read FOLDER.",
        )


async def state_of(path: str) -> str:
    """The state of what is at a path: `nothing`, `version:N` of a Delta table, or a digest over the files found."""
    return await asyncio.to_thread(_state_of, path)


def _state_of(path: str) -> str:
    version = _delta_version(Path(path))
    if version is not None:
        return f"version:{version}"
    found = sorted(islice(_files(path), MOST_FILES))
    return digest_of([list(one) for one in found])[:32] if found else NOTHING


def _files(path: str) -> Iterator[tuple[str, int, int]]:
    for place in glob.iglob(path, recursive=True) if glob.has_magic(path) else [path]:  # noqa: PTH207 - as below
        if os.path.isdir(place):  # noqa: PTH112 - texts all the way: a folder may hold a hundred thousand files
            for folder, _, names in os.walk(place):
                for name in names:
                    yield from _seen(f"{folder}/{name}")
        else:
            yield from _seen(place)


def _seen(file: str) -> Iterator[tuple[str, int, int]]:
    try:
        found = os.stat(file)  # noqa: PTH116 - as above
    except OSError:
        return  # it went meanwhile
    yield file, found.st_size, found.st_mtime_ns


def _delta_version(table: Path) -> int | None:
    """The version of a Delta table: the newest commit in its log (Delta protocol, "Delta Log Entries")."""
    try:
        commits = [file.stem for file in (table / "_delta_log").iterdir() if file.suffix == ".json"]
    except OSError:
        return None
    return max((int(name) for name in commits if name.isdecimal()), default=None)
