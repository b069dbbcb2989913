"""Use cases of approvals: one person says yes or no to what the gates found."""

import msgspec

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, Refused
from modelkeel.governance import store
from modelkeel.governance.gates import approvals as approval_gate
from modelkeel.governance.models import Promotion
from modelkeel.governance.policies import Policies
from modelkeel.governance.promotions import Promotions, read, subject_of
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx


class Decisions:
    """People's decisions on promotions.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every decision.
        authorizer: decides who may approve.
        identity: knows people's names and roles.
        policies: say whose word counts.
        promotions: are decided on.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        identity: Identity,
        policies: Policies,
        promotions: Promotions,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity
        self._policies = policies
        self._promotions = promotions

    async def approve(self, principal: Principal, identity: str, reason: str = "", evidence: str = "") -> Promotion:
        """One person's yes, bound to the evidence as it is now.

        Args:
            principal: who approves.
            identity: of the promotion.
            reason: free text.
            evidence: the digest that the person looked at; empty: the promotion's.

        Raises:
            Refused: an author, whoever asked for it, a service, or a person without the role.
            Conflict: it is not waiting, or its evidence has changed.
        """
        return await self._decide(principal, identity, "approved", reason, evidence)

    async def reject(self, principal: Principal, identity: str, reason: str) -> Promotion:
        """One person's no; it ends the promotion.

        Raises:
            InvalidInput: without a reason.
        """
        if not reason.strip():
            raise InvalidInput("A rejection needs a reason.", hint="Say what has to change.")
        return await self._decide(principal, identity, "rejected", reason, "")

    async def _decide(self, principal: Principal, identity: str, verdict: str, reason: str, evidence: str) -> Promotion:
        self._authorizer.require(principal, Permission.APPROVE, what="promotions")
        if principal.kind != "user":
            raise Refused("Only people approve.", reasons=[f"{principal.name} is a {principal.kind} account."])
        found = await self._promotions.get(principal, identity)
        on = Object(Kind.MODEL, found.model_id)
        self._authorizer.require(principal, Permission.APPROVE, what="promotions", on=on)
        if evidence and evidence != found.evidence:
            raise Conflict("The promotion's evidence is not what you looked at.", hint="Look again, then decide.")
        if found.status == "waiting_approval" and not await self._promotions.current(principal, found):
            await self._promotions.void(principal, identity, "What was evaluated has changed since.")
            raise Conflict("What was evaluated has changed since.", hint="Ask for the promotion again.")
        policy = await self._policies.by_digest(principal, found.policy)
        roles = {u.id: [str(r) for r in u.roles] for u in await self._identity.users(principal)}.get(principal.id, [])
        rule = policy.approval
        names = await self._identity.names(principal)

        def work(tx: Tx) -> Promotion:
            row = store.promotion_with_id(tx, principal.workspace, identity)
            if row is None:
                raise NotFound(f"There is no promotion {identity!r}.")
            if row.status != "waiting_approval":
                raise Conflict(
                    f"The promotion is {row.status.replace('_', ' ')}, it does not wait for approval.",
                    hint=row.note or "`modelkeel approvals` lists what waits.",
                )
            authors = set(msgspec.json.decode(row.authors, type=list[str]))
            approval_gate.may_decide(principal.id, principal.name, roles, rule, authors, row.requested_by)
            said = store.approvals_of(tx, [identity])[identity]
            if any(one.principal == principal.id for one in said):
                raise Conflict("You approved it already.", hint="Another person has to.")
            kind = "approval.given" if verdict == "approved" else "approval.rejected"
            last = verdict == "approved" and len(said) + 1 >= rule.count
            status = "refused" if verdict == "rejected" else "approved" if last else "waiting_approval"
            data = {"evidence": row.evidence, "policy": row.policy, "roles": roles, "status": status}
            texts = {"reason": reason} if reason else {}
            subject = subject_of(identity, row.model_id, row.version)
            entry = self._ledger.record(tx, principal, kind, subject, data, texts)
            store.add_approval(
                tx,
                {
                    "promotion": identity,
                    "principal": principal.id,
                    "verdict": verdict,
                    "reason": reason,
                    "roles": " ".join(roles),
                    "at": tx.now,
                    "entry": entry,
                },
            )
            note = reason if verdict == "rejected" else ""
            store.update_promotion(tx, identity, status=status, entry_decided=entry, note=note)
            return read(tx, principal, identity, names)

        return await self._db.write(work)
