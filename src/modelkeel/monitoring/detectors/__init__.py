"""Detectors: each compares the counts of a window with those of the reference, over the same bins; one a file.

Every detector takes two arrays of counts and returns a `Measured`. An *effect* says how large a shift is, a *test* how
unlikely it is by chance; an alert needs both, because with many rows every trifle is significant and with few rows
every effect may be chance.
"""

from modelkeel.monitoring.detectors import chi_square, jensen_shannon, kolmogorov_smirnov, psi
from modelkeel.monitoring.detectors.base import Detector, Measured

DETECTORS: tuple[Detector, ...] = (
    psi.DETECTOR,
    jensen_shannon.DETECTOR,
    chi_square.DETECTOR,
    kolmogorov_smirnov.DETECTOR,
)

__all__ = ["DETECTORS", "Detector", "Measured"]
