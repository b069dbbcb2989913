"""Pearson's chi-square test of homogeneity of two samples over k bins, without continuity correction.

Pearson (1900); for a contingency table of two samples: Cochran, *The χ² test of goodness of fit* (1952). Bins in
which either sample is expected to have fewer than 5 rows are pooled, as Cochran advises, because the approximation
fails there. The effect is Cramér's V, 0 to 1 (Cramér, 1946).
"""

from modelkeel.core import lazy_numpy as np
from modelkeel.monitoring.detectors.base import Detector, Measured
from modelkeel.monitoring.histograms import Counts

LEAST_EXPECTED = 5.0


def measure(reference: Counts, current: Counts) -> Measured:
    """The effect and the test; without rows on either side, or with one bin, there is no evidence (p = 1)."""
    both = np.stack([reference, current]).astype(np.float64)
    totals = both.sum(axis=1)
    if totals.min() == 0:
        return Measured(0.0, 1.0)
    whole = totals.sum()
    least = both.sum(axis=0) * totals.min() / whole
    few = least < LEAST_EXPECTED
    if few.any():
        both = np.column_stack([both[:, ~few], both[:, few].sum(axis=1)])
    both = both[:, both.sum(axis=0) > 0]
    bins = both.shape[1]
    if bins < 2:
        return Measured(0.0, 1.0)
    expected = np.outer(totals, both.sum(axis=0)) / whole
    statistic = float(((both - expected) ** 2 / expected).sum())
    from scipy.special import chdtrc  # takes long to load

    return Measured(float(np.sqrt(statistic / whole)), float(chdtrc(bins - 1, statistic)))


DETECTOR = Detector("chi_square", symmetric=True, ordered=False, measure=measure)
