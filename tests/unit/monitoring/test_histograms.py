"""Bins come from the reference; counts add up."""

import numpy as np
import polars as pl
import pytest

from modelkeel.core.errors import InvalidInput
from modelkeel.monitoring.config import MonitorConfig, parse_duration
from modelkeel.monitoring.histograms import CategoryBins, NumberBins, count, fit_bins
from modelkeel.monitoring.profile import profile_of, read_profile
from modelkeel.monitoring.stats import measure, partitions, score_of

RNG = np.random.default_rng(5)


def test_ten_quantile_bins():
    bins = fit_bins(pl.Series(RNG.normal(size=10_000)))
    assert isinstance(bins, NumberBins)
    assert bins.size == 10
    counts = count(bins, pl.Series(RNG.normal(size=10_000)))
    assert counts.sum() == 10_000
    assert counts[:-1] == pytest.approx(1_000, rel=0.2)


@pytest.mark.parametrize(
    ("values", "size"),
    [
        (pl.Series([1, 2, 3, 4, 5, 6, 7] * 100), 7),
        (pl.Series([0.0, 1.0] * 50), 2),
        (pl.Series([5] * 10), 1),
        (pl.Series([0.0] * 85 + [1.5, 2.5, 3.5, 4.5, 5.5] * 3), 2),
        (pl.Series([], dtype=pl.Float64), 1),
        (pl.Series([None, None], dtype=pl.Float64), 1),
        (pl.Series(["a", "b", None, "a"]), 3),
        (pl.Series([True, False, None]), 3),
    ],
)
def test_odd_columns(values: pl.Series, size: int):
    bins = fit_bins(values)
    assert bins.size == size
    counts = count(bins, values)
    assert counts.sum() == len(values)
    assert counts[-1] == values.null_count()
    assert len(bins.labels()) == size


def test_values_are_counted_where_they_belong():
    numbers = NumberBins([0.0, 10.0])
    assert count(numbers, pl.Series([-1.0, 0.0, 9.99, 10.0, float("nan"), None, float("inf")])).tolist() == [1, 2, 2, 2]
    texts = CategoryBins(["a", "b"])
    assert count(texts, pl.Series(["a", "b", "c", None, "a"])).tolist() == [2, 1, 1, 1]


def test_counts_of_parts_add_up_to_counts_of_the_whole():
    """The property on which folding rests, over random splits into segments."""
    n = 5_000
    frame = pl.DataFrame(
        {
            "event_time": RNG.integers(0, 3 * 86_400_000, n),
            "revision": RNG.choice(["r1", "r2"], n),
            "variant": ["champion"] * n,
            "in.x": RNG.normal(size=n),
            "in.c": RNG.choice(["a", "b", None], n),
            "out.p": RNG.random(n),
        }
    )
    config = MonitorConfig()
    profile = profile_of(frame.rename({"in.x": "x", "in.c": "c", "out.p": "score"}).drop("event_time"), config)
    whole = {key: measure(part, profile, "") for key, part in partitions(frame, config)}
    merged = {}
    for slice_ in frame.sample(fraction=1.0, shuffle=True, seed=1).iter_slices(700):
        for key, part in partitions(slice_, config):
            found = measure(part, profile, "")
            merged[key] = merged[key].merged(found) if key in merged else found
    assert merged == whole
    assert sum(s.rows for s in whole.values()) == n
    assert {key.start for key in whole} == {0, 86_400_000, 2 * 86_400_000}


def test_which_output_is_the_score():
    lists = pl.DataFrame({"out.label": [1, 0], "out.probabilities": [[0.2, 0.8], [0.9, 0.1]]})
    assert score_of(lists, "").to_list() == [0.8, 0.1]
    assert score_of(lists, "label").to_list() == [1.0, 0.0]
    assert score_of(pl.DataFrame({"out.prediction": [1.5, None]}), "").to_list() == [1.5, None]
    assert score_of(pl.DataFrame({"out.word": ["a", "b"]}), "").to_list() == [None, None]


def test_a_reference_over_several_windows_calibrates_itself():
    """A column that wanders between the reference's own weeks gets a higher limit; a steady one does not."""
    weeks, per = 8, 1_000
    week = np.repeat(np.arange(weeks), per)
    frame = pl.DataFrame(
        {
            "weather": RNG.normal(size=weeks * per) + week % 4,
            "steady": RNG.normal(size=weeks * per),
            "event_time": week * 7 * 86_400_000,
            "score": np.where(week >= 6, RNG.random(weeks * per), None).astype(float),
            "label": RNG.integers(0, 2, weeks * per),
        }
    )
    profile = profile_of(frame, MonitorConfig(window="7d"))
    assert profile.columns["weather"].usual > 0.5
    assert profile.columns["steady"].usual < 0.1
    assert sum(profile.columns["prediction"].counts) == 2 * per
    assert profile.quality["auc"].n == 2 * per


def test_unreadable_references_are_refused():
    for content in (b"", b"PAR1 and nothing", b"x,y\n1,2\n"):
        with pytest.raises(InvalidInput):
            read_profile(content, MonitorConfig())


@pytest.mark.parametrize(
    ("text", "ms"), [("7d", 604_800_000), ("90s", 90_000), ("2w", 1_209_600_000), ("15m", 900_000)]
)
def test_durations(text: str, ms: int):
    assert parse_duration(text) == ms
    for wrong in ("", "7", "d7", "-1d", "1y", "1.5h"):
        with pytest.raises(InvalidInput):
            parse_duration(wrong)


def test_windows_begin_at_the_anchor():
    config = MonitorConfig(window="7d", anchor="2013-01-01T05:00:00Z")
    anchor = config.anchor_ms
    assert config.start_of(anchor) == anchor
    assert config.start_of(anchor - 1) == anchor - 7 * 86_400_000
    assert config.title(anchor) == "2013-01-01T05:00:00.000Z/2013-01-08T05:00:00.000Z"
