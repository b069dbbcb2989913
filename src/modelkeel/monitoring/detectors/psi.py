"""Population stability index.

PSI = Σ (cᵢ − rᵢ) ln(cᵢ / rᵢ) over the bins' shares r (reference) and c (window): the symmetric Kullback-Leibler
divergence of Jeffreys (1946). Siddiqi, *Credit Risk Scorecards* (Wiley, 2006), reads below 0.1 as stable and from
0.25 on as shifted; 0.2 is the field's usual mark. An empty bin counts as a share of 0.0001, as in Evidently, so one
new bin stays finite. With n and m rows and k bins, chance alone gives about (k − 1)(1/n + 1/m) (Yurdakul, 2018):
hence a minimum of rows and a test beside it.
"""

from modelkeel.core import lazy_numpy as np
from modelkeel.monitoring.detectors.base import Detector, Measured
from modelkeel.monitoring.histograms import Counts, shares

EMPTY = 1e-4


def measure(reference: Counts, current: Counts) -> Measured:
    """The index; bins that are empty on both sides say nothing."""
    used = (reference + current) > 0
    r, c = shares(reference[used]), shares(current[used])
    r, c = np.where(r == 0, EMPTY, r), np.where(c == 0, EMPTY, c)
    return Measured(float(np.sum((c - r) * np.log(c / r))))


DETECTOR = Detector("psi", symmetric=True, ordered=False, measure=measure)
