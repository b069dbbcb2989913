"""The gates, one a file: pure judgements over what is known of a candidate. `GATES` is the order of the page."""

from collections.abc import Callable

from modelkeel.governance.gates import champion, metrics, schema
from modelkeel.governance.models import Candidate, GateResult
from modelkeel.governance.policy import GatePolicy

GATES: tuple[Callable[[GatePolicy, Candidate], list[GateResult]], ...] = (
    metrics.judge,
    schema.judge,
    champion.judge,
)


def judge(policy: GatePolicy, candidate: Candidate) -> list[GateResult]:
    """The verdict of every gate that the policy sets, approvals apart: people give those afterwards."""
    return [result for gate in GATES for result in gate(policy, candidate)]
