"""Metric thresholds: the run that made the version must have reached them."""

from modelkeel.governance.models import Candidate, GateResult
from modelkeel.governance.policy import GatePolicy, MetricBound


def judge(policy: GatePolicy, candidate: Candidate) -> list[GateResult]:
    """One result for each bound of the policy."""
    return [_judge(bound, candidate) for bound in policy.metrics]


def _judge(bound: MetricBound, candidate: Candidate) -> GateResult:
    gate = f"metric:{bound.metric}"
    value = candidate.metrics.get(bound.metric)
    facts = {"min": bound.min, "max": bound.max, "value": value}
    if value is None:
        sentence = f"The version's run logged no metric {bound.metric!r}."
        return GateResult(gate, "failed", sentence, facts)
    # written so that NaN fails both ways
    low = bound.min is None or value >= bound.min
    high = bound.max is None or value <= bound.max
    if low and high:
        return GateResult(gate, "passed", f"{bound.metric} {value:.4g} is {_wanted(bound)}.", facts)
    return GateResult(gate, "failed", f"{bound.metric} {value:.4g} is not {_wanted(bound)}.", facts)


def _wanted(bound: MetricBound) -> str:
    parts = []
    if bound.min is not None:
        parts.append(f"at least {bound.min:g}")
    if bound.max is not None:
        parts.append(f"at most {bound.max:g}")
    return " and ".join(parts)
