"""Jensen-Shannon distance: the square root of the Jensen-Shannon divergence, with logarithms to base 2.

Lin, *Divergence measures based on the Shannon entropy*, IEEE Trans. Inf. Theory 37 (1991); that its root is a metric:
Endres and Schindelin (2003). 0 for identical shares, 1 for shares without a common bin; finite whatever is empty.
"""

from modelkeel.core import lazy_numpy as np
from modelkeel.monitoring.detectors.base import Detector, Measured
from modelkeel.monitoring.histograms import Counts, shares


def measure(reference: Counts, current: Counts) -> Measured:
    """The distance."""
    r, c = shares(reference), shares(current)
    middle = (r + c) / 2
    from scipy.special import rel_entr  # takes long to load

    divergence = (rel_entr(r, middle).sum() + rel_entr(c, middle).sum()) / (2 * np.log(2))
    return Measured(float(np.sqrt(max(divergence, 0.0))))


DETECTOR = Detector("jensen_shannon", symmetric=True, ordered=False, measure=measure)
