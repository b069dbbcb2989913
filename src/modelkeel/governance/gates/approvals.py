"""So many people must agree, none of whom made the version or asked for its promotion."""

from collections.abc import Iterable

from modelkeel.core.errors import Refused
from modelkeel.governance.models import Approval, GateResult, StandingApproval
from modelkeel.governance.policy import ApprovalRule

GATE = "approvals"


def judge(rule: ApprovalRule, approvals: Iterable[Approval], standing: StandingApproval | None) -> list[GateResult]:
    """One result, if the policy asks for approvals.

    Args:
        rule: how many, and of which roles.
        approvals: what people said so far.
        standing: a standing approval that covers the candidate.
    """
    if rule.count == 0:
        return []
    said = list(approvals)
    rejected = [a for a in said if a.verdict == "rejected"]
    given = [a for a in said if a.verdict == "approved"]
    facts = {"wanted": rule.count, "given": len(given), "rejected": len(rejected)}
    if rejected:
        by = rejected[0]
        return [GateResult(GATE, "failed", f"{by.name} rejected it: {by.reason}", facts)]
    if standing is not None:
        facts["standing"] = True
        sentence = (
            f"Covered by the standing approval that {standing.name} gave for"
            f" {standing.promotions} promotion{'' if standing.promotions == 1 else 's'} until {standing.expires}."
        )
        return [GateResult(GATE, "passed", sentence, facts)]
    names = ", ".join(a.name for a in given)
    if len(given) >= rule.count:
        return [GateResult(GATE, "passed", f"Approved by {names}.", facts)]
    roles = f" with the role {' or '.join(rule.roles)}" if rule.roles else ""
    so_far = f"; {names} agreed so far" if given else ""
    people = "approver" if rule.count == 1 else "approvers"
    sentence = f"Waits for {rule.count} {people}{roles} other than its author{so_far}."
    return [GateResult(GATE, "waiting", sentence, facts)]


def may_decide(who: str, name: str, roles: Iterable[str], rule: ApprovalRule, authors: set[str], asker: str) -> None:
    """Returns if this person's word counts.

    Raises:
        Refused: they made the version, asked for it, or lack the role.
    """
    if who in authors:
        raise Refused(
            "An author can't approve their own version.",
            reasons=[f"{name} made this version."],
            hint="Ask somebody else who may approve.",
        )
    if who == asker:
        raise Refused(
            "Who asks for a promotion can't approve it.",
            reasons=[f"{name} asked for this promotion."],
            hint="Ask somebody else who may approve.",
        )
    if rule.roles and not set(rule.roles) & set(roles):
        raise Refused(
            f"The policy counts only approvals of the role {' or '.join(rule.roles)}.",
            reasons=[f"{name} has {', '.join(sorted(roles)) or 'none'}."],
            hint="Ask somebody who has the role.",
        )
