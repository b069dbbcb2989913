"""`modelkeel dataset …`: named data with versions."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import cyclopts
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.sdk.api import Api

dataset = cyclopts.App(name="dataset", help="Named data with versions.", help_format="plaintext")
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print as JSON.")]


@dataset.command(name="list")
def every(*, json: Json = False) -> None:
    """List the workspace's data sets.

    Examples:
        modelkeel dataset list
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/datasets")
    if json:
        print_json(found)
        return
    if not found:
        Console().print("There are no data sets. Add one: modelkeel dataset add NAME FILE")
        return
    table = Table("data set", "version", "rows", "size", "owner", "updated")
    for one in found:
        newest = one["versions"][0] if one["versions"] else None
        rows = newest["profile"]["rows"] if newest else None
        table.add_row(
            one["name"],
            str(one["newest"]),
            f"{rows:,}" if rows is not None else "",
            _size(newest["size"]) if newest else "",
            one["owner"],
            one["updated"][:16].replace("T", " "),
        )
    Console().print(table)


@dataset.command
def add(name: str, path: Path, *, source: str = "", description: str | None = None, json: Json = False) -> None:
    """Add a version: a file or a folder. Parquet, CSV and NDJSON get schema and statistics.

    Examples:
        modelkeel dataset add flights-2013 flights.parquet
        modelkeel dataset add pictures ./pictures --source https://example.org/pictures

    Parameters
    ----------
    name
        The data set's; it is made where there is none.
    path
        The file or folder.
    source
        Where it came from.
    description
        What the data set is.
    """
    from modelkeel.sdk.datasets import save_dataset

    if not path.exists():
        raise InvalidInput(f"There is no {path}.", hint="Name a file or a folder.")
    with Api.from_environment() as api:
        found = save_dataset(name, path, source=source, description=description, api=api)
    if json:
        print_json(found)
        return
    word = "is new" if found.new else "was there already: the content is the same"
    Console().print(f"version {found.number} of {name} {word}  [dim]{found.digest[:12]}[/]", highlight=False)


@dataset.command
def show(name: str, version: int | None = None, *, json: Json = False) -> None:
    """Show a data set, or one version with its columns.

    Examples:
        modelkeel dataset show flights-2013
        modelkeel dataset show flights-2013 2

    Parameters
    ----------
    name
        The data set's.
    version
        A version's number.
    """
    at = f"/api/v1/datasets/{quote(name, safe='')}"
    with Api.from_environment() as api:
        found = api.get(at if version is None else f"{at}/versions/{version}")
    if json:
        print_json(found)
        return
    console = Console()
    if version is None:
        kept = [f"{found['keep_versions']} versions"] if found["keep_versions"] else []
        kept += [f"{found['keep_days']} days"] if found["keep_days"] else []
        about = f"{found['description'] or 'no description'}; owner {found['owner']}"
        console.print(f"{about}; kept: {' and '.join(kept) or 'for ever'}", highlight=False, markup=False)
        table = Table("version", "rows", "size", "digest", "by", "created", "source")
        for one in found["versions"]:
            gone = " (let go)" if one["deleted"] else ""
            rows = one["profile"]["rows"]
            table.add_row(
                f"{one['number']}{gone}",
                f"{rows:,}" if rows is not None else "",
                _size(one["size"]),
                one["digest"][:12],
                one["user"],
                one["created"][:16].replace("T", " "),
                one["source"],
            )
        console.print(table)
        return
    columns = Table("column", "type", "empty", "distinct", "min", "max", "mean")
    for one in found["profile"]["columns"]:
        mean = f"{one['mean']:.6g}" if one["mean"] is not None else ""
        cells = (one["name"], one["type"], one["nulls"], one["distinct"], one["min"], one["max"], mean)
        columns.add_row(*("" if cell is None else str(cell) for cell in cells))
    console.print(columns if found["profile"]["columns"] else f"{_size(found['size'])}, {found['digest']}")
    for run in found["used_by"]:
        console.print(f"read by run {run}", highlight=False)


