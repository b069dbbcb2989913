"""Metrics against other definitions, and intervals that hold what they promise."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

from modelkeel.monitoring.quality import estimates, gains

RNG = np.random.default_rng(11)


def draw(n: int, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    labels = (RNG.random(n) < 0.3).astype(float)
    scores = 1 / (1 + np.exp(-(skill * (labels - 0.5) + RNG.normal(size=n))))
    return labels, np.round(scores, 2)  # rounded, so that there are ties


def test_metrics_are_those_of_scikit_learn():
    labels, scores = draw(3_000)
    scores = np.clip(scores, 0.01, 0.99)
    found = estimates(labels, scores)
    assert found["auc"].value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found["log_loss"].value == pytest.approx(log_loss(labels, scores), abs=1e-12)
    assert found["brier"].value == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)
    assert found["accuracy"].value == np.mean((scores >= 0.5) == labels)
    truth, guess = RNG.normal(size=500), RNG.normal(size=500)
    regression = estimates(truth, guess)
    assert regression["mae"].value == pytest.approx(mean_absolute_error(truth, guess))
    assert regression["rmse"].value == pytest.approx(np.sqrt(mean_squared_error(truth, guess)))


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "accuracy"])
def test_the_interval_holds_the_truth_as_often_as_it_says(metric: str):
    labels, scores = draw(400_000)
    truth = estimates(labels, np.clip(scores, 0.01, 0.99))[metric].value
    hits = []
    for _ in range(400):
        sample = RNG.integers(0, len(labels), 500)
        found = estimates(labels[sample], np.clip(scores[sample], 0.01, 0.99))[metric]
        hits.append(found.low <= truth <= found.high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.04)


def test_delong_by_definition():
    """The variance from the structural components computed pair by pair."""
    labels, scores = draw(300)
    positive, negative = scores[labels == 1], scores[labels == 0]
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = kernel.mean(1).var(ddof=1) / len(positive) + kernel.mean(0).var(ddof=1) / len(negative)
    found = estimates(labels, scores)["auc"]
    assert found.value == pytest.approx(kernel.mean(), abs=1e-12)
    assert found.se == pytest.approx(np.sqrt(variance), abs=1e-12)


def test_one_class_has_no_auc_and_no_rows_have_nothing():
    assert "auc" not in estimates(np.ones(10), RNG.random(10))
    assert estimates(np.array([]), np.array([])) == {}


def test_a_paired_gain_is_the_difference_and_surer_than_two_single_estimates():
    labels, a = draw(2_000)
    b = np.clip(a + 0.1 * (labels - 0.5) + 0.02 * RNG.normal(size=len(a)), 0, 1)
    one, two, gain = estimates(labels, a)["auc"], estimates(labels, b)["auc"], gains(labels, a, b)["auc"]
    assert gain.value == pytest.approx(two.value - one.value, abs=1e-12)
    assert gain.se < np.hypot(one.se, two.se) / 2
    assert gain.low > 0
    assert gains(labels, a, a)["auc"].value == 0
