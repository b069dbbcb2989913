"""Who is asking: the owner's first token, users, roles, tokens, and the principal behind each request."""

import secrets
import time

from modelkeel.core.access import PERMISSIONS, Authorizer, Permission, Principal, Role
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import AlreadyExists, InvalidInput, NotFound, Unauthenticated
from modelkeel.core.hashing import sha256
from modelkeel.core.ids import uuid7
from modelkeel.identity import grants, store
from modelkeel.identity.models import TOKEN_PREFIX, MintedToken, User
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

DEFAULT_WORKSPACE = "default"
CACHE_SECONDS = 2.0
ANONYMOUS = "anonymous"


class Identity:
    """Users, roles and tokens of an installation."""

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._default = ""
        self._known: dict[tuple[str, str], tuple[float, Principal]] = {}
        self._anonymous: Principal | None = None

    def first_run(self, owner: str = "owner") -> str | None:
        """Makes the default workspace and its owner. Returns the owner's token the first time, else None."""

        def work(tx: Tx) -> str | None:
            found = store.workspace_named(tx, DEFAULT_WORKSPACE)
            if found is not None:
                self._default = found.id
                return None
            self._default = uuid7(tx.now)
            store.add_workspace(tx, self._default, DEFAULT_WORKSPACE)
            at = self._default
            self._ledger.record(
                tx, SYSTEM, "workspace.created", {"workspace": at}, texts={"name": DEFAULT_WORKSPACE}, workspace=at
            )
            person = self._add_user(tx, SYSTEM, at, owner, "user", [Role.ADMIN])
            return self._mint(tx, SYSTEM, person, at, None, None).secret

        return self._db.write_now(work)

    def anonymous(self) -> Principal:
        """A caller on loopback without a token: tracks and reads in the default workspace, nothing more."""
        if self._anonymous is None:
            _, held = self._db.read_now(lambda tx: grants.load(tx, self._default, ANONYMOUS))
            rights = PERMISSIONS[Role.CONTRIBUTOR]
            narrow = grants.narrowed(held, rights)
            self._anonymous = Principal(ANONYMOUS, ANONYMOUS, "anonymous", self._default, rights, narrow)
        return self._anonymous

    def forget(self) -> None:
        """Loads every principal anew at its next request: who may do what has changed."""
        self._known.clear()
        self._anonymous = None

    async def authenticate(self, secret: str, workspace: str | None = None) -> Principal:
        """The principal behind a token, in a named workspace or the token's own.

        Raises:
            Unauthenticated: the token is unknown, expired or revoked.
            NotFound: no such workspace, or no role in it.
        """
        key = (sha256(secret.encode()), workspace or "")
        cached = self._known.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        principal = await self._db.read(lambda tx: resolve(tx, key[0], workspace))
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[key] = (time.monotonic() + CACHE_SECONDS, principal)
        return principal

    def workspace_names(self, tx: Tx) -> dict[str, str]:
        """Every workspace's name by id, for processes of ours."""
        return store.workspace_names(tx)

    async def users(self, principal: Principal) -> list[User]:
        """Everybody with a role in the principal's workspace."""
        self._authorizer.require(principal, Permission.READ, what="users")

        def work(tx: Tx) -> list[User]:
            people: dict[str, User] = {}
            for row in store.principals(tx, principal.workspace):
                person = people.setdefault(row.id, User(row.id, row.name, row.kind, []))
                person.roles.append(Role(row.role))
            return list(people.values())

        return await self._db.read(work)

    async def names(self, principal: Principal) -> dict[str, str]:
        """Principals' names by id, for showing who did something."""
        self._authorizer.require(principal, Permission.READ, what="users")
        known = {user.id: user.name for user in await self.users(principal)}
        return {"system": "system", ANONYMOUS: "local user", **known}

    async def create_user(self, principal: Principal, name: str, roles: list[Role], kind: str = "user") -> User:
        """Adds a user, or a service account, with roles in the principal's workspace."""
        self._authorizer.require(principal, Permission.GRANT, what="users")
        if not name or len(name) > 100 or kind not in {"user", "service"}:
            raise InvalidInput("A user needs a name of 1 to 100 characters and the kind `user` or `service`.")

        def work(tx: Tx) -> User:
            if store.principal_named(tx, name) is not None:
                raise AlreadyExists(f"There is a user {name!r} already.", hint="Choose another name.")
            identity = self._add_user(tx, principal, principal.workspace, name, kind, roles)
            return User(identity, name, kind, roles)

        return await self._db.write(work)

    async def mint_token(self, principal: Principal, user: str, seconds: int | None = None) -> MintedToken:
        """A token for a user of the principal's workspace; anybody may mint one for themselves.

        Args:
            principal: who asks.
            user: the user's name.
            seconds: until it expires; None: never.
        """

        def work(tx: Tx) -> MintedToken:
            found = store.principal_named(tx, user)
            if found is None or not _belongs(tx, principal.workspace, found.id):
                raise NotFound(f"There is no user {user!r} in this workspace.")
            if found.id != principal.id:
                self._authorizer.require(principal, Permission.GRANT, what=f"a token of {user}")
            return self._mint(tx, principal, found.id, principal.workspace, None, seconds)

        return await self._db.write(work)

    async def mint_child(self, principal: Principal, permissions: frozenset[Permission], seconds: int) -> MintedToken:
        """A short-lived, narrow token for a process that we start on a principal's behalf."""
        narrow = permissions & principal.permissions
        return await self._db.write(
            lambda tx: self._mint(tx, principal, principal.id, principal.workspace, narrow, seconds)
        )

    async def service_account(self, workspace: str, name: str, roles: list[Role]) -> Principal:
        """The principal of a service account of ours, made on first use."""

        def work(tx: Tx) -> Principal:
            found = store.principal_named(tx, name)
            identity = found.id if found else self._add_user(tx, SYSTEM, workspace, name, "service", roles)
            return Principal(identity, name, "service", workspace, _permissions(roles))

        return await self._db.write(work)

    def _add_user(self, tx: Tx, by: Principal, workspace: str, name: str, kind: str, roles: list[Role]) -> str:
        identity = uuid7(tx.now)
        store.add_principal(tx, identity, name, kind)
        self._ledger.record(
            tx, by, "user.created", {"user": identity}, {"kind": kind}, {"name": name}, workspace=workspace
        )
        for role in roles:
            if store.grant(tx, workspace, identity, role):
                self._ledger.record(tx, by, "role.granted", {"user": identity}, {"role": role}, workspace=workspace)
        return identity

    def _mint(
        self,
        tx: Tx,
        by: Principal,
        user: str,
        workspace: str,
        permissions: frozenset[Permission] | None,
        seconds: int | None,
    ) -> MintedToken:
        identity, secret = uuid7(tx.now), TOKEN_PREFIX + secrets.token_urlsafe(32)
        expires = None if seconds is None else tx.now + seconds * 1000
        scope = "*" if permissions is None else " ".join(sorted(permissions))
        store.add_token(
            tx,
            {
                "id": identity,
                "hash": sha256(secret.encode()),
                "principal": user,
                "workspace": workspace,
                "permissions": scope,
                "expires": expires,
            },
        )
        self._ledger.record(tx, by, "token.minted", {"user": user, "token": identity}, workspace=workspace)
        return MintedToken(identity, secret, user, rfc3339(expires) if expires else None)


