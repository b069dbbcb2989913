"""API tokens: minted, listed, revoked. A token never carries more than the one that minted it."""

import secrets
from collections.abc import Callable
from typing import Any

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound, PermissionDenied
from modelkeel.core.hashing import sha256
from modelkeel.core.ids import uuid7
from modelkeel.identity import store
from modelkeel.identity.models import TOKEN_PREFIX, MintedToken, NewToken, Token
from modelkeel.identity.resolving import EVERYWHERE, belongs
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

LONGEST_SECONDS = 10 * 366 * 86_400


class Tokens:
    """API tokens of an installation.

    Args:
        database: holds them.
        ledger: gets an entry for each that is minted or revoked.
        authorizer: decides who may mint one for somebody else.
        forget: called after one is revoked, so that it ends at once.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, forget: Callable[[], None]) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._forget = forget

    async def mint(self, principal: Principal, wanted: NewToken) -> MintedToken:
        """A token of the caller, or with the permission to grant one of somebody else in the workspace.

        A token minted for somebody else is good in this workspace only. One minted by a narrowed token is as narrow,
        and ends no later.

        Raises:
            InvalidInput: the time or the permissions make no sense.
            NotFound: there is no such user in the workspace.
            PermissionDenied: a caller without a token asks, or one who may not grant asks for somebody else's.
        """
        if principal.kind == "anonymous":
            raise PermissionDenied(
                "A caller without a token can't mint one.", hint="Sign in, or use the owner's token."
            )
        _check(wanted)
        scope = None if wanted.permissions is None else frozenset(wanted.permissions)
        if principal.scope is not None:
            scope = principal.scope if scope is None else scope & principal.scope

        def work(tx: Tx) -> MintedToken:
            owner = principal.id
            if wanted.user is not None:
                found = store.principal_named(tx, wanted.user, principal.workspace)
                if found is None or not belongs(tx, principal.workspace, found.id):
                    raise NotFound(f"There is no user {wanted.user!r} in this workspace.")
                owner = str(found.id)
            if owner != principal.id:
                self._authorizer.require(principal, Permission.GRANT, what=f"a token of {wanted.user}")
            if wanted.everywhere and (owner != principal.id or not principal.unbound):
                raise PermissionDenied(
                    "A token for every workspace is minted by its owner only, from their page or with such a token.",
                    hint="Leave `everywhere` out: the token is then good in this workspace.",
                )
            ends = [] if wanted.seconds is None else [tx.now + wanted.seconds * 1000]
            if principal.scope is not None and principal.until is not None:
                ends.append(principal.until)
            at = EVERYWHERE if wanted.everywhere else principal.workspace
            return mint(self._ledger, tx, principal, owner, at, scope, min(ends, default=None), wanted.name)

        return await self._db.write(work)

    async def mint_child(self, principal: Principal, permissions: frozenset[Permission], seconds: int) -> MintedToken:
        """A short-lived, narrow token for a process that we start on a principal's behalf."""
        narrow = permissions & principal.permissions
        return await self._db.write(
            lambda tx: mint(
                self._ledger, tx, principal, principal.id, principal.workspace, narrow, tx.now + seconds * 1000
            )
        )

    async def list(self, principal: Principal, *, everybody: bool = False) -> list[Token]:
        """One's own tokens; with `everybody`, the workspace's, for who may grant."""
        if everybody:
            self._authorizer.require(principal, Permission.GRANT, what="everybody's tokens")

        def work(tx: Tx) -> list[Token]:
            names = store.workspace_names(tx)
            rows = store.tokens(tx, principal.workspace, None if everybody else principal.id)
            return [_shown(row, names) for row in rows if row.expires is None or row.expires > tx.now]

        return await self._db.read(work)

    async def revoke(self, principal: Principal, identity: str) -> None:
        """Ends a token at once: one's own, or one of the workspace for who may grant. Again changes nothing.

        Raises:
            NotFound: no such token, or not the caller's to see.
        """

        def work(tx: Tx) -> None:
            found = store.token_with_id(tx, identity)
            may = principal.may(Permission.GRANT)
            mine = found is not None and principal.id == found.principal
            if found is None or not (mine or (may and found.workspace == principal.workspace)):
                raise NotFound(f"There is no token {identity!r}.", hint="`modelkeel token list` shows them.")
            if found.revoked is None:
                store.revoke_token(tx, identity)
                about = {"user": str(found.principal), "token": identity}
                self._ledger.record(tx, principal, "token.revoked", about)

        await self._db.write(work)
        self._forget()


def mint(
    ledger: Ledger,
    tx: Tx,
    by: Principal,
    user: str,
    workspace: str,
    permissions: frozenset[Permission] | None,
    expires: int | None,
    name: str = "",
) -> MintedToken:
    """Makes a token within the caller's transaction.

    Args:
        ledger: gets the entry.
        tx: the transaction.
        by: who mints it.
        user: id of its owner.
        workspace: where it is good; `*`: wherever its owner has a role.
        permissions: what it is narrowed to; None: nothing less than its owner holds.
        expires: when it ends, in ms since 1970; None: never.
        name: what it is for.
    """
    identity, secret = uuid7(tx.now), TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = {
        "id": identity,
        "hash": sha256(secret.encode()),
        "principal": user,
        "workspace": workspace,
        "name": name,
        "permissions": "*" if permissions is None else " ".join(sorted(permissions)),
        "expires": expires,
    }
    store.add_token(tx, row)
    at = by.workspace if workspace == EVERYWHERE else workspace
    ledger.record(tx, by, "token.minted", {"user": user, "token": identity}, workspace=at)
    return MintedToken(identity, secret, user, rfc3339(expires) if expires else None)


def _check(wanted: NewToken) -> None:
    if wanted.seconds is not None and not 1 <= wanted.seconds <= LONGEST_SECONDS:
        raise InvalidInput(
            "A token lives for 1 second to 10 years.", hint="Leave `seconds` out: it then never expires."
        )
    if len(wanted.name) > 200:
        raise InvalidInput("A token's name has at most 200 characters.")
    if wanted.permissions is not None and not wanted.permissions:
        raise InvalidInput("A token narrowed to no permission opens nothing.", hint="Name some, or leave them out.")


def _shown(row: Any, names: dict[str, str]) -> Token:
    return Token(
        row.id,
        row.name,
        row.principal,
        row.owner,
        None if row.permissions == "*" else [Permission(name) for name in row.permissions.split()],
        None if row.workspace == EVERYWHERE else names.get(row.workspace, row.workspace),
        rfc3339(row.created),
        rfc3339(row.expires) if row.expires else None,
        rfc3339(row.used) if row.used else None,
    )
