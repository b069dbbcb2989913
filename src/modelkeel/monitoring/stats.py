"""What a window keeps of the rows of one revision: counts that merge by addition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from modelkeel.core import lazy_polars as pl
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.histograms import count
from modelkeel.monitoring.profile import SCORE, Profile
from modelkeel.monitoring.segments import IN, OUT


class Key(NamedTuple):
    """Whose rows: a window's start (ms), a revision and the part it played."""

    start: int
    revision: str
    variant: str


class WindowStats(msgspec.Struct, frozen=True):
    """Counts of one `Key`.

    Attributes:
        rows: predicted rows.
        columns: counts by column over the bins of the revision's profile, missing last.
    """

    rows: int
    columns: dict[str, list[int]]

    def merged(self, other: WindowStats) -> WindowStats:
        """The sum of both."""
        columns = dict(self.columns)
        for name, counts in other.columns.items():
            mine = columns.get(name)
            columns[name] = counts if mine is None else [a + b for a, b in zip(mine, counts, strict=True)]
        return WindowStats(self.rows + other.rows, columns)


def partitions(frame: pl.DataFrame, config: MonitorConfig) -> Iterator[tuple[Key, pl.DataFrame]]:
    """A segment's rows by window, revision and variant."""
    length, anchor = config.window_ms, config.anchor_ms
    start = (pl.col("event_time") - anchor) // length * length + anchor
    keyed = frame.with_columns(start.alias("start"))
    for key, part in keyed.partition_by("start", "revision", "variant", as_dict=True).items():
        yield Key(*key), part


def measure(frame: pl.DataFrame, profile: Profile, output: str) -> WindowStats:
    """The counts of some rows."""
    columns = {}
    for name, column in profile.columns.items():
        if name == SCORE:
            series = score_of(frame, output)
        elif IN + name in frame.columns:
            series = frame[IN + name]
        else:
            continue
        columns[name] = count(column.bins, series).tolist()
    return WindowStats(frame.height, columns)


def score_of(frame: pl.DataFrame, output: str) -> pl.Series:
    """The score of each row: a named output, else the last class's probability, else the first number of the outputs.

    Nulls where there is none.
    """
    named = [OUT + output] if output else [name for name in frame.columns if name.startswith(OUT)]
    filled = [frame[name] for name in named if name in frame.columns and frame[name].null_count() < frame.height]
    lists = [s for s in filled if s.dtype.is_nested()]
    floats = [s for s in filled if s.dtype.is_float()]
    numbers = [s for s in filled if s.dtype.is_numeric() or s.dtype == pl.Boolean]
    for series in (lists + floats + numbers)[:1]:
        flat = series.list.last() if isinstance(series.dtype, pl.List) else series
        if isinstance(series.dtype, pl.Array):
            flat = series.arr.last()
        return flat.cast(pl.Float64, strict=False).fill_nan(None).alias("score")
    return pl.Series("score", [None], dtype=pl.Float64).new_from_index(0, frame.height)
