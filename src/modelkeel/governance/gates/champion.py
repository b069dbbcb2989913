"""The candidate must beat the version in place, measured on the same data, beyond chance."""

from typing import Any

from modelkeel.governance.models import Candidate, Champion, GateResult
from modelkeel.governance.policy import BetterThanChampion, GatePolicy

GATE = "better_than_champion"


def judge(policy: GatePolicy, candidate: Candidate) -> list[GateResult]:
    """One result, if the policy asks for a comparison. The first version has nobody to beat."""
    rule = policy.better_than_champion
    if rule is None:
        return []
    if candidate.champion is None:
        sentence = f"Nothing holds @{candidate.alias} yet, so there is nobody to beat."
        return [GateResult(GATE, "passed", sentence, {"champion": None})]
    if candidate.champion.version == candidate.version:
        sentence = f"Version {candidate.version} holds @{candidate.alias} already."
        return [GateResult(GATE, "passed", sentence, {"champion": candidate.version})]
    return [_compare(rule, candidate, candidate.champion)]


def _compare(rule: BetterThanChampion, candidate: Candidate, champion: Champion) -> GateResult:
    prefix = rule.evidence
    higher = rule.direction == "higher"
    bound_name = f"{prefix}_{rule.metric}_diff_{'low' if higher else 'high'}"
    names = (f"{prefix}_{rule.metric}", f"{prefix}_champion_{rule.metric}", bound_name)
    compared = candidate.params.get(f"{prefix}_champion", "")
    data = sorted({d.digest for d in candidate.datasets if d.context == prefix})
    facts: dict[str, Any] = {
        "metric": rule.metric,
        "direction": rule.direction,
        "min_gain": rule.min_gain,
        "champion": champion.version,
        "compared_with": compared,
        "data": data,
        "candidate_value": candidate.metrics.get(names[0]),
        "champion_value": candidate.metrics.get(names[1]),
        "bound": candidate.metrics.get(names[2]),
    }
    missing = [f"metric {name}" for name in names if name not in candidate.metrics]
    if not compared:
        missing.append(f"parameter {prefix}_champion")
    if not data:
        missing.append(f"a data set input with the context {prefix!r}")
    if missing:
        sentence = f"The run shows no comparison with version {champion.version}: {', '.join(missing)} missing."
        return GateResult(GATE, "failed", sentence, facts)
    if compared.rpartition("/")[2] != str(champion.version):
        sentence = f"The run compared itself with {compared}, but version {champion.version} holds @{candidate.alias}."
        return GateResult(GATE, "failed", sentence, facts)
    return _verdict(rule, facts, candidate.metrics[names[0]], candidate.metrics[names[1]], candidate.metrics[names[2]])


def _verdict(rule: BetterThanChampion, facts: dict[str, Any], new: float, old: float, bound: float) -> GateResult:
    sign = 1.0 if rule.direction == "higher" else -1.0
    gain, surest = sign * (new - old), sign * bound
    story = f"{rule.metric} {new:.4f} against the champion's {old:.4f} on the same data ({facts['data'][0][:12]})"
    # written so that NaN fails
    if not gain >= rule.min_gain or not gain > 0:
        wanted = f"a gain of at least {rule.min_gain:g}" if rule.min_gain > 0 else "a gain"
        return GateResult(GATE, "failed", f"{story}: {wanted} is wanted.", facts)
    if not surest > 0:
        sentence = f"{story}: the gain is within chance (its 95 % bound is {sign * surest:+.4f})."
        return GateResult(GATE, "failed", sentence, facts)
    return GateResult(GATE, "passed", f"{story}: better beyond chance (bound {sign * surest:+.4f}).", facts)
