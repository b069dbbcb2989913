"""The gates as pure functions: they fail closed, also on what is not a number."""

import math
from dataclasses import dataclass, field

import msgspec
import pytest

from modelkeel.core.errors import Refused
from modelkeel.governance.gates import judge
from modelkeel.governance.gates.approvals import may_decide
from modelkeel.governance.models import Candidate, Champion, Dataset, evidence_digest
from modelkeel.governance.policy import ApprovalRule, parse

CANDIDATE = Candidate(
    model_id="m",
    model="flights",
    version=2,
    alias="champion",
    digest="d" * 64,
    run_id="r",
    metrics={"auc": 0.7, "challenge_auc": 0.75, "challenge_champion_auc": 0.70, "challenge_auc_diff_low": 0.01},
    params={"challenge_champion": "flights/1"},
    datasets=[Dataset("judged", "abc", "challenge")],
    has_inputs=True,
    has_outputs=True,
    champion=Champion(1, "e" * 64),
)
RULE = {"metric": "auc", "evidence": "challenge", "min_gain": 0.01}


@dataclass
class Case:
    policy: dict
    change: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)

    def verdict(self) -> str:
        metrics = {**CANDIDATE.metrics, **self.metrics}
        candidate = msgspec.structs.replace(CANDIDATE, **{"metrics": metrics, **self.change})
        (result,) = judge(parse(self.policy), candidate)
        assert result.sentence.endswith((".", ")."))
        return result.verdict


BOUND = {"metrics": [{"metric": "auc", "min": 0.7, "max": 0.9}]}
BETTER = {"better_than_champion": RULE}
LOWER = {"better_than_champion": {**RULE, "metric": "loss", "direction": "lower"}}


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (Case(BOUND), "passed"),
        (Case(BOUND, metrics={"auc": 0.6999}), "failed"),
        (Case(BOUND, metrics={"auc": 0.91}), "failed"),
        (Case(BOUND, metrics={"auc": math.nan}), "failed"),
        (Case({"metrics": [{"metric": "f1", "min": 0.1}]}), "failed"),
        (Case({"schema": True}), "passed"),
        (Case({"schema": True}, {"has_outputs": False}), "failed"),
        (Case({"schema": True}, {"has_inputs": False}), "failed"),
        (Case(BETTER), "passed"),
        (Case(BETTER, {"champion": None, "metrics": {}, "params": {}}), "passed"),
        (Case(BETTER, {"champion": Champion(2, "d" * 64)}), "passed"),
        (Case(BETTER, {"champion": Champion(3, "e" * 64)}), "failed"),
        (Case(BETTER, {"params": {}}), "failed"),
        (Case(BETTER, {"datasets": [Dataset("judged", "abc", "training")]}), "failed"),
        (Case(BETTER, metrics={"challenge_auc_diff_low": 0.0}), "failed"),
        (Case(BETTER, metrics={"challenge_auc_diff_low": math.nan}), "failed"),
        (Case(BETTER, metrics={"challenge_auc": math.nan}), "failed"),
        (Case(BETTER, metrics={"challenge_auc": 0.705}), "failed"),
        (
            Case(
                LOWER,
                metrics={"challenge_loss": 0.3, "challenge_champion_loss": 0.5, "challenge_loss_diff_high": -0.1},
            ),
            "passed",
        ),
        (
            Case(
                LOWER,
                metrics={"challenge_loss": 0.5, "challenge_champion_loss": 0.3, "challenge_loss_diff_high": 0.3},
            ),
            "failed",
        ),
    ],
)
def test_verdict(case: Case, verdict: str):
    assert case.verdict() == verdict


def test_a_policy_without_gates_asks_nothing():
    assert judge(parse({}), CANDIDATE) == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": 3},
        {"digest": "0" * 64},
        {"champion": None},
        {"champion": Champion(1, "0" * 64)},
        {"metrics": {**CANDIDATE.metrics, "auc": 0.71}},
        {"alias": "other"},
        {"datasets": [Dataset("judged", "other", "challenge")]},
    ],
)
def test_the_evidence_digest_changes_with_everything_it_rests_on(change: dict):
    policy = parse({**BOUND, **BETTER})
    other = msgspec.structs.replace(CANDIDATE, **change)
    before = evidence_digest(CANDIDATE, policy.digest, judge(policy, CANDIDATE))
    assert evidence_digest(CANDIDATE, policy.digest, judge(policy, CANDIDATE)) == before
    assert evidence_digest(other, policy.digest, judge(policy, other)) != before
    assert evidence_digest(CANDIDATE, parse(BOUND).digest, judge(policy, CANDIDATE)) != before


def test_whose_word_counts():
    may_decide("vera", "vera", ["approver"], ApprovalRule(), {"ann"}, "olga")
    with pytest.raises(Refused, match="author"):
        may_decide("ann", "ann", ["approver"], ApprovalRule(), {"ann"}, "olga")
    with pytest.raises(Refused, match="asks"):
        may_decide("olga", "olga", ["approver"], ApprovalRule(), {"ann"}, "olga")
    with pytest.raises(Refused, match="admin"):
        may_decide("vera", "vera", ["approver"], ApprovalRule(roles=("admin",)), {"ann"}, "olga")
