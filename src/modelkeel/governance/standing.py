"""Standing approvals: an approver's word in advance, for candidates that the server makes by itself (DECISIONS 2)."""

from typing import Annotated, Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Permission, Principal
from modelkeel.core.clock import parse_rfc3339, rfc3339
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, Refused
from modelkeel.core.ids import uuid7
from modelkeel.governance import reading, store
from modelkeel.governance.facts import Facts
from modelkeel.governance.models import Candidate, StandingApproval
from modelkeel.governance.policies import Policies
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import about_named, require_named

DAY_MS = 86_400_000


class StandingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a standing approval.

    Attributes:
        model: whose promotions.
        metric: the bar's metric, logged by the candidate's run.
        min: what it must reach.
        promotions: how many at most.
        days: until it expires, by the server's clock.
        code: digest of the pipeline code that is trusted; or else
        like: a version of the model whose pipeline code is trusted.
    """

    model: str
    metric: str
    min: float
    promotions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    days: Annotated[float, msgspec.Meta(gt=0, le=366)] = 30
    code: str | None = None
    like: int | None = None


class StandingApprovals:
    """Standing approvals of an installation.

    Args:
        database: where rows and entries commit together.
        ledger: hears of each.
        authorizer: decides who may give one.
        identity: knows people's names.
        facts: knows the code behind versions.
        policies: a standing approval holds under one policy only.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        identity: Identity,
        facts: Facts,
        policies: Policies,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity
        self._facts = facts
        self._policies = policies

    async def give(self, principal: Principal, wanted: StandingRequest) -> StandingApproval:
        """Gives one, under the policy in force.

        Raises:
            InvalidInput: it names no pipeline code, or the version was made by no pipeline.
            Refused: a service account can't give it.
        """
        await require_named(
            self._db,
            self._authorizer,
            principal,
            Permission.APPROVE,
            Kind.MODEL,
            wanted.model,
            f"a standing approval for {wanted.model}",
        )
        if principal.kind != "user":
            raise Refused("Only people approve.", reasons=[f"{principal.name} is a {principal.kind} account."])
        policy = await self._policies.get(principal, wanted.model)
        code = await self._code(principal, wanted, policy.policy.alias)
        names = await self._identity.names(principal)

        def work(tx: Tx) -> StandingApproval:
            head = store.policy_of(tx, principal.workspace, wanted.model)
            if head is None or head.digest != policy.digest:
                raise Conflict("The gate policy changed meanwhile.", hint="Look at it, then try again.")
            identity, expires = uuid7(tx.now), tx.now + round(wanted.days * DAY_MS)
            data = {
                "policy": policy.digest,
                "code": code,
                "min": wanted.min,
                "promotions": wanted.promotions,
                "expires": rfc3339(expires),
            }
            texts = {"model": wanted.model, "alias": policy.policy.alias, "metric": wanted.metric}
            about = {
                "standing_approval": identity,
                **about_named(tx, Kind.MODEL, principal.workspace, wanted.model),
            }
            entry = self._ledger.record(tx, principal, "standing_approval.given", about, data, texts)
            row = {
                "id": identity,
                "workspace": principal.workspace,
                "model": wanted.model,
                "alias": policy.policy.alias,
                "policy": policy.digest,
                "code": code,
                "metric": wanted.metric,
                "min": wanted.min,
                "promotions": wanted.promotions,
                "left": wanted.promotions,
                "expires": expires,
                "given_by": principal.id,
                "given_at": tx.now,
                "revoked": None,
                "entry": entry,
            }
            store.add_standing(tx, row)
            found = store.standing_with_id(tx, principal.workspace, identity)
            if found is None:
                raise _none(identity)
            return reading.standing_approval(found, names)

        return await self._db.write(work)

    async def revoke(self, principal: Principal, identity: str) -> StandingApproval:
        """Takes one back, at once; promotions that cite it and are not committed yet will be refused."""
        self._authorizer.require(principal, Permission.APPROVE, what="standing approvals")
        names = await self._identity.names(principal)
        await self._held(principal, Permission.APPROVE, identity)

        def work(tx: Tx) -> StandingApproval:
            found = store.standing_with_id(tx, principal.workspace, identity)
            if found is None:
                raise _none(identity)
            if found.revoked is None:
                model = about_named(tx, Kind.MODEL, principal.workspace, found.model)
                subject = {"standing_approval": identity, **model}
                self._ledger.record(tx, principal, "standing_approval.revoked", subject, {"left": found.left})
                store.revoke_standing(tx, identity)
            return reading.standing_approval(store.standing_with_id(tx, principal.workspace, identity) or found, names)

        return await self._db.write(work)

    async def all(self, principal: Principal, model: str | None = None) -> list[StandingApproval]:
        """Those of the workspace, or of one model, newest first."""
        self._authorizer.require(principal, Permission.READ, what="standing approvals")
        names = await self._identity.names(principal)
        rows = await self._db.read(
            lambda tx: store.standings(tx, principal.workspace, model, principal.sees(Kind.MODEL))
        )
        return [reading.standing_approval(row, names) for row in rows]

    async def get(self, principal: Principal, identity: str) -> StandingApproval:
        """One of them.

        Raises:
            NotFound: the workspace has none of this id.
        """
        self._authorizer.require(principal, Permission.READ, what="standing approvals")
        row = await self._held(principal, Permission.READ, identity)
        return reading.standing_approval(row, await self._identity.names(principal))

    async def _held(self, principal: Principal, permission: Permission, identity: str) -> sa.Row[Any]:
        """One of them, if the principal holds `permission` on its model."""
        row = await self._db.read(lambda tx: store.standing_with_id(tx, principal.workspace, identity))
        if row is None:
            raise _none(identity)
        what = f"standing approval {identity}"
        await require_named(self._db, self._authorizer, principal, permission, Kind.MODEL, row.model, what)
        return row

    async def _code(self, principal: Principal, wanted: StandingRequest, alias: str) -> str:
        if (wanted.code is None) == (wanted.like is None):
            raise InvalidInput(
                "A standing approval trusts one pipeline's code.",
                hint="Give `like`, a version that this pipeline made, or `code`, its digest.",
            )
        if wanted.code is not None:
            return wanted.code
        like = await self._facts.candidate(principal, wanted.model, wanted.like or 0, alias)
        code = await self._facts.code(principal, like.run_id)
        if code is None:
            raise InvalidInput(f"Version {wanted.like} of {wanted.model} was made by no pipeline run.")
        return code


def covers(standing: StandingApproval, candidate: Candidate, policy: str, code: str | None, now: int) -> bool:
    """Whether a standing approval holds for a candidate.

    Args:
        standing: the approver's word.
        candidate: made by service accounts alone; the caller has made sure.
        policy: digest of the policy in force.
        code: digest of the code of the pipeline that made it, if one did.
        now: the server's clock, ms.
    """
    value = candidate.metrics.get(standing.metric)
    return (
        (standing.model, standing.alias, standing.policy) == (candidate.model, candidate.alias, policy)
        and code is not None
        and standing.code == code
        and value is not None
        and value >= standing.min
        and standing.left > 0
        and not standing.revoked
        and now < parse_rfc3339(standing.expires)
    )


def _none(identity: str) -> NotFound:
    return NotFound(f"There is no standing approval {identity!r}.")
