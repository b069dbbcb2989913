"""What every detector is."""

from collections.abc import Callable
from dataclasses import dataclass

from modelkeel.monitoring.histograms import Counts


@dataclass(frozen=True, slots=True)
class Measured:
    """What a detector found.

    Attributes:
        effect: how large the shift is, in the detector's own unit; 0 for identical shares.
        p: how likely at least such a difference is if both come from one distribution; None if it is no test.
    """

    effect: float
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Detector:
    """One way to compare two histograms.

    Attributes:
        name: for people and configuration.
        symmetric: whether swapping reference and window changes nothing.
        ordered: whether the order of the bins matters, so that it suits numbers only.
        measure: compares the counts of the reference with those of the window.
    """

    name: str
    symmetric: bool
    ordered: bool
    measure: Callable[[Counts, Counts], Measured]
