"""Two-sample Kolmogorov-Smirnov statistic between histograms: the largest gap between the cumulative shares.

Smirnov (1939). On binned values the statistic is at most the unbinned one; it equals that of the values rounded to
their bins. The probability is the asymptotic one, Q(√(nm/(n+m))·D), and conservative for binned values (Noether,
1963). Missing values (the last count) have no place in an order and are left out.
"""

from modelkeel.core import lazy_numpy as np
from modelkeel.monitoring.detectors.base import Detector, Measured
from modelkeel.monitoring.histograms import Counts, shares


def measure(reference: Counts, current: Counts) -> Measured:
    """The largest gap and its probability by chance."""
    r, c = reference[:-1], current[:-1]
    n, m = int(r.sum()), int(c.sum())
    if not n or not m:
        return Measured(0.0, 1.0)
    gap = float(np.max(np.abs(np.cumsum(shares(r)) - np.cumsum(shares(c)))))
    from scipy.special import kolmogorov  # takes long to load

    return Measured(gap, float(kolmogorov(np.sqrt(n * m / (n + m)) * gap)))


DETECTOR = Detector("kolmogorov_smirnov", symmetric=True, ordered=True, measure=measure)
