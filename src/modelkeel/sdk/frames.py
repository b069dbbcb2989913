"""Runs and metrics as data frames: `keel.runs`, `keel.metrics`, and one run with `keel.get_run`."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, overload

from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import Api
from modelkeel.sdk.run_card import RunCard

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

PAGE = 1000
CONNECTIONS = 8
_SEARCH = "/api/2.0/mlflow/runs/search"
_COLUMNS = ("run_id", "name", "experiment_id", "status", "user", "start_time", "end_time")
_ATTRIBUTES = frozenset(
    {
        "run_id",
        "run_name",
        "status",
        "artifact_uri",
        "user_id",
        "experiment_id",
        "start_time",
        "end_time",
        "created",
        "Created",
    }
)
_QUOTED = re.compile(r"""('(?:''|\\'|[^'])*'|"(?:""|\\"|[^"])*"|`[^`]*`)""")
_BARE = re.compile(r"(?<![\w.`'\"])[A-Za-z_]\w*(?=\s*[<>=!])")


@overload
def runs(
    filter: str = "",
    *,
    experiments: Sequence[str] | None = None,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    frame: Literal["polars"] = "polars",
    api: Api | None = None,
) -> "pl.DataFrame": ...
@overload
def runs(
    filter: str = "",
    *,
    experiments: Sequence[str] | None = None,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    frame: Literal["pandas"],
    api: Api | None = None,
) -> "pd.DataFrame": ...
def runs(
    filter: str = "",  # noqa: A002 - MLflow's word
    *,
    experiments: Sequence[str] | None = None,
    order_by: Sequence[str] = (),
    limit: int | None = None,
    frame: Literal["polars", "pandas"] = "polars",
    api: Api | None = None,
) -> Any:
    """Runs that meet a filter, a row each.

    Example:
        `keel.runs("accuracy > 0.9 and params.lr = '0.1'", experiments=["churn"], order_by=["metrics.accuracy DESC"])`

    Args:
        filter: MLflow's filter grammar. A name without an entity is an attribute of runs if there is one of that name
            (`status`, `start_time` …), else a metric: `accuracy > 0.9` means `metrics.accuracy > 0.9`.
        experiments: names or ids of experiments; None: all that one may read.
        order_by: sort keys, such as `metrics.accuracy DESC`; newest first by default.
        limit: how many rows at most; None: all.
        frame: `polars` or `pandas`.
        api: the server; the one that the environment names by default.

    Returns:
        Columns `run_id`, `name`, `experiment_id`, `status`, `user`, `start_time`, `end_time` (UTC), then
        `metrics.KEY` (the latest value), `params.KEY` and `tags.KEY` (those of MLflow's own, `mlflow.…`, left out).

    Raises:
        InvalidInput: the filter does not follow the grammar, or there is no such experiment.
    """
    with _server(api) as server:
        wanted = _experiment_ids(server, experiments)
        found = list(_found(server, with_metrics(filter), wanted, list(order_by), limit))
    return _frame(_rows(found), frame)


@overload
def metrics(
    run_ids: str | Iterable[str],
    keys: str | Sequence[str] | None = None,
    *,
    frame: Literal["polars"] = "polars",
    api: Api | None = None,
) -> "pl.DataFrame": ...
@overload
def metrics(
    run_ids: str | Iterable[str],
    keys: str | Sequence[str] | None = None,
    *,
    frame: Literal["pandas"],
    api: Api | None = None,
) -> "pd.DataFrame": ...
def metrics(
    run_ids: str | Iterable[str],
    keys: str | Sequence[str] | None = None,
    *,
    frame: Literal["polars", "pandas"] = "polars",
    api: Api | None = None,
) -> Any:
    """Every point of some metrics of some runs, a row each, sent as Arrow.

    Args:
        run_ids: one or several runs.
        keys: one or several metrics; None: all that each run has. A run without one has no rows for it.
        frame: `polars` or `pandas`.
        api: the server; the one that the environment names by default.

    Returns:
        Columns `run_id`, `key`, `step`, `timestamp` (UTC), `value`; in order of run, key and step.

    Raises:
        NotFound: there is no such run.
    """
    import polars as pl

    wanted = [run_ids] if isinstance(run_ids, str) else list(run_ids)
    named_keys = [keys] if isinstance(keys, str) else keys
    with _server(api) as server, ThreadPoolExecutor(CONNECTIONS) as pool:
        series = [
            (run_id, key)
            for run_id in wanted
            for key in (named_keys if named_keys is not None else sorted(get_run(run_id, api=server).metrics))
        ]
        parts = list(pool.map(lambda at: _points(server, *at), series))
    whole = pl.concat([_no_points(), *parts])
    return whole if frame == "polars" else _pandas(whole)


def get_run(run_id: str, *, api: Api | None = None) -> RunCard:
    """One run, which a notebook shows as a card.

    Raises:
        NotFound: there is no such run.
    """
    with _server(api) as server:
        return RunCard.of(server.get(f"/api/v1/runs/{run_id}"))


class _Borrowed:
    """A server that somebody else closes."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __enter__(self) -> Api:
        return self._api

    def __exit__(self, *_: object) -> None:
        """Leaves it open."""


def _server(api: Api | None) -> "Api | _Borrowed":
    return Api.from_environment() if api is None else _Borrowed(api)


def with_metrics(words: str) -> str:
    """A filter in which a bare name that is no attribute of runs has become a metric."""
    parts = _QUOTED.split(words)
    parts[::2] = [_BARE.sub(_named, part) for part in parts[::2]]  # every second one is quoted
    return "".join(parts)


def _named(found: re.Match[str]) -> str:
    name = found[0]
    return name if name in _ATTRIBUTES else f"metrics.{name}"


def _experiment_ids(server: Api, wanted: Sequence[str] | None) -> list[str]:
    known: dict[str, str] = {}
    token: str | None = ""
    while token is not None:
        page = server.get("/api/v1/experiments", {"limit": PAGE, "token": token})
        known |= {each["id"]: each["name"] for each in page["experiments"]}
        token = page["next"]
    if wanted is None:
        return list(known)
    ids = {name: identity for identity, name in known.items()}
    missing = [each for each in wanted if each not in known and each not in ids]
    if missing:
        raise InvalidInput(
            f"There is no experiment {', '.join(map(repr, missing))}.",
            hint=f"There are {', '.join(sorted(ids)[:20]) or 'none'}.",
        )
    return [each if each in known else ids[each] for each in wanted]


def _found(
    server: Api, words: str, experiments: list[str], order_by: list[str], limit: int | None
) -> Iterator[dict[str, Any]]:
    token, left = "", limit
    while experiments and (left is None or left > 0):
        size = PAGE if left is None else min(left, PAGE)
        body = {"experiment_ids": experiments, "filter": words, "order_by": order_by, "max_results": size}
        page = server.post(_SEARCH, body | ({"page_token": token} if token else {}))
        found = page.get("runs", [])
        yield from found
        left = None if left is None else left - len(found)
        token = page.get("next_page_token", "")
        if not token:
            return


def _rows(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for run in found:
        info, data = run["info"], run["data"]
        row: dict[str, Any] = {
            "run_id": info["run_id"],
            "name": info.get("run_name", ""),
            "experiment_id": info["experiment_id"],
            "status": info["status"],
            "user": info.get("user_id", ""),
            "start_time": info["start_time"],
            "end_time": info.get("end_time"),
        }
        row |= {f"metrics.{each['key']}": float(each["value"]) for each in data.get("metrics", [])}
        row |= {f"params.{each['key']}": each["value"] for each in data.get("params", [])}
        tags = (each for each in data.get("tags", []) if not each["key"].startswith("mlflow."))
        rows.append(row | {f"tags.{each['key']}": each["value"] for each in tags})
    return rows


def _frame(rows: list[dict[str, Any]], frame: str) -> Any:
    import polars as pl

    more = {column for row in rows for column in row} - set(_COLUMNS)
    kinds: dict[str, pl.DataType] = {
        column: pl.Int64() if column.endswith("_time") else pl.String() for column in _COLUMNS
    }
    kinds |= {column: pl.Float64() if column.startswith("metrics.") else pl.String() for column in sorted(more)}
    times = [pl.col(column).cast(pl.Datetime("ms", "UTC")) for column in ("start_time", "end_time")]
    made = pl.DataFrame(rows, schema=kinds, orient="row").with_columns(times)
    return made if frame == "polars" else _pandas(made)


def _points(server: Api, run_id: str, key: str) -> "pl.DataFrame":
    import polars as pl

    content = server.get_bytes(f"/api/v1/runs/{run_id}/metric-points", {"key": key})
    found = pl.read_ipc_stream(io.BytesIO(content))
    return found.select(
        pl.lit(run_id).alias("run_id"),
        pl.lit(key).alias("key"),
        "step",
        pl.col("timestamp").cast(pl.Datetime("ms", "UTC")),
        "value",
    )


def _no_points() -> "pl.DataFrame":
    import polars as pl

    kinds = {"run_id": pl.String(), "key": pl.String(), "step": pl.Int64(), "timestamp": pl.Datetime("ms", "UTC")}
    return pl.DataFrame(schema=kinds | {"value": pl.Float64()})


def _pandas(frame: "pl.DataFrame") -> Any:
    """As pandas, column by column: polars' own way needs pyarrow."""
    try:
        import pandas as pd
    except ImportError:
        raise InvalidInput("pandas is not installed here.", hint="Install it, or take the polars frame.") from None
    made = pd.DataFrame({name: frame.get_column(name).to_list() for name in frame.columns})
    for name, kind in frame.schema.items():
        if kind.is_temporal():
            made[name] = pd.to_datetime(made[name], utc=True)
    return made