@dataset.command
def diff(name: str, before: int, after: int, *, json: Json = False) -> None:
    """Show what differs between two versions: columns, rows and statistics.

    Examples:
        modelkeel dataset diff flights-2013 1 2
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/datasets/{quote(name, safe='')}/diff", {"before": before, "after": after})
    if json:
        print_json(found)
        return
    console = Console()
    if found["same"]:
        console.print("The content is the same.")
        return
    rows, size = found["rows"], found["size"]
    if None not in rows:
        console.print(f"rows {rows[0]:,} → {rows[1]:,} ({rows[1] - rows[0]:+,})", highlight=False)
    console.print(f"size {_size(size[0])} → {_size(size[1])}", highlight=False)
    table = Table("column", "what", f"version {before}", f"version {after}")
    for one in found["columns"]:
        table.add_row(one["column"], one["what"], one["was"], one["now"])
    if found["columns"]:
        console.print(table)


@dataset.command
def get(name: str, to: Path, *, version: int | None = None) -> None:
    """Write a version's content to a file or a folder.

    Examples:
        modelkeel dataset get flights-2013 flights.parquet --version 2

    Parameters
    ----------
    name
        The data set's.
    to
        Where to; nothing may be there yet.
    version
        Its number; the newest by default.
    """
    from modelkeel.sdk.values import decode
    from modelkeel.wire.datasets import DatasetVersion

    if to.exists():
        raise InvalidInput(f"{to} is there already.", hint="Name a place where nothing is.")
    at = f"/api/v1/datasets/{quote(name, safe='')}"
    with Api.from_environment() as api, tempfile.TemporaryDirectory(prefix="keel-data") as folder:
        found = api.get(f"{at}/newest" if version is None else f"{at}/versions/{version}", type=DatasetVersion)
        if found.value is None:
            raise NotFound(f"The content of version {found.number} of {name} was let go.")
        content = decode(found.value, lambda digest: api.get_bytes(f"/api/v1/blobs/{digest}"), Path(folder))
        if isinstance(content, Path):
            shutil.move(content, to)
        elif hasattr(content, "write_parquet"):
            content.write_parquet(to)
        elif hasattr(content, "to_parquet"):
            content.to_parquet(to)
        else:
            raise InvalidInput(
                f"Version {found.number} of {name} is a {found.value.kind}, not a file.",
                hint=f"Load it in Python: keel.load_dataset({name!r}).",
            )
    Console().print(f"version {found.number} is in {to}", highlight=False)


@dataset.command
def keep(
    name: str,
    *,
    versions: int | None = None,
    days: int | None = None,
    ever: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Say how long versions keep their content. The newest one always does; numbers and statistics stay.

    Examples:
        modelkeel dataset keep flights-2013 --versions 10
        modelkeel dataset keep flights-2013 --days 90
        modelkeel dataset keep flights-2013 --ever
    """
    if not ever and versions is None and days is None:
        raise InvalidInput("Nothing is said of how long.", hint="Write --versions 10, --days 90 or --ever.")
    body: dict[str, Any] = {"keep_versions": versions, "keep_days": days, "keep_for_ever": ever}
    with Api.from_environment() as api:
        api.put(f"/api/v1/datasets/{quote(name, safe='')}", body)
    Console().print(f"noted for {name}", highlight=False)


@dataset.command
def delete(name: str, version: int | None = None) -> None:
    """Let go of a version's content, or delete a data set with all of them.

    Examples:
        modelkeel dataset delete flights-2013 1
        modelkeel dataset delete flights-2013
    """
    at = f"/api/v1/datasets/{quote(name, safe='')}"
    with Api.from_environment() as api:
        api.delete(at if version is None else f"{at}/versions/{version}")
    Console().print(f"{name}{f' version {version}' if version else ''} is deleted.", highlight=False)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
