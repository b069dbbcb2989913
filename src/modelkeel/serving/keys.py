"""Endpoint keys: each opens the prediction address of one endpoint, and nothing of the control plane."""

import secrets
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.hashing import sha256
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import Ledger
from modelkeel.serving import store, store_keys
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

PREFIX = "mkp_"
"""By which scanners recognise our prediction keys."""
DAY_SECONDS = 86_400
DEFAULT_SECONDS = 90 * DAY_SECONDS
LONGEST_SECONDS = 366 * DAY_SECONDS


class EndpointKey(msgspec.Struct, frozen=True):
    """A key, without its secret. `created_by` is the id of who made it, `last_used` a day."""

    id: str
    name: str
    created: str
    created_by: str
    expires: str
    last_used: str | None = None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key; its secret is shown once and stored only as a hash."""

    key: EndpointKey
    secret: str


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a key: what it is for, and how many seconds it lives."""

    name: str
    seconds: int = DEFAULT_SECONDS


class Keys:
    """The keys of every endpoint. Whoever may deploy at an endpoint, and predict there, keeps its keys.

    Args:
        database: holds them.
        ledger: gets an entry for each that is made or revoked.
        authorizer: decides who may.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer

    async def create(self, principal: Principal, endpoint: str, wanted: NewKey) -> MadeKey:
        """A new key of an endpoint.

        Raises:
            InvalidInput: the name or the time will not do.
            NotFound: there is no such endpoint for the principal.
            PermissionDenied: they may not deploy or not predict there.
        """
        if not 1 <= len(wanted.name) <= 100 or not wanted.name.isprintable():
            raise InvalidInput("A key needs a name of 1 to 100 printable characters: what it is for.")
        if not 1 <= wanted.seconds <= LONGEST_SECONDS:
            raise InvalidInput("A key lives for 1 second to 366 days.", hint="Make another before it ends.")

        def work(tx: Tx) -> MadeKey:
            at = self._place(tx, principal, endpoint)
            identity, secret = uuid7(tx.now), PREFIX + secrets.token_urlsafe(32)
            expires = tx.now + wanted.seconds * 1000
            row = {
                "id": identity,
                "hash": sha256(secret.encode()),
                "workspace": principal.workspace,
                "endpoint": at,
                "name": wanted.name,
                "created_by": principal.id,
                "expires": expires,
            }
            store_keys.add(tx, row)
            about = {"endpoint": at, "endpoint_key": identity}
            data = {"expires": rfc3339(expires)}
            self._ledger.record(tx, principal, "endpoint_key.created", about, data, {"name": wanted.name})
            shown = EndpointKey(identity, wanted.name, rfc3339(tx.now), principal.id, rfc3339(expires))
            return MadeKey(shown, secret)

        return await self._db.write(work)

    async def list(self, principal: Principal, endpoint: str) -> list[EndpointKey]:
        """The keys of an endpoint that are good now, the oldest first; raises as `create`."""

        def work(tx: Tx) -> list[EndpointKey]:
            at = self._place(tx, principal, endpoint)
            return [_view(row) for row in store_keys.good(tx, at)]

        return await self._db.read(work)

    async def revoke(self, principal: Principal, endpoint: str, identity: str) -> None:
        """Ends a key at once. Again changes nothing; raises as `create`, and NotFound where there is no such key."""

        def work(tx: Tx) -> None:
            at = self._place(tx, principal, endpoint)
            found = store_keys.with_id(tx, at, identity)
            if found is None:
                raise NotFound(f"{endpoint} has no key {identity!r}.", hint=f"`modelkeel keys list {endpoint}`")
            if found.revoked is None:
                store_keys.revoke(tx, identity)
                self._ledger.record(tx, principal, "endpoint_key.revoked", {"endpoint": at, "endpoint_key": identity})

        await self._db.write(work)

    def _place(self, tx: Tx, principal: Principal, endpoint: str) -> str:
        """The endpoint's id, for who may keep its keys."""
        what = f"endpoint {endpoint}"
        row: sa.Row[tuple[object, ...]] | None = store.endpoint_named(tx, principal.workspace, endpoint)
        if row is None:
            self._authorizer.require(principal, Permission.DEPLOY, what=what)
            raise NotFound(f"There is no {what}.", hint="`modelkeel endpoints` lists them.")
        on = Object(Kind.ENDPOINT, str(row.id))
        for permission in (Permission.DEPLOY, Permission.PREDICT):
            self._authorizer.require(principal, permission, what=what, on=on)
        return on.id


def _view(row: sa.Row[Any]) -> EndpointKey:
    used = None if row.used is None else rfc3339(row.used * DAY_SECONDS * 1000)[:10]
    return EndpointKey(row.id, row.name, rfc3339(row.created), row.created_by, rfc3339(row.expires), used)
