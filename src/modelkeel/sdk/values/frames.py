"""Tables as Parquet with fixed settings, so that equal tables give equal bytes; pandas by way of polars.

A large table is cut by rows into parts, each a Parquet file of its own: a table of which a tenth changed shares the
other parts with the one before. Where it is cut depends only on the columns' types and the length of texts, so equal
tables are cut alike.

pandas needs no Arrow library here: each column travels as what it is, and a small description in the file's metadata
brings back its dtype, the index and the kind of missing value.
"""

import io
import json
import math
from typing import Any

import polars as pl

from modelkeel.core.errors import InvalidInput

ROWS = 1 << 18
PART_BYTES = 4 << 20
"""A part holds half so many bytes to so many, before they are compressed."""

_OTHER_WIDTH = 64  # lists, structs: what is in them is not counted
_DESCRIPTION = "modelkeel.pandas"


Parts = bytes | list[bytes]


def save_polars(frame: pl.DataFrame, description: str | None = None) -> Parts:
    """A polars frame as Parquet, a large one in parts of some rows each."""
    if pl.Object in frame.dtypes:
        raise InvalidInput("A step can't hand on a table with a column of Python objects.")
    rows = _rows_of_part(frame)
    if frame.height <= rows:
        return _parquet(frame, description)
    return [_parquet(part, description) for part in frame.iter_slices(rows)]


def _rows_of_part(frame: pl.DataFrame) -> int:
    width = sum(_width(frame[name]) for name in frame.columns)
    return max(1, PART_BYTES >> max(0, math.ceil(math.log2(max(width, 1)))))


def _width(column: pl.Series) -> float:
    """Bytes of a row, on average."""
    kind = column.dtype
    if kind in {pl.String, pl.Binary}:
        lengths = column.str.len_bytes() if kind == pl.String else column.bin.size()
        return float(lengths.mean() or 0.0) + 4  # type: ignore[arg-type]
    if kind.is_numeric() or kind.is_temporal() or kind == pl.Boolean:
        return 8.0
    return 4.0 if kind in {pl.Categorical, pl.Enum} else _OTHER_WIDTH


def _parquet(frame: pl.DataFrame, description: str | None) -> bytes:
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(
        buffer,
        compression="zstd",
        compression_level=1,
        row_group_size=ROWS,
        metadata=None if description is None else {_DESCRIPTION: description},
    )
    return buffer.getvalue()


def load_polars(content: Parts) -> pl.DataFrame:
    """The polars frame again."""
    if isinstance(content, bytes):
        return pl.read_parquet(io.BytesIO(content))
    return pl.concat([pl.read_parquet(io.BytesIO(part)) for part in content]).rechunk()


def _described(content: Parts) -> dict[str, Any]:
    first = content if isinstance(content, bytes) else content[0]
    found: dict[str, Any] = json.loads(pl.read_parquet_metadata(io.BytesIO(first))[_DESCRIPTION])
    return found


def save_series(series: pl.Series) -> Parts:
    """A polars series as a table of one column."""
    return save_polars(series.to_frame())


def load_series(content: Parts) -> pl.Series:
    """The polars series again."""
    return load_polars(content).to_series(0)


def save_pandas(frame: Any) -> Parts:
    """A pandas frame as Parquet with a description of what Parquet does not know."""
    return _save(frame, series=False)


def load_pandas(content: Parts) -> Any:
    """The pandas frame again."""
    import pandas as pd

    table = load_polars(content)
    described = _described(content)
    columns = [_restore(table[f"c{i}"], d) for i, d in enumerate(described["columns"])]
    index = _index(table, described)
    series = {i: _indexed(column, index) for i, column in enumerate(columns)}
    frame = pd.DataFrame(series, index=index)
    ranged = described["labels_range"]
    labels = pd.Index(described["labels"]) if ranged is None else pd.RangeIndex(*ranged)
    frame.columns = labels.rename(described["labels_name"])
    return frame


def save_pandas_series(series: Any) -> Parts:
    """A pandas series as a frame of one column."""
    return _save(series.to_frame(), series=True, name=series.name)


def load_pandas_series(content: Parts) -> Any:
    """The pandas series again."""
    described = _described(content)
    return load_pandas(content).iloc[:, 0].rename(described["name"])


