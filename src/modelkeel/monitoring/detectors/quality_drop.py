"""Whether a metric is worse than on the reference by more than is allowed, beyond what chance explains.

The difference of two independent estimates has the standard error √(se₁² + se₂²). Quality is lost where even the
better end of its interval (normal, two-sided) is worse than the allowed drop: the one-sided test of non-inferiority
turned around (Wellek, *Testing Statistical Hypotheses of Equivalence and Noninferiority*, 2010). It is recovered
where the value itself reaches the bar, reference less drop; between the two nothing is said.
"""

from dataclasses import dataclass

from modelkeel.core import lazy_numpy as np


@dataclass(frozen=True, slots=True)
class Drop:
    """What was found.

    Attributes:
        worse: how much worse the metric is than the reference; negative if it is better.
        bar: the value that would still do.
        p: of a drop at least that large if the true drop were just the allowed one.
        lost: beyond chance below the bar.
        recovered: the value reaches the bar.
    """

    worse: float
    bar: float
    p: float
    lost: bool
    recovered: bool


def judge(
    current: float,
    current_se: float,
    reference: float,
    reference_se: float,
    *,
    allowed: float,
    confidence: float,
    higher_is_better: bool,
) -> Drop:
    """Compares a metric with its reference; all in the metric's unit."""
    sign = 1.0 if higher_is_better else -1.0
    worse = sign * (reference - current)
    se = float(np.hypot(current_se, reference_se))
    excess = worse - allowed
    from scipy.special import ndtr, ndtri  # takes long to load

    lost = excess > float(ndtri(0.5 + confidence / 2)) * se
    p = float(ndtr(-excess / se)) if se > 0 else float(excess <= 0)
    return Drop(worse, reference - sign * allowed, p, bool(lost), excess <= 0)
