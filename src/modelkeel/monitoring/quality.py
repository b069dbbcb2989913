"""Metrics of scores against labels, each with a standard error and an interval.

AUC: Mann-Whitney statistic with the variance of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), in O(n log
n) by sorting, as Sun and Xu do (IEEE Signal Processing Letters 21, 2014). The others are means over rows (root mean
square: by the delta method), with the normal interval of a mean. Rows are taken as independent.
"""

import math
from typing import Any

from modelkeel.core import lazy_numpy as np
from modelkeel.core.lazy_numpy import Floats
from modelkeel.monitoring.models import Estimate

TINY = 1e-15


def is_binary(labels: Floats) -> bool:
    """Whether every label is 0 or 1."""
    return bool(np.all((labels == 0) | (labels == 1)))


def estimates(labels: Floats, scores: Floats, confidence: float = 0.95) -> dict[str, Estimate]:
    """Every metric that the rows allow: for labels 0 and 1 those of a classifier, else those of a regression."""
    if not len(labels):
        return {}
    if not is_binary(labels):
        error = scores - labels
        return {"mae": _mean("mae", np.abs(error), confidence), "rmse": _root(error**2, confidence)}
    found = {
        "brier": _mean("brier", (scores - labels) ** 2, confidence),
        "accuracy": _mean("accuracy", ((scores >= 0.5) == (labels == 1)).astype(np.float64), confidence),
    }
    if np.all((scores >= 0) & (scores <= 1)):
        chance = np.where(labels == 1, scores, 1 - scores)
        found["log_loss"] = _mean("log_loss", -np.log(np.clip(chance, TINY, 1 - TINY)), confidence)
    order = np.argsort(scores)  # searching sorted values is several times faster, and a mean knows no order
    placed = placements(labels[order], scores[order])
    if placed is not None:
        value, variance = _auc(*placed)
        found["auc"] = _estimate("auc", value, float(np.sqrt(variance)), len(labels), confidence, low=0.0, high=1.0)
    return found


def gains(labels: Floats, a: Floats, b: Floats, confidence: float = 0.95) -> dict[str, Estimate]:
    """`b` less `a` on the same rows: paired, so what is hard for both cancels. AUC by DeLong's covariance."""
    if not len(labels):
        return {}
    if not is_binary(labels):
        return {"mae": _mean("mae", np.abs(b - labels) - np.abs(a - labels), confidence)}
    found = {"brier": _mean("brier", (b - labels) ** 2 - (a - labels) ** 2, confidence)}
    one, two = placements(labels, a), placements(labels, b)
    if one is not None and two is not None:
        value, variance = _auc(two[0] - one[0], two[1] - one[1])
        found["auc"] = _estimate("auc", value, float(np.sqrt(variance)), len(labels), confidence)
    return found


def placements(labels: Floats, scores: Floats) -> tuple[Floats, Floats] | None:
    """DeLong's structural components.

    For each positive the share of negatives below it, for each negative the share of positives above it.
    None if one class is missing.
    """
    positive, negative = scores[labels == 1], scores[labels == 0]
    if not len(positive) or not len(negative):
        return None
    return _below(np.sort(negative), positive), 1 - _below(np.sort(positive), negative)


def _below(ordered: Floats, values: Floats) -> Floats:
    """For each value the share of `ordered` that is less, ties counted half."""
    found = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return found / (2 * len(ordered))


def _auc(positive: Floats, negative: Floats) -> tuple[float, float]:
    value = float(positive.mean())
    variance = _variance(positive) / len(positive) + _variance(negative) / len(negative)
    return value, variance


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _mean(metric: str, values: Floats, confidence: float) -> Estimate:
    se = float(np.sqrt(_variance(values) / len(values)))
    return _estimate(metric, float(values.mean()), se, len(values), confidence)


def _root(squares: Floats, confidence: float) -> Estimate:
    mean = float(squares.mean())
    root = float(np.sqrt(mean))
    se = float(np.sqrt(_variance(squares) / len(squares))) / (2 * root) if root else 0.0
    return _estimate("rmse", root, se, len(squares), confidence, low=0.0)


def _estimate(
    metric: str, value: float, se: float, n: int, confidence: float, *, low: float = -math.inf, high: float = math.inf
) -> Estimate:
    from scipy.special import ndtri  # takes long to load

    reach: Any = ndtri(0.5 + confidence / 2) * se
    return Estimate(metric, value, float(max(value - reach, low)), float(min(value + reach, high)), se, n)
