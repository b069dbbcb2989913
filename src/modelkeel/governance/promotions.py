"""Use cases of promotions: ask, read, commit.

Evaluation happens outside a transaction and leaves evidence; committing compares, inside the transaction that moves
the alias, that the evidence is still about what would be done (DECISIONS 4).
"""

from collections.abc import Mapping, Sequence

import msgspec

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, Refused
from modelkeel.core.ids import uuid7
from modelkeel.governance import reading, store
from modelkeel.governance.facts import Facts
from modelkeel.governance.gates import approvals as approval_gate
from modelkeel.governance.gates import judge
from modelkeel.governance.models import OPEN, Candidate, GateResult, Promotion, StandingApproval, evidence_digest
from modelkeel.governance.policies import Policies
from modelkeel.governance.policy import StoredPolicy
from modelkeel.governance.standing import covers
from modelkeel.governance.voiding import void
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.registry.service import Registry
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import require_named


class Evaluation(msgspec.Struct, frozen=True):
    """What the gates say of a candidate now; nothing is recorded yet."""

    policy: StoredPolicy
    candidate: Candidate
    results: list[GateResult]
    evidence: str


class Promotions:
    """Promotions of an installation.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every step.
        authorizer: decides who may ask, approve, commit.
        identity: knows people's names and roles.
        registry: holds the aliases.
        facts: gathers what the gates look at.
        policies: say what the gates want.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        identity: Identity,
        registry: Registry,
        facts: Facts,
        policies: Policies,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity
        self._registry = registry
        self._facts = facts
        self._policies = policies

    async def evaluate(self, principal: Principal, model: str, version: int, alias: str) -> Evaluation:
        """Asks every gate, and records nothing.

        Raises:
            NotFound: there is no such version.
            InvalidInput: no policy guards this alias.
        """
        policy = await self._policies.find(principal, model)
        if policy is None or policy.policy.alias != alias:
            raise InvalidInput(
                f"No gate policy guards @{alias} of {model}.",
                hint="Write [gates] in modelkeel.toml and `modelkeel apply` it; an alias without gates moves freely.",
            )
        candidate = await self._facts.candidate(principal, model, version, alias)
        results = judge(policy.policy, candidate)
        return Evaluation(policy, candidate, results, evidence_digest(candidate, policy.digest, results))

    async def request(
        self, principal: Principal, model: str, version: int, alias: str, *, automatic: bool = True
    ) -> Promotion:
        """Evaluates a version for an alias and records what came of it.

        Asked again with the same evidence, it answers with the promotion that is there. With other evidence, an open
        one is voided: people approved something else.

        Args:
            principal: who asks.
            model: its name.
            version: the candidate.
            alias: where it wants to go.
            automatic: whether it is carried out after the last approval without a further command.

        Raises:
            Conflict: the policy or the alias changed during the evaluation.
        """
        await require_named(
            self._db, self._authorizer, principal, Permission.PROMOTE, Kind.MODEL, model, f"{model}@{alias}"
        )
        found = await self.evaluate(principal, model, version, alias)
        authors = await self._facts.authors(principal, found.candidate)
        standing = await self._standing(principal, found, authors)
        names = await self._identity.names(principal)

        def work(tx: Tx) -> Promotion:
            head = store.policy_of(tx, principal.workspace, model)
            if head is None or head.digest != found.policy.digest:
                raise Conflict("The gate policy changed during the evaluation.", hint="Ask again.")
            identity = self._record(tx, principal, found, authors, standing, automatic=automatic)
            return read(tx, principal, identity, names)

        return await self._db.write(work)

    async def commit(self, principal: Principal, identity: str) -> Promotion:
        """Moves the alias of an approved promotion.

        Raises:
            Refused: it is not approved.
            Conflict: its evidence is no longer current; it is void now.
        """
        self._authorizer.require(principal, Permission.PROMOTE, what="promotions")
        found = await self.get(principal, identity)
        on = Object(Kind.MODEL, found.model_id)
        self._authorizer.require(principal, Permission.PROMOTE, what="promotions", on=on)
        if found.status == "committed":
            return found
        if found.status != "approved":
            raise Refused(
                f"{found.model}/{found.version} is not approved for @{found.alias}.",
                reasons=found.reasons,
                hint="`modelkeel approvals` lists what waits.",
            )
        try:
            await self._registry.set_alias(principal, found.model, found.alias, found.version)
        except Conflict as error:
            await self.void(principal, identity, error.message)
            raise
        return await self.get(principal, identity)

    async def void(self, principal: Principal, identity: str, reason: str) -> None:
        """Ends an open promotion whose ground has changed; any other stays as it is."""

        def work(tx: Tx) -> None:
            row = store.promotion_with_id(tx, principal.workspace, identity)
            if row is not None and row.status in OPEN:
                void(tx, self._ledger, principal, row, reason)

        await self._db.write(work)

    async def get(self, principal: Principal, identity: str) -> Promotion:
        """One promotion.

        Raises:
            NotFound: the workspace has none of this id.
        """
        self._authorizer.require(principal, Permission.READ, what="promotions")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> Promotion:
            return read(tx, principal, identity, names)

        return await self._db.read(work)

    async def all(
        self,
        principal: Principal,
        *,
        model: str | None = None,
        version: int | None = None,
        statuses: tuple[str, ...] = (),
        limit: int = 100,
    ) -> list[Promotion]:
        """Promotions of the workspace, newest first."""
        self._authorizer.require(principal, Permission.READ, what="promotions")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> list[Promotion]:
            rows = store.promotions(
                tx,
                principal.workspace,
                model=model,
                version=version,
                statuses=statuses,
                limit=limit,
                visible=principal.sees(Kind.MODEL),
            )
            return reading.promotions(tx, rows, names)

        return await self._db.read(work)

    async def approved(self, principal: Principal, model_id: str, alias: str, version: int) -> Promotion | None:
        """The approved promotion of a version, not carried out yet."""
        return await self._one(principal, model_id, alias, version, "approved")

    async def passed_before(self, principal: Principal, model_id: str, alias: str, version: int, policy: str) -> bool:
        """Whether a version held the alias once, admitted by the policy that is in force: a way back for rollbacks."""
        found = await self._one(principal, model_id, alias, version, "committed")
        return found is not None and found.policy == policy

    async def holder(self, principal: Principal, model: str, alias: str) -> int | None:
        """The version that holds an alias."""
        found = await self._facts.champion(principal, model, alias)
        return found.version if found else None

    async def _one(
        self, principal: Principal, model_id: str, alias: str, version: int, status: str
    ) -> Promotion | None:
        self._authorizer.require(principal, Permission.READ, what="promotions")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> Promotion | None:
            row = store.latest_promotion(tx, principal.workspace, model_id, alias, version, status)
            return None if row is None else reading.promotions(tx, [row], names)[0]

        return await self._db.read(work)

    async def current(self, principal: Principal, promotion: Promotion) -> bool:
        """Whether a promotion's evidence is what the gates would find now."""
        try:
            found = await self.evaluate(principal, promotion.model, promotion.version, promotion.alias)
        except (NotFound, InvalidInput):
            return False
        return found.evidence == promotion.evidence

    async def _standing(self, principal: Principal, found: Evaluation, authors: list[str]) -> StandingApproval | None:
        """The standing approval that covers a candidate made by service accounts alone, if there is one."""
        if found.policy.policy.approval.count == 0 or any(r.verdict == "failed" for r in found.results):
            return None
        if not await self._facts.all_services(principal, authors):
            return None
        code = await self._facts.code(principal, found.candidate.run_id)
        names = await self._identity.names(principal)
        rows = await self._db.read(lambda tx: store.standings(tx, principal.workspace, found.candidate.model))
        given = [reading.standing_approval(row, names) for row in rows]
        return next((s for s in given if covers(s, found.candidate, found.policy.digest, code, now_ms())), None)

    def _record(
        self,
        tx: Tx,
        principal: Principal,
        found: Evaluation,
        authors: Sequence[str],
        standing: StandingApproval | None,
        *,
        automatic: bool,
    ) -> str:
        """Keeps an evaluation, or finds the promotion that has the same one; returns the promotion's id."""
        candidate = found.candidate
        last = store.latest_promotion(tx, principal.workspace, candidate.model_id, candidate.alias, candidate.version)
        if last is not None and last.evidence == found.evidence:
            if last.status == "waiting_approval" and standing is not None:
                self._cover(tx, principal, last.id, found, standing)
                return str(last.id)
            if last.status in OPEN or (last.status == "refused" and not last.note):
                return str(last.id)
        elif last is not None and last.status in OPEN:
            void(tx, self._ledger, principal, last, "The version was evaluated again, with other evidence.")
        return self._add(tx, principal, found, authors, standing, automatic=automatic)

    def _add(
        self,
        tx: Tx,
        principal: Principal,
        found: Evaluation,
        authors: Sequence[str],
        standing: StandingApproval | None,
        *,
        automatic: bool,
    ) -> str:
        identity, candidate = uuid7(tx.now), found.candidate
        champion = candidate.champion
        waiting = approval_gate.judge(found.policy.policy.approval, [], standing)
        verdicts = {result.verdict for result in [*found.results, *waiting]}
        status = "refused" if "failed" in verdicts else "waiting_approval" if "waiting" in verdicts else "approved"
        subject = subject_of(identity, candidate.model_id, candidate.version)
        data = {
            "version": candidate.version,
            "version_digest": candidate.digest,
            "champion": champion.version if champion else None,
            "champion_digest": champion.digest if champion else None,
            "policy": found.policy.digest,
            "evidence": found.evidence,
            "verdicts": [result.verdict for result in found.results],
            "status": status,
            "standing_approval": standing.id if standing else None,
        }
        texts = {"alias": candidate.alias, "findings": "\n".join(r.sentence for r in found.results)}
        entry = self._ledger.record(tx, principal, "promotion.evaluated", subject, data, texts)
        decided = None
        if status == "refused":
            reasons = "\n".join(r.sentence for r in found.results if r.verdict == "failed")
            evidence = {"evidence": found.evidence}
            decided = self._ledger.record(tx, principal, "promotion.refused", subject, evidence, {"reasons": reasons})
        elif status == "waiting_approval":
            wanted = {"evidence": found.evidence, "approvals": found.policy.policy.approval.count}
            decided = self._ledger.record(tx, principal, "approval.requested", subject, wanted)
        store.add_promotion(
            tx,
            {
                "id": identity,
                "workspace": principal.workspace,
                "model_id": candidate.model_id,
                "model": candidate.model,
                "version": candidate.version,
                "alias": candidate.alias,
                "version_digest": candidate.digest,
                "run_id": candidate.run_id,
                "champion": champion.version if champion else None,
                "champion_digest": champion.digest if champion else None,
                "policy": found.policy.digest,
                "evidence": found.evidence,
                "status": status,
                "note": "",
                "requested_by": principal.id,
                "authors": msgspec.json.encode(list(authors)).decode(),
                "automatic": automatic,
                "standing": standing.id if standing else None,
                "requested_at": tx.now,
                "decided_at": tx.now,
                "entry_evaluated": entry,
                "entry_decided": decided,
                "entry_committed": None,
            },
            found.results,
        )
        return identity

    def _cover(
        self, tx: Tx, principal: Principal, identity: str, found: Evaluation, standing: StandingApproval
    ) -> None:
        """A standing approval was given while the promotion waited."""
        candidate = found.candidate
        subject = subject_of(identity, candidate.model_id, candidate.version)
        data = {"evidence": found.evidence, "standing_approval": standing.id, "status": "approved"}
        entry = self._ledger.record(tx, principal, "approval.given", subject, data)
        store.update_promotion(tx, identity, status="approved", standing=standing.id, entry_decided=entry)


def read(tx: Tx, principal: Principal, identity: str, names: Mapping[str, str]) -> Promotion:
    """One promotion of the principal's workspace.

    Raises:
        NotFound: there is none of this id.
    """
    row = store.promotion_with_id(tx, principal.workspace, identity)
    if row is None or not principal.may(Permission.READ, Object(Kind.MODEL, row.model_id)):
        raise NotFound(f"There is no promotion {identity!r}.", hint="`modelkeel approvals` lists what waits.")
    return reading.promotions(tx, [row], names)[0]


def subject_of(promotion: str, model_id: str, version: int) -> dict[str, str]:
    """What entries about a promotion are about."""
    return {"promotion": promotion, "model": model_id, "version": f"{model_id}/{version}"}
