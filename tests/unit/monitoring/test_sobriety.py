"""False alarms and power of the rules as a whole: many windows drawn from the reference, and known shifts."""

import numpy as np
import polars as pl
import pytest

from modelkeel.monitoring.alerting import Judged, Reading, Signal, decide
from modelkeel.monitoring.config import DriftRule, MonitorConfig, QualityRule
from modelkeel.monitoring.profile import measured_quality, profile_of
from modelkeel.monitoring.stats import measure
from modelkeel.monitoring.verdicts import judge_drift, judge_quality

RNG = np.random.default_rng(17)
CONFIG = MonitorConfig(drift=DriftRule(min_rows=200), quality=QualityRule(min_labels=200))


def draw(rows: int, *, shift: float = 0.0, flip: float = 0.0) -> pl.DataFrame:
    """Ten numbers and three categories; the score knows the truth, unless some of it is flipped."""
    columns = {f"n{i}": RNG.normal(shift if i == 0 else 0, 1, rows) for i in range(10)}
    for i in range(3):
        columns[f"c{i}"] = RNG.choice(["a", "b", "c", "d"], rows, p=[0.6, 0.3, 0.08, 0.02])
    truth = (RNG.random(rows) < 0.3).astype(int)
    columns["score"] = 1 / (1 + np.exp(-(1.2 * (truth - 0.5) + RNG.normal(size=rows))))
    columns["label"] = np.where(RNG.random(rows) < flip, 1 - truth, truth)
    return pl.DataFrame(columns)


PROFILE = profile_of(draw(20_000), CONFIG)


def judge(frame: pl.DataFrame) -> tuple[set[str], bool]:
    """The shifted columns of a window, and whether its quality is lost."""
    logged = frame.rename({name: f"in.{name}" for name in frame.columns if name != "score"}).rename({"score": "out.p"})
    drift = judge_drift(CONFIG, PROFILE, measure(logged, PROFILE, ""))
    assert drift
    quality = judge_quality(CONFIG, PROFILE, measured_quality(frame, CONFIG))
    return {c.column for c in drift if c.shifted}, bool(quality and quality.lost)


@pytest.mark.parametrize("rows", [200, 2_000, 20_000])
def test_windows_like_the_reference_raise_no_alarm(rows: int):
    """200 windows at each size, 14 columns and a metric: not one window alarms, whatever its size."""
    count = 200 if rows < 20_000 else 60
    assert [judge(draw(rows)) for _ in range(count)] == [(set(), False)] * count


@pytest.mark.parametrize("rows", [500, 2_000])
def test_shifts_of_a_stated_size_are_found_in_every_window(rows: int):
    for _ in range(20):
        shifted, lost = judge(draw(rows, shift=0.7, flip=0.25))
        assert shifted == {"n0"}
        assert lost


def test_persistence_keeps_single_bad_windows_quiet():
    """With 5 % of windows bad by chance, two in a row are asked for: 400 windows raise far fewer than 20 alerts."""
    signal, config = Signal("drift", "x"), MonitorConfig()
    raised = 0
    history: list[Judged] = []
    for day in range(400):
        bad = bool(RNG.random() < 0.05)
        history.insert(0, Judged(day, "r", {signal: Reading(bad, not bad, 0.3, 0.2, 0.0)}))
        raised += any(d.action == "raise" and d.windows == 2 for d in decide(config, history[:64], {}))
    assert raised <= 6
