"""`keel.save_dataset` and `keel.load_dataset`: data sets with versions, for pipelines, scripts and `mlflow` runs."""

import atexit
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.sdk.api import Api
from modelkeel.sdk.running.recorder import patiently, store_content
from modelkeel.sdk.running.run import current, is_inside_step
from modelkeel.sdk.values import decode, encode
from modelkeel.wire.datasets import (
    AddVersion,
    Column,
    DatasetVersion,
    DescribeDataset,
    Profile,
    UseVersion,
    check_dataset_name,
)

_TABLES = {".parquet": "scan_parquet", ".csv": "scan_csv", ".ndjson": "scan_ndjson"}
_ORDERED = ("Int", "UInt", "Float", "Decimal", "Date", "Time", "Duration", "String", "Boolean")


def save_dataset(
    name: str,
    data: Any,
    *,
    source: str = "",
    description: str | None = None,
    keep_versions: int | None = None,
    keep_days: int | None = None,
    api: Api | None = None,
) -> DatasetVersion:
    """Adds a version to a data set, which is made where there is none of that name.

    The same content as the newest version's is that version: nothing is added. Inside a run the version names it.

    Args:
        name: of the data set: letters, digits, `.`, `_` and `-`.
        data: a table (polars, pandas), an array, a path to a file or folder, or whatever a step may return. The
            result of a query is a table: `keel.save_dataset("late", polars.read_database(query, connection))`.
        source: where it came from: an address, a query.
        description: what the data set is; left out: as it was.
        keep_versions: how many of the newest versions keep their content; left out: as it was, at first all.
        keep_days: for how many days versions that are not the newest keep theirs.
        api: the server; the environment's by default.

    Returns:
        The version; `new` says whether it was added.

    Raises:
        InvalidInput: the name can't be one, or the data can't be stored.
    """
    check_dataset_name(name)
    server = api or Api.from_environment()
    run = current()
    run_id = run.run_id if run is not None else _mlflow_run(server)
    content = Path(data) if isinstance(data, str) else data
    encoded = encode(content)
    store_content(server, encoded.content)
    at = f"/api/v1/datasets/{quote(name, safe='')}"
    said = DescribeDataset(description, None, keep_versions, keep_days)
    if said != DescribeDataset():
        server.put(at, said)
    told = source or (str(data) if isinstance(data, str | Path) else "")
    asked = AddVersion(encoded.value, profile_of(content), told, run_id)
    return patiently(lambda: server.post(f"{at}/versions", asked, type=DatasetVersion))


def load_dataset(name: str, version: int | None = None, *, api: Api | None = None) -> Any:
    """A version's content, as it was given: a table is a table of its kind, a file a path.

    In a pipeline it counts as declared data, as by `keel.data`: steps that take it run again when it is another one. In
    a plain `mlflow` run it is noted among the run's inputs.

    Args:
        name: of the data set.
        version: its number; None: the newest. A pipeline that is reproduced gets what it had.
        api: the server; the environment's by default.

    Raises:
        NotFound: there is no such version, or its content was let go.
        InvalidInput: it is called in a step, whose key is fixed.
    """
    if is_inside_step():
        raise InvalidInput(
            "keel.load_dataset is called in a step.", hint="Call it in the pipeline and hand its result in."
        )
    check_dataset_name(name)
    server = api or Api.from_environment()
    at = f"/api/v1/datasets/{quote(name, safe='')}"
    place = f"{at}/newest" if version is None else f"{at}/versions/{version}"
    found = server.get(place, type=DatasetVersion)
    if found.value is None:
        raise NotFound(f"The content of version {found.number} of {name} was let go.", hint="Load a newer version.")
    content = decode(found.value, lambda digest: server.get_bytes(f"/api/v1/blobs/{digest}"), _folder())
    run = current()
    if run is not None:
        loaded = content
        content = run.declare(f"datasets:/{name}" + (f"/{version}" if version is not None else ""), content)
        if content is not loaded:
            return content  # a run that is reproduced has what it had then
    run_id = run.run_id if run is not None else _mlflow_run(server)
    if run_id is not None:
        patiently(lambda: server.post(f"{at}/versions/{found.number}/uses", UseVersion(run_id)))
        _log_input(server, run_id, found)
    return content


def profile_of(data: Any) -> Profile:
    """Rows, columns and statistics of a table, or of a file that holds one; of a folder how many files there are."""
    if isinstance(data, Path):
        if data.is_dir():
            return Profile(files=sum(1 for path in data.rglob("*") if path.is_file()))
        scan = _TABLES.get(data.suffix)
        return msgspec.structs.replace(_table(_scanned(data, scan)), files=1) if scan else Profile(files=1)
    if hasattr(data, "to_pandas") and hasattr(data, "columns"):
        return _table(data)
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        import polars as pl

        return _table(pl.DataFrame({str(name): data[name].to_numpy() for name in data.columns}, strict=False))
    if hasattr(data, "shape") and hasattr(data, "dtype"):
        return Profile(rows=int(data.shape[0]) if data.shape else None)
    return Profile()


def _scanned(path: Path, scan: str) -> Any:
    import polars as pl

    return getattr(pl, scan)(path).collect()


def _table(frame: Any) -> Profile:
    return Profile(rows=frame.height, columns=tuple(_column(frame[name]) for name in frame.columns))


def _column(series: Any) -> Column:
    kind = str(series.dtype)
    found: dict[str, Any] = {"nulls": int(series.null_count())}
    if kind.startswith(_ORDERED) and series.len() > series.null_count():
        found |= {"distinct": int(series.n_unique()), "min": _told(series.min()), "max": _told(series.max())}
    if kind.startswith(("Int", "UInt", "Float")):
        found |= {"mean": _number(series.mean()), "std": _number(series.std())}
    return Column(series.name, kind, **found)


def _told(value: Any) -> str:
    return str(value)[:200]


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - NaN is not equal to itself


@cache
def _folder() -> Path:
    """Where files of versions are laid as long as this process lives."""
    held = tempfile.TemporaryDirectory(prefix="keel-data")
    atexit.register(held.cleanup)
    return Path(held.name)


def _mlflow_run(api: Api) -> str | None:
    """The active run of a plain `mlflow` script that logs to this server."""
    mlflow: Any = sys.modules.get("mlflow")
    if mlflow is None or not hasattr(mlflow, "active_run"):
        return None
    active = mlflow.active_run()
    if active is None or mlflow.get_tracking_uri().rstrip("/") != api.url:
        return None
    return str(active.info.run_id)


def _log_input(api: Api, run_id: str, found: DatasetVersion) -> None:
    """Notes the version among the inputs of the MLflow run, where MLflow's own tools look for it."""
    schema = {"mlflow_colspec": [{"name": one.name, "type": one.type} for one in found.profile.columns]}
    dataset = {
        "name": found.dataset,
        "digest": found.digest[:32],  # MLflow takes 36 characters
        "source_type": "modelkeel",
        "source": msgspec.json.encode({"uri": f"datasets:/{found.dataset}/{found.number}"}).decode(),
        "schema": msgspec.json.encode(schema).decode()[:60_000] if found.profile.columns else "",
        "profile": msgspec.json.encode({"num_rows": found.profile.rows}).decode(),
    }
    tags = [{"key": "modelkeel.dataset_version", "value": str(found.number)}]
    body = {"run_id": run_id, "datasets": [{"dataset": dataset, "tags": tags}]}
    patiently(lambda: api.post("/api/2.0/mlflow/runs/log-inputs", body))
