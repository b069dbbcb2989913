"""One battery over every detector, and agreement with scipy on the same bins."""

import numpy as np
import polars as pl
import pytest
from scipy import stats
from scipy.spatial import distance

from modelkeel.monitoring.detectors import DETECTORS, Detector, chi_square, jensen_shannon, kolmogorov_smirnov, psi
from modelkeel.monitoring.detectors.false_discovery import rejected
from modelkeel.monitoring.detectors.quality_drop import judge
from modelkeel.monitoring.histograms import count, fit_bins

RNG = np.random.default_rng(3)
EVERY = pytest.mark.parametrize("detector", DETECTORS, ids=[d.name for d in DETECTORS])


def counts_of(reference: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bins = fit_bins(pl.Series(reference))
    return count(bins, pl.Series(reference)), count(bins, pl.Series(current))


@EVERY
def test_identical_shares_have_no_effect(detector: Detector):
    r, _ = counts_of(RNG.normal(size=5_000), RNG.normal(size=10))
    found = detector.measure(r, r)
    assert found.effect == pytest.approx(0, abs=1e-12)
    assert found.p is None or found.p == pytest.approx(1)


@EVERY
def test_swapping_both_sides_changes_nothing_where_it_says_so(detector: Detector):
    r, c = counts_of(RNG.normal(size=5_000), RNG.normal(0.3, size=3_000))
    one, two = detector.measure(r, c), detector.measure(c, r)
    assert (abs(one.effect - two.effect) < 1e-12) is detector.symmetric
    assert one.p == two.p or one.p == pytest.approx(two.p)


@EVERY
@pytest.mark.parametrize(
    "shift",
    [
        lambda x: x + 1,
        lambda x: x * 3,
        lambda x: np.where(RNG.random(len(x)) < 0.6, 5.0, x),
        np.abs,
    ],
    ids=["mean", "variance", "mass", "fold"],
)
def test_a_large_shift_is_larger_than_chance(detector: Detector, shift):
    reference = RNG.normal(size=5_000)
    calm = max(detector.measure(*counts_of(reference, RNG.normal(size=2_000))).effect for _ in range(20))
    moved = detector.measure(*counts_of(reference, shift(RNG.normal(size=2_000))))
    assert moved.effect > 2 * calm
    assert moved.p is None or moved.p < 1e-6


@EVERY
def test_missing_values_are_found_or_left_out(detector: Detector):
    reference, current = RNG.normal(size=5_000), RNG.normal(size=5_000)
    current[:1_000] = np.nan
    found = detector.measure(*counts_of(reference, current)).effect
    assert (found > 0.1) is not detector.ordered


@EVERY
def test_effect_grows_with_the_shift_and_does_not_depend_on_the_sample(detector: Detector):
    reference = RNG.normal(size=50_000)
    effects = [detector.measure(*counts_of(reference, RNG.normal(s, size=50_000))).effect for s in (0.2, 0.5, 1.0)]
    assert effects == sorted(effects)
    fewer = detector.measure(*counts_of(RNG.normal(size=5_000), RNG.normal(0.5, size=5_000))).effect
    assert fewer == pytest.approx(effects[1], rel=0.2)


@EVERY
def test_nothing_to_compare_is_no_evidence(detector: Detector):
    empty, some = np.zeros(4, dtype=np.int64), np.array([5, 5, 5, 0])
    for r, c in ((empty, some), (some, empty), (empty, empty)):
        found = detector.measure(r, c)
        assert np.isfinite(found.effect)
        assert found.p in {None, 1.0}


def test_agreement_with_scipy_on_the_same_bins():
    for _ in range(50):
        r, c = RNG.integers(20, 500, 12), RNG.integers(20, 500, 12)
        p, q = r / r.sum(), c / c.sum()
        assert psi.measure(r, c).effect == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-9)
        assert jensen_shannon.measure(r, c).effect == pytest.approx(distance.jensenshannon(p, q, base=2), abs=1e-9)
        expected = stats.chi2_contingency(np.stack([r, c]), correction=False)
        found = chi_square.measure(r, c)
        assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
        assert found.effect == pytest.approx(np.sqrt(expected.statistic / (r.sum() + c.sum())), abs=1e-9)
        values = [np.repeat(np.arange(11), side[:-1]) for side in (r, c)]
        gap = kolmogorov_smirnov.measure(r, c)
        assert gap.effect == pytest.approx(stats.ks_2samp(*values).statistic, abs=1e-9)
        n, m = len(values[0]), len(values[1])
        assert gap.p == pytest.approx(stats.kstwobign.sf(np.sqrt(n * m / (n + m)) * gap.effect), abs=1e-9)


def test_an_empty_bin_counts_as_a_small_share():
    found = psi.measure(np.array([50, 50, 0]), np.array([50, 40, 10])).effect
    by_hand = (0.4 - 0.5) * np.log(0.4 / 0.5) + (0.1 - 1e-4) * np.log(0.1 / 1e-4)
    assert found == pytest.approx(by_hand, abs=1e-12)


def test_chi_square_holds_its_level_with_rare_categories():
    """With rare bins pooled, identical sources are rejected about as often as stated."""
    shares = np.array([0.7, 0.25, 0.03, 0.01, 0.005, 0.005])
    ps = [chi_square.measure(RNG.multinomial(5_000, shares), RNG.multinomial(500, shares)).p for _ in range(2_000)]
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_benjamini_and_hochberg():
    ps = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
    expected = stats.false_discovery_control(ps) <= 0.05
    assert rejected(ps, 0.05) == expected.tolist()
    assert rejected([], 0.05) == []
    for _ in range(100):
        drawn = RNG.random(20) ** 3
        assert rejected(drawn.tolist(), 0.1) == (stats.false_discovery_control(drawn) <= 0.1).tolist()


@pytest.mark.parametrize(
    ("current", "se", "lost", "recovered"),
    [(0.70, 0.005, False, True), (0.66, 0.05, False, False), (0.60, 0.005, True, False), (0.72, 0.005, False, True)],
)
def test_quality_is_lost_only_beyond_chance_and_recovered_only_at_the_bar(current, se, lost, recovered):
    found = judge(current, se, 0.72, 0.005, allowed=0.03, confidence=0.95, higher_is_better=True)
    assert (found.lost, found.recovered) == (lost, recovered)
    assert found.bar == pytest.approx(0.69)
    mirrored = judge(1 - current, se, 0.28, 0.005, allowed=0.03, confidence=0.95, higher_is_better=False)
    assert (mirrored.lost, mirrored.recovered) == (lost, recovered)
    assert mirrored.p == pytest.approx(found.p)