def _permissions(roles: list[Role]) -> frozenset[Permission]:
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def _belongs(tx: Tx, workspace: str, person: str) -> bool:
    """Whether somebody has a role or a grant in a workspace, perhaps through a group."""
    groups, granted = grants.load(tx, workspace, person)
    return bool(granted) or any(store.roles_of(tx, workspace, who) for who in (person, *groups))


def resolve(tx: Tx, digest: str, workspace: str | None) -> Principal:
    """The principal behind the hash of a token, in a named workspace or the token's own; errors as `authenticate`."""
    found = store.token_hashed(tx, digest)
    if found is None or found.revoked is not None or (found.expires is not None and found.expires <= tx.now):
        raise Unauthenticated(
            "This token is unknown, expired or revoked.", hint="Mint another with `modelkeel token new`."
        )
    at = found.workspace
    if workspace is not None:
        named = store.workspace_named(tx, workspace)
        at = named.id if named else ""
    groups, granted = grants.load(tx, at, found.principal)
    roles = [role for who in (found.principal, *groups) for role in store.roles_of(tx, at, who)]
    held = _permissions([Role(role) for role in roles])
    if not held and not any(some.allowed for some in granted.values()):
        raise NotFound(f"There is no workspace {workspace!r} in which you have a role.")
    if found.permissions != "*":
        scope = frozenset(Permission(name) for name in found.permissions.split())
        held, granted = held & scope, grants.narrowed(granted, scope)
    return Principal(found.principal, found.name, found.kind, at, held, granted, groups)
