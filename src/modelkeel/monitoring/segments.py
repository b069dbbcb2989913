"""A prediction segment: what the runtime spooled, as one Parquet file a pass and endpoint.

Columns: salt, request, row, revision, model, version, variant, time, event_time, entity, latency_us, then `in.<input>`
and `out.<output>`. Times are milliseconds since 1970. A missing value and a NaN are both null.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from modelkeel.core import lazy_numpy as np
from modelkeel.core import lazy_polars as pl
from modelkeel.monitoring.leaves import root_of, salted
from modelkeel.wire.spool import PredictionBlock

IN, OUT = "in.", "out."
_FIXED = (
    "salt",
    "request",
    "row",
    "revision",
    "model",
    "version",
    "variant",
    "time",
    "event_time",
    "entity",
    "latency_us",
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment ready to be stored.

    Attributes:
        content: Parquet.
        root: Merkle root of its rows.
        frame: the rows.
        requests: how many requests they came in.
    """

    content: bytes
    root: str
    frame: pl.DataFrame


def block_frame(block: PredictionBlock) -> pl.DataFrame:
    """The rows of one spool block."""
    counts = np.asarray(block.counts, dtype=np.int64)
    request = np.repeat(np.arange(len(counts)), counts)
    row = np.arange(block.size) - np.repeat(np.cumsum(counts) - counts, counts)
    at = pl.Series(request)
    columns: list[pl.Series] = [
        pl.Series("request", block.requests, dtype=pl.String).gather(at),
        pl.Series("row", row.astype(np.int32)),
        pl.Series("revision", [block.revision], dtype=pl.String).new_from_index(0, block.size),
        pl.Series("model", [block.model], dtype=pl.String).new_from_index(0, block.size),
        pl.Series("version", [block.version], dtype=pl.Int32).new_from_index(0, block.size),
        pl.Series("variant", [block.variant], dtype=pl.String).new_from_index(0, block.size),
        pl.Series("time", block.times, dtype=pl.Int64).gather(at),
        pl.Series("event_time", block.event_times, dtype=pl.Int64),
        pl.Series("entity", block.entities or [None] * block.size, dtype=pl.String),
        pl.Series("latency_us", block.latencies, dtype=pl.Int64).gather(at),
    ]
    columns += [_values(IN + name, values) for name, values in block.inputs.items()]
    columns += [_values(OUT + name, values) for name, values in block.outputs.items()]
    return pl.DataFrame(columns)


def seal(frames: Iterable[pl.DataFrame]) -> Sealed:
    """One segment from the frames of some blocks, in the order of time."""
    together = pl.concat(list(frames), how="diagonal_relaxed").sort("time", maintain_order=True)
    frame = salted(together.select(*_FIXED[1:], pl.selectors.starts_with(IN), pl.selectors.starts_with(OUT)))
    return Sealed(parquet(frame), root_of(frame), frame)


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=1)
    return buffer.getvalue()


def read(content: bytes, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """A stored segment, or some of its columns; those that it lacks are left out."""
    if columns is not None:
        present = set(pl.read_parquet_schema(io.BytesIO(content)))
        columns = [name for name in columns if name in present]
    return pl.read_parquet(io.BytesIO(content), columns=list(columns) if columns is not None else None)


def values_of(row: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The inputs or outputs of one row, by their own names."""
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


def _values(name: str, values: list[Any]) -> pl.Series:
    try:
        if values and isinstance(values[0], list):
            # Through numpy: building one polars Series for each row's list took most of the time of a pass.
            return pl.Series(name, np.array(values, dtype=np.float64)).arr.to_list()
    except (TypeError, ValueError):
        pass  # lists of texts or of several lengths: the general way below
    try:
        series = pl.Series(name, values)
    except (TypeError, pl.exceptions.PolarsError, OverflowError):
        # Values that fit no single type are kept as the JSON that they were.
        series = pl.Series(name, [msgspec.json.encode(value).decode() for value in values], dtype=pl.String)
    if series.dtype == pl.Null:
        return series.cast(pl.Float64)
    if series.dtype == pl.Object:
        return pl.Series(name, [msgspec.json.encode(value).decode() for value in values], dtype=pl.String)
    return series.fill_nan(None) if series.dtype.is_float() else series
