"""What governance answers with, and the rules that need no database."""

from typing import Any, Literal

import msgspec

from modelkeel.core.hashing import digest_of

Verdict = Literal["passed", "failed", "waiting"]
Status = Literal["refused", "waiting_approval", "approved", "committed", "voided"]
OPEN: frozenset[str] = frozenset({"waiting_approval", "approved"})


class Champion(msgspec.Struct, frozen=True):
    """The version that holds the alias now."""

    version: int
    digest: str


class Dataset(msgspec.Struct, frozen=True):
    """A data set that the candidate's run read."""

    name: str
    digest: str
    context: str


class Candidate(msgspec.Struct, frozen=True):
    """All that the gates may look at.

    Attributes:
        model_id: the model, opaque.
        model: its name.
        version: the candidate.
        alias: where it wants to go.
        digest: of the version's sealed tree of files.
        run_id: the run that made it; empty if none is known.
        metrics: that run's metrics, the latest value of each.
        params: that run's parameters.
        datasets: that run's data set inputs.
        has_inputs: whether the logged schema describes inputs.
        has_outputs: whether it describes outputs.
        champion: who holds the alias.
    """

    model_id: str
    model: str
    version: int
    alias: str
    digest: str
    run_id: str
    metrics: dict[str, float]
    params: dict[str, str]
    datasets: list[Dataset]
    has_inputs: bool
    has_outputs: bool
    champion: Champion | None


class GateResult(msgspec.Struct, frozen=True):
    """What one gate found.

    Attributes:
        gate: which: `metric:auc`, `schema`, `better_than_champion`, `approvals`.
        verdict: passed, failed, or waiting for people.
        sentence: the finding in words.
        facts: numbers, digests and enums behind it; they are part of the evidence digest.
    """

    gate: str
    verdict: Verdict
    sentence: str
    facts: dict[str, Any]


class Approval(msgspec.Struct, frozen=True):
    """What one person said, bound to the evidence of its promotion."""

    principal: str
    name: str
    verdict: Literal["approved", "rejected"]
    reason: str
    roles: list[str]
    at: str
    entry: int


class Promotion(msgspec.Struct, frozen=True):
    """One evaluation of one version for one alias, and what became of it.

    Attributes:
        id: opaque.
        model_id: the model.
        model: its name at the time.
        version: the candidate.
        alias: where it wants to go.
        status: `refused` by a gate or a person; `waiting_approval`; `approved`, so the alias may move;
            `committed`, it moved; `voided`, something it was judged by changed.
        reasons: why it is not through, one sentence each.
        gates: every gate's finding, approvals last.
        approvals: who said what.
        requested_by: who asked; a principal's id.
        requester: their name.
        authors: ids of those who made the version; none of them may approve it.
        version_digest: of the version's sealed tree.
        champion: the version that held the alias at evaluation.
        policy: digest of the policy it was judged by.
        evidence: digest over version, champion, policy and the gates' facts.
        standing_approval: the standing approval it cites instead of people.
        automatic: whether the alias moves by itself after the last approval.
        requested_at: RFC 3339 UTC.
        decided_at: when its status was last changed.
        entries: the ledger entries about it: `evaluated`, `decided`, `committed`.
    """

    id: str
    model_id: str
    model: str
    version: int
    alias: str
    status: Status
    reasons: list[str]
    gates: list[GateResult]
    approvals: list[Approval]
    requested_by: str
    requester: str
    authors: list[str]
    version_digest: str
    champion: Champion | None
    policy: str
    evidence: str
    standing_approval: str | None
    automatic: bool
    requested_at: str
    decided_at: str
    entries: dict[str, int]


class StandingApproval(msgspec.Struct, frozen=True):
    """An approver's word in advance, for candidates that a service account makes (DECISIONS 2).

    Attributes:
        id: opaque.
        model: whose promotions.
        alias: to which alias.
        policy: digest of the policy under which it was given; a changed policy ends it.
        code: digest of the pipeline code that it trusts.
        metric: the bar's metric.
        min: the candidate's run must reach it.
        promotions: how many it allowed when given.
        left: how many are left.
        expires: until when, RFC 3339 UTC, by the server's clock.
        given_by: the approver's id.
        name: their name.
        given_at: when.
        revoked: whether it was taken back.
        entry: the ledger entry.
    """

    id: str
    model: str
    alias: str
    policy: str
    code: str
    metric: str
    min: float
    promotions: int
    left: int
    expires: str
    given_by: str
    name: str
    given_at: str
    revoked: bool
    entry: int


def evidence_digest(candidate: Candidate, policy: str, results: list[GateResult]) -> str:
    """The name of everything a decision rests on: change any of it and the name changes."""
    champion = candidate.champion
    return digest_of(
        {
            "model": candidate.model_id,
            "version": candidate.version,
            "version_digest": candidate.digest,
            "alias": candidate.alias,
            "champion": None if champion is None else [champion.version, champion.digest],
            "policy": policy,
            "gates": [[result.gate, result.verdict, result.facts] for result in results],
        }
    )
