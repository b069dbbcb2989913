"""Series as arrays: joined, drawn, sampled, written."""

import math

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.tracking import series

_STEPS = st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20)
_POINTS = st.tuples(
    _STEPS, st.integers(0, 5), st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 1)
).map(lambda p: (p[0], p[1], 0.0 if p[3] else p[2] + 0.0, p[3]))


@given(st.lists(st.lists(_POINTS, max_size=30), max_size=4))
def test_joined_series_are_all_points_once_in_order(parts: list[list[tuple[int, int, float, int]]]) -> None:
    whole = series.joined([series.of_rows(sorted(set(part))) for part in parts])
    assert list(series.rows(whole)) == sorted({point for part in parts for point in part})


@given(st.lists(_POINTS, max_size=60), st.integers(1, 9))
def test_buckets_lose_no_extreme(points: list[tuple[int, int, float, int]], count: int) -> None:
    ordered = sorted(set(points))
    drawn = series.buckets(series.of_rows(ordered), count)
    assert len(drawn) <= count
    assert sum(bucket.points for bucket in drawn) == len(ordered)
    numbers = [value for _, _, value, nan in ordered if not nan]
    lows = [bucket.low for bucket in drawn if bucket.low is not None]
    highs = [bucket.high for bucket in drawn if bucket.high is not None]
    assert min(lows, default=None) == min(numbers, default=None)
    assert max(highs, default=None) == max(numbers, default=None)
    for bucket in drawn:
        inside = [p for p in ordered if bucket.step <= p[0] <= bucket.end]
        assert bucket.points == len(inside)
        assert bucket.last == (None if inside[-1][3] else inside[-1][2])


@given(st.lists(_POINTS, min_size=1, max_size=60), st.integers(1, 9))
def test_samples_keep_the_first_and_the_last_step(points: list[tuple[int, int, float, int]], most: int) -> None:
    whole = series.of_rows(sorted(set(points)))
    found = series.sampled(whole, most)
    assert len(set(found.steps.tolist())) == min(most, len(set(whole.steps.tolist())))
    assert found.steps[-1] == whole.steps[-1]
    assert most == 1 or found.steps[0] == whole.steps[0]


@given(st.lists(_POINTS, max_size=40))
def test_arrow_gives_back_what_it_got(points: list[tuple[int, int, float, int]]) -> None:
    ordered = sorted(set(points))
    assert list(series.rows(series.from_arrow(series.to_arrow(series.of_rows(ordered))))) == ordered


def test_a_stream_is_read_by_others() -> None:
    content = series.to_arrow(series.of_rows([(1, 5, 2.5, 0), (2, 6, 0.0, 1)]), stream=True)
    frame = pl.read_ipc_stream(content)
    assert frame.columns == ["step", "timestamp", "value"]
    assert frame["step"].to_list() == [1, 2]
    assert math.isnan(frame["value"][1])


def test_a_part_of_a_series_by_steps() -> None:
    whole = series.of_rows([(step, 0, float(step), 0) for step in range(10)])
    assert series.between(whole, 3, 5).steps.tolist() == [3, 4, 5]
    assert series.between(whole, None, 1).steps.tolist() == [0, 1]
    assert len(series.between(whole, 7, 2)) == 0
    assert np.array_equal(series.by_time(whole).steps, whole.steps)
