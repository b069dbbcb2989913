"""A metric's series as arrays: joined, drawn in buckets, sampled, and written as Arrow. Pure.

Points are ordered by (step, timestamp, value, is it NaN), where 0 stands for a value that is NaN: the order of the
database's own key. The same point twice counts once.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from modelkeel.core import lazy_numpy as np
from modelkeel.core.clock import rfc3339
from modelkeel.core.lazy_numpy import Floats, Ints


class Bucket(msgspec.Struct, frozen=True):
    """A range of steps of a series.

    Attributes:
        step: first step of the range that has a point.
        end: last step of the range that has a point.
        time: of the last point, RFC 3339.
        points: how many there are.
        low: smallest value; None if all are NaN.
        high: largest value.
        last: value of the last point; None if it is NaN.
    """

    step: int
    end: int
    time: str
    points: int
    low: float | None
    high: float | None
    last: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order.

    Attributes:
        steps: of each point.
        times: milliseconds since 1970.
        values: NaN where it is one.
    """

    steps: Ints
    times: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, start: int, end: int) -> "Series":
        """The points from place `start` up to `end`."""
        return Series(self.steps[start:end], self.times[start:end], self.values[start:end])


def of_rows(points: Sequence[tuple[int, int, float, int]]) -> Series:
    """From rows of (step, timestamp, value, is_nan) in order."""
    if not points:
        return Series(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    steps, times, values, nans = zip(*points, strict=True)
    found = np.array(values, np.float64)
    found[np.array(nans, bool)] = np.nan
    return Series(np.array(steps, np.int64), np.array(times, np.int64), found)


def rows(series: Series) -> Iterator[tuple[int, int, float, int]]:
    """As rows of (step, timestamp, value, is_nan), where 0 stands for NaN."""
    nans = np.isnan(series.values)
    plain = (series.steps, series.times, np.where(nans, 0.0, series.values), nans.astype(np.int64))
    return zip(*(column.tolist() for column in plain), strict=True)


def joined(parts: Iterable[Series]) -> Series:
    """All points of some series, in order, each once."""
    found = [part for part in parts if len(part)]
    if len(found) < 2:
        return found[0] if found else of_rows([])
    steps = np.concatenate([part.steps for part in found])
    times = np.concatenate([part.times for part in found])
    values = np.concatenate([part.values for part in found])
    if np.any(steps[1:] <= steps[:-1]):  # rising steps are in order as they are
        nans = np.isnan(values)
        plain = np.where(nans, 0.0, values)
        order = np.lexsort((nans, plain, times, steps))
        steps, times, values, nans, plain = steps[order], times[order], values[order], nans[order], plain[order]
        same = (steps[1:] == steps[:-1]) & (times[1:] == times[:-1])
        same &= (plain[1:] == plain[:-1]) & (nans[1:] == nans[:-1])
        keep = np.concatenate(([True], ~same))
        steps, times, values = steps[keep], times[keep], values[keep]
    return Series(steps, times, values)


def by_time(series: Series) -> Series:
    """In MLflow's order of a history: timestamp, step, value."""
    plain = np.where(np.isnan(series.values), 0.0, series.values)
    order = np.lexsort((plain, series.steps, series.times))
    return Series(series.steps[order], series.times[order], series.values[order])


def between(series: Series, first: int | None, last: int | None) -> Series:
    """The points whose step lies in [first, last]; None leaves that side open."""
    start = 0 if first is None else int(np.searchsorted(series.steps, first, "left"))
    end = len(series) if last is None else int(np.searchsorted(series.steps, last, "right"))
    return series.part(start, max(start, end))


def buckets(series: Series, count: int) -> list[Bucket]:
    """The series in at most `count` ranges of steps of one width, without losing an extreme.

    NaN counts as a point and is left out of `low` and `high`.
    """
    if not len(series):
        return []
    first, last = int(series.steps[0]), int(series.steps[-1])
    edges = np.array(range(first, last + 1, (last - first) // count + 1), np.int64)
    starts = np.unique(np.searchsorted(series.steps, edges))
    ends = np.concatenate((starts[1:], [len(series)])) - 1
    low = np.fmin.reduceat(series.values, starts)  # fmin and fmax take NaN only where there is nothing else
    high = np.fmax.reduceat(series.values, starts)
    columns = (series.steps[starts], series.steps[ends], series.times[ends], ends - starts + 1)
    plain = zip(*(column.tolist() for column in (*columns, low, high, series.values[ends])), strict=True)
    return [
        Bucket(step, end, rfc3339(time), points, _number(lo), _number(hi), _number(last))
        for step, end, time, points, lo, hi, last in plain
    ]


def sampled(series: Series, most: int) -> Series:
    """The points at up to `most` of the series' steps, evenly spread, the first and the last among them."""
    steps = np.unique(series.steps)
    if len(steps) <= most:
        return series
    places = np.unique(np.rint(np.linspace(0, len(steps) - 1, most)).astype(np.int64)) if most > 1 else [-1]
    chosen = np.isin(series.steps, steps[places])
    return Series(series.steps[chosen], series.times[chosen], series.values[chosen])


def to_arrow(series: Series, *, stream: bool = False) -> bytes:
    """An Arrow IPC file, compressed by Zstandard; with `stream` an IPC stream, plain, as every reader takes it.

    Columns: step (int64), timestamp (int64, milliseconds since 1970), value (float64).
    """
    import polars as pl  # takes long to load, and much memory

    frame = pl.DataFrame({"step": series.steps, "timestamp": series.times, "value": series.values})
    target = io.BytesIO()
    if stream:
        frame.write_ipc_stream(target, compat_level=pl.CompatLevel.oldest())
    else:
        frame.write_ipc(target, compression="zstd", compat_level=pl.CompatLevel.oldest())
    return target.getvalue()


def from_arrow(content: bytes) -> Series:
    """What `to_arrow` wrote as a file."""
    import polars as pl

    frame = pl.read_ipc(io.BytesIO(content))
    return Series(*(_column(frame, name) for name in ("step", "timestamp", "value")))


def _column(frame: Any, name: str) -> Any:
    return frame.get_column(name).to_numpy()


def _number(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124 - only NaN differs from itself
