"""Use cases of gate policies: set and read them."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.governance import store
from modelkeel.governance.policy import GatePolicy, StoredPolicy, check
from modelkeel.governance.voiding import void
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import about_named, require_named


class Policies:
    """Gate policies of every model, by digest.

    Args:
        database: holds them.
        ledger: hears of every change.
        authorizer: decides who may set them.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer

    async def put(self, principal: Principal, model: str, policy: GatePolicy) -> StoredPolicy:
        """Puts a policy in force. Open promotions judged by another one are voided with it.

        Raises:
            InvalidInput: the policy contradicts itself.
        """
        await self._may(principal, Permission.POLICY, model)
        if not model or len(model) > 250:
            raise InvalidInput("A model's name has 1 to 250 characters.")
        check(policy)
        digest = policy.digest

        def work(tx: Tx) -> StoredPolicy:
            found = store.policy_of(tx, principal.workspace, model)
            if found is not None and found.digest == digest:
                return stored(found)
            data = {"digest": digest, "kind": "gates", "before": found.digest if found else None}
            texts = {"model": model, "policy": msgspec.json.encode(policy).decode()}
            about = {"policy": digest, **about_named(tx, Kind.MODEL, principal.workspace, model)}
            entry = self._ledger.record(tx, principal, "policy.set", about, data, texts)
            body = msgspec.json.encode(policy).decode()
            store.set_policy(tx, principal.workspace, model, digest, body, principal.id, entry)
            stale = store.open_under_other_policy(tx, principal.workspace, model, digest)
            for row in stale:
                void(tx, self._ledger, principal, row, "The model's gate policy changed.")
            answer = stored(store.policy_of(tx, principal.workspace, model))
            return msgspec.structs.replace(answer, changed=True, voided=len(stale))

        return await self._db.write(work)

    async def get(self, principal: Principal, model: str) -> StoredPolicy:
        """A model's policy.

        Raises:
            NotFound: it has none.
        """
        found = await self.find(principal, model)
        if found is None:
            raise NotFound(f"The model {model!r} has no gate policy.", hint="Write one in modelkeel.toml and apply it.")
        return found

    async def find(self, principal: Principal, model: str) -> StoredPolicy | None:
        """A model's policy, or None."""
        await self._may(principal, Permission.READ, model)
        row = await self._db.read(lambda tx: store.policy_of(tx, principal.workspace, model))
        return None if row is None else stored(row)

    async def all(self, principal: Principal) -> list[StoredPolicy]:
        """Every policy of the workspace, by model."""
        self._authorizer.require(principal, Permission.READ, what="gate policies")
        return await self._db.read(
            lambda tx: [stored(row) for row in store.policies(tx, principal.workspace, principal.sees(Kind.MODEL))]
        )

    async def _may(self, principal: Principal, permission: Permission, model: str) -> None:
        what = f"the gates of {model}"
        await require_named(self._db, self._authorizer, principal, permission, Kind.MODEL, model, what)

    async def by_digest(self, principal: Principal, digest: str) -> GatePolicy:
        """The words of a policy that is or was in force.

        Raises:
            NotFound: the workspace never had it.
        """
        self._authorizer.require(principal, Permission.READ, what="gate policies")
        body = await self._db.read(lambda tx: store.policy_body(tx, principal.workspace, digest))
        if body is None:
            raise NotFound(f"There is no gate policy {digest}.")
        return msgspec.json.decode(body, type=GatePolicy)


def stored(row: sa.Row[Any] | None) -> StoredPolicy:
    """A policy's row as others read it."""
    if row is None:
        raise NotFound("There is no such gate policy.")
    policy = msgspec.json.decode(row.body, type=GatePolicy)
    return StoredPolicy(row.model, row.digest, policy, rfc3339(row.set_at), row.set_by, row.entry)
