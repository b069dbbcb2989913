"""What the story is told in: the area under the ROC curve with its uncertainty, and the population stability index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, rankdata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FLOOR = 1e-4
"""Smallest share a bin is given, so that an empty bin has a finite logarithm."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with a two-sided confidence interval."""

    value: float
    low: float
    high: float


def _placements(
    truth: NDArray[np.int64], score: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive the share of negatives below it, for each negative the share of positives above it."""
    positive, negative = score[truth == 1], score[truth == 0]
    everything = rankdata(np.concatenate([positive, negative]))
    m, n = len(positive), len(negative)
    above = (everything[:m] - rankdata(positive)) / n
    below = 1.0 - (everything[m:] - rankdata(negative)) / m
    return above, below


def _variance(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    return float(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


def auc(truth: NDArray[np.int64], score: NDArray[np.float64], level: float = 0.95) -> Estimate:
    """Area under the ROC curve with DeLong's interval (DeLong 1988; by midranks after Sun and Xu 2014)."""
    above, below = _placements(truth, score)
    half = float(norm.ppf(0.5 + level / 2)) * _variance(above, below) ** 0.5
    value = float(above.mean())
    return Estimate(value, value - half, value + half)


def _won(
    truth: NDArray[np.int64], score: NDArray[np.float64], days: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Of each two days, how many pairs of a late flight of the first and a punctual one of the second are in order.

    A tie counts half. The AUC of any multiset of days is a sum over these counts divided by the number of pairs, so a
    resampling need not sort the flights again.
    """
    late = [score[d & (truth == 1)] for d in days]
    punctual = [np.sort(score[d & (truth == 0)]) for d in days]
    return np.array(
        [[(np.searchsorted(q, p, "left") + np.searchsorted(q, p, "right")).sum() / 2 for q in punctual] for p in late]
    )


def gain_by_day(
    truth: NDArray[np.int64],
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    day: NDArray[np.int64],
    seed: int = 0,
    rounds: int = 500,
) -> Estimate:
    """AUC of `new` minus AUC of `old` on the same rows, with a 95 % interval by resampling whole days.

    Flights of one day share its weather, so rows are no independent draws: an interval from rows alone is too narrow.
    """
    value = auc(truth, new).value - auc(truth, old).value
    days = [day == one for one in np.unique(day)]
    pairs = np.array([[np.sum(truth[i] == 1) * np.sum(truth[j] == 0) for j in days] for i in days], dtype=np.float64)
    won = _won(truth, new, days) - _won(truth, old, days)
    draws = np.random.default_rng(seed).integers(0, len(days), (rounds, len(days)))
    times = np.stack([np.bincount(row, minlength=len(days)) for row in draws]).astype(np.float64)
    gains = np.einsum("ri,ij,rj->r", times, won, times) / np.einsum("ri,ij,rj->r", times, pairs, times)
    low, high = np.quantile(gains, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def _psi(expected: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    p = np.maximum(expected / expected.sum(), FLOOR)
    q = np.maximum(actual / actual.sum(), FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def psi_numbers(reference: NDArray[np.float64], window: NDArray[np.float64], bins: int = 10) -> float:
    """Population stability index over the reference's quantile bins; equal edges fall together."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    count = len(edges) + 1
    old = np.bincount(np.searchsorted(edges, reference, side="left"), minlength=count)
    new = np.bincount(np.searchsorted(edges, window, side="left"), minlength=count)
    return _psi(old.astype(np.float64), new.astype(np.float64))


def psi_texts(reference: Sequence[str], window: Sequence[str]) -> float:
    """Population stability index over the categories that occur in either."""
    _, codes = np.unique(np.concatenate([np.asarray(reference), np.asarray(window)]), return_inverse=True)
    count = int(codes.max()) + 1
    old = np.bincount(codes[: len(reference)], minlength=count)
    new = np.bincount(codes[len(reference) :], minlength=count)
    return _psi(old.astype(np.float64), new.astype(np.float64))