def _save(frame: Any, *, series: bool, name: Any = None) -> Parts:
    import pandas as pd

    if isinstance(frame.columns, pd.MultiIndex):
        raise InvalidInput("A step can't hand on a table with several levels of column names.")
    data: dict[str, pl.Series] = {}
    columns = []
    for i in range(frame.shape[1]):
        data[f"c{i}"], described = _describe(frame.iloc[:, i])
        columns.append(described)
    index = frame.index
    levels = []
    if _range(index) is None:
        for i in range(index.nlevels):
            data[f"i{i}"], described = _describe(pd.Series(index.get_level_values(i)))
            levels.append(described)
    description = {
        "columns": columns,
        "labels": [_told(label) for label in frame.columns],
        "labels_range": _range(frame.columns),
        "labels_name": frame.columns.name,
        "range": _range(index),
        "levels": levels,
        "level_names": list(index.names),
        "rows": len(frame),
    }
    if series:
        description["name"] = _told(name)
    return save_polars(pl.DataFrame(data), json.dumps(description))


def _describe(column: Any) -> tuple[pl.Series, dict[str, Any]]:
    """A column as polars stores it, and what brings its pandas form back."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories, inner = _describe(pd.Series(dtype.categories))
        described = {"as": "category", "ordered": bool(dtype.ordered), "inner": inner, "values": categories.to_list()}
        return pl.Series(column.cat.codes.to_numpy()), described
    told = str(dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pl.Series(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()), {"as": "time", "dtype": told}
    if isinstance(dtype, pd.StringDtype):
        texts = [None if _is_gap(value) else value for value in column]
        return pl.Series(texts, dtype=pl.String), {"as": "cast", "dtype": told}
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        values = [None if value is pd.NA else value for value in column.astype(object)]
        return pl.Series(values), {"as": "cast", "dtype": told}
    if dtype.kind in "biufmM":
        return pl.Series(column.to_numpy()), {"as": "numpy", "dtype": told}
    return _describe_objects(list(column))


def _describe_objects(values: list[Any]) -> tuple[pl.Series, dict[str, Any]]:
    missing = {"none" if value is None else "nan" for value in values if _is_gap(value)}
    known = {type(value) for value in values if not _is_gap(value)}
    if len(known) > 1 or len(missing) > 1 or not known <= {str, bool, int}:
        mixed = ", ".join(sorted(kind.__name__ for kind in known))
        raise InvalidInput(
            f"A step can't hand on a pandas column of Python objects that mixes kinds ({mixed}).",
            hint="Give the column one dtype, or one kind of value and one kind of missing value.",
        )
    plain = [None if _is_gap(value) else value for value in values]
    stored = {str: pl.String, bool: pl.Boolean, int: pl.Int64}[next(iter(known), str)]
    return pl.Series(plain, dtype=stored), {"as": "object", "missing": next(iter(missing), "none")}


def _is_gap(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


def _restore(series: pl.Series, described: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    form = described["as"]
    if form == "category":
        categories = _restore(pl.Series(described["values"]), described["inner"])
        kind = pd.CategoricalDtype(categories, ordered=described["ordered"])
        return pd.Series(pd.Categorical.from_codes(series.to_numpy(), dtype=kind))
    if form == "time":
        zone = pd.api.types.pandas_dtype(described["dtype"])
        return pd.Series(series.to_numpy()).dt.tz_localize("UTC").astype(zone)
    if form == "numpy":
        return series.to_numpy().astype(described["dtype"], copy=True)
    if form == "cast":
        return pd.array(series.to_list(), dtype=described["dtype"])
    gap = np.nan if described["missing"] == "nan" else None
    return pd.Series([gap if v is None else v for v in series.to_list()], dtype=object)


def _indexed(column: Any, index: Any) -> Any:
    """A column under the table's own index, its dtype as it is: pandas would guess one from plain objects."""
    import pandas as pd

    values = column.array if isinstance(column, pd.Series) else column
    return pd.Series(values, index=index, dtype=column.dtype)


def _index(table: pl.DataFrame, described: dict[str, Any]) -> Any:
    import pandas as pd

    names = described["level_names"]
    if described["range"] is not None:
        start, stop, step = described["range"]
        return pd.RangeIndex(start, stop, step, name=names[0])
    levels = [pd.Index(_restore(table[f"i{i}"], d)) for i, d in enumerate(described["levels"])]
    if len(levels) == 1:
        return levels[0].rename(names[0])
    return pd.MultiIndex.from_arrays(levels, names=names)


def _told(label: Any) -> Any:
    """A column's label with its type: text, whole number or none."""
    if label is None or isinstance(label, str):
        return label
    if isinstance(label, bool) or not hasattr(label, "__index__"):
        raise InvalidInput(f"A step can't hand on a table with the column label {label!r}.", hint="Use texts.")
    return int(label)


def _range(index: Any) -> list[int] | None:
    import pandas as pd

    return [index.start, index.stop, index.step] if isinstance(index, pd.RangeIndex) else None
