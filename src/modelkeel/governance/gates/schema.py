"""The version must say what it takes and what it gives (the `signature` in MLflow's words)."""

from modelkeel.governance.models import Candidate, GateResult
from modelkeel.governance.policy import GatePolicy


def judge(policy: GatePolicy, candidate: Candidate) -> list[GateResult]:
    """One result, if the policy asks for a schema."""
    if not policy.schema:
        return []
    facts = {"inputs": candidate.has_inputs, "outputs": candidate.has_outputs}
    missing = [name for name, present in facts.items() if not present]
    if not missing:
        return [GateResult("schema", "passed", "The model describes its inputs and outputs.", facts)]
    sentence = f"The logged model does not describe its {' and '.join(missing)}; log it with a signature."
    return [GateResult("schema", "failed", sentence, facts)]
