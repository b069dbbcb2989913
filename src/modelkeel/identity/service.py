"""Who is asking: the first run, users, and the principal behind each request."""

import time
from collections.abc import Callable
from dataclasses import replace

from modelkeel.core.access import INSTALLATION, PERMISSIONS, Authorizer, Permission, Principal, Role
from modelkeel.core.clock import rfc3339
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import InvalidInput, KeelError, NotFound
from modelkeel.core.hashing import sha256
from modelkeel.core.ids import uuid7
from modelkeel.identity import grants, people, resolving, store
from modelkeel.identity import store_access as access
from modelkeel.identity import store_sign_in as signing
from modelkeel.identity.accounts import Accounts, first_password
from modelkeel.identity.models import Me, NewUser, SignInWays, User, Workspace
from modelkeel.identity.resolving import DEFAULT_WORKSPACE, EVERYWHERE, permissions
from modelkeel.identity.sessions import Sessions
from modelkeel.identity.tokens import Tokens, mint
from modelkeel.identity.workspaces import Workspaces
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

CACHE_SECONDS = 2.0
ANONYMOUS = "anonymous"
_RESOLVE: dict[Shown, Callable[[Tx, str, str | None], Principal]] = {
    Shown.TOKEN: resolving.by_token,
    Shown.SESSION: resolving.by_session,
    Shown.PASSWORD: resolving.by_account,
}


class Identity:
    """Who is asking, in an installation.

    Attributes:
        tokens: mints, lists and revokes API tokens.
        accounts: keeps local accounts and their passwords.
        sessions: keeps the page's sessions.
        workspaces: makes and lists workspaces.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._default = ""
        self._known: dict[tuple[str, str, str | None], tuple[float, Principal]] = {}
        self._noted: dict[str, float] = {}
        self._anonymous: Principal | None = None
        self.tokens = Tokens(database, ledger, authorizer, self.forget)
        self.accounts = Accounts(database, ledger, authorizer, self.forget, self.default_workspace)
        self.sessions = Sessions(database, ledger, self.forget, self.default_workspace)
        self.workspaces = Workspaces(database, ledger, authorizer, self.forget)

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
            person = people.add(self._ledger, tx, SYSTEM, at, owner, "user", [Role.ADMIN])
            store.grant(tx, INSTALLATION, person, Role.ADMIN)
            about = {"user": person}
            data = {"role": Role.ADMIN, "of": INSTALLATION}
            self._ledger.record(tx, SYSTEM, "role.granted", about, data, workspace=at)
            by = replace(SYSTEM, workspace=at)
            return mint(self._ledger, tx, by, person, EVERYWHERE, None, None, "owner").secret

        return self._db.write_now(work)

    def anonymous(self) -> Principal:
        """A caller on loopback without a token: tracks and reads in the default workspace, nothing more."""
        if self._anonymous is None:
            _, held = self._db.read_now(lambda tx: grants.load(tx, self._default, ANONYMOUS))
            rights = PERMISSIONS[Role.CONTRIBUTOR]
            narrow = grants.narrowed(held, rights)
            self._anonymous = Principal(ANONYMOUS, ANONYMOUS, "anonymous", self._default, rights, narrow)
        return self._anonymous

    def default_workspace(self) -> str:
        """Id of the workspace in whose trail the entries about accounts and sign-ins stand."""
        return self._default

    def forget(self) -> None:
        """Loads every principal anew at its next request: who may do what has changed."""
        self._known.clear()
        self._anonymous = None

    async def authenticate(self, shown: Credential, workspace: str | None = None) -> Principal:
        """The principal behind a credential, in a named workspace or its own.

        Raises:
            Unauthenticated: it is unknown, expired or revoked, or the password is wrong.
            TooMany: too many passwords were wrong.
            NotFound: no such workspace, or no role in it.
        """
        person = ""
        if shown.shown is Shown.PASSWORD:
            person = await self.accounts.check(shown.name, shown.secret, shown.address)
        key = (shown.shown, person or sha256(shown.secret.encode()), workspace)
        cached = self._known.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        principal = await self._db.read(lambda tx: _RESOLVE[shown.shown](tx, key[1], workspace))
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[key] = (time.monotonic() + CACHE_SECONDS, principal)
        await self._note_use(shown.shown, key[1])
        return principal

    async def owner(self, secret: str) -> str | None:
        """Whose token it is, for the link that `up` prints; None where it is good no more."""
        try:
            return (await self.authenticate(Credential(Shown.TOKEN, secret))).id
        except KeelError:
            return None

    async def me(self, principal: Principal) -> Me:
        """Who the server takes somebody for, and which workspaces are open to them."""

        def work(tx: Tx) -> Me:
            names = store.workspace_names(tx)
            roles = store.roles_of(tx, principal.workspace, [principal.id, *principal.groups])
            open_to = [Workspace(row.id, row.name) for row in access.workspaces_of(tx, principal.id)]
            here = Workspace(principal.workspace, names.get(principal.workspace, ""))
            return Me(
                principal.id,
                principal.name,
                principal.kind,
                sorted(principal.permissions),
                [Role.CONTRIBUTOR] if principal.kind == ANONYMOUS else sorted(Role(role) for role in roles),
                here,
                open_to if principal.unbound else [here],
                sorted(principal.installation),
                rfc3339(principal.until) if principal.session and principal.until else None,
                signing.password_of(tx, principal.id) is not None,
            )

        return await self._db.read(work)

    async def ways(self, oidc: str | None, *, anonymous: bool) -> SignInWays:
        """How one can sign in; `oidc` names the provider."""
        some = await self._db.read(signing.any_password)
        return SignInWays(not some and oidc is None, some, oidc, anonymous)

    async def _note_use(self, shown: Shown, digest: str) -> None:
        """Keeps a used session from ending (noted each minute), and tells when a token was last used (each hour)."""
        every = {Shown.SESSION: 60.0, Shown.TOKEN: 3600.0}.get(shown)
        now = time.monotonic()
        if every is None or self._noted.get(digest, -every) + every > now:
            return
        if len(self._noted) > 10_000:
            self._noted.clear()
        self._noted[digest] = now
        note = signing.touch_session if shown is Shown.SESSION else store.touch_token
        await self._db.write(lambda tx: note(tx, digest))

    def workspace_names(self, tx: Tx) -> dict[str, str]:
        """Every workspace's name by id, for processes of ours."""
        return store.workspace_names(tx)

    async def users(self, principal: Principal) -> list[User]:
        """Everybody with a role in the principal's workspace."""
        self._authorizer.require(principal, Permission.READ, what="users")

        def work(tx: Tx) -> list[User]:
            found: dict[str, User] = {}
            for row in store.principals(tx, principal.workspace):
                person = found.setdefault(row.id, User(row.id, row.name, row.kind, [], row.disabled is not None))
                person.roles.append(Role(row.role))
            return list(found.values())

        return await self._db.read(work)

    async def somebody(self, principal: Principal, name: str) -> Principal:
        """A person with all they hold in the principal's workspace, to see what they may do.

        Raises:
            NotFound: nobody of that name has a role here.
            PermissionDenied: it is somebody else, and the caller may not grant.
        """
        if name != principal.name:
            self._authorizer.require(principal, Permission.GRANT, what="what others may do")

        def work(tx: Tx) -> Principal:
            found = store.principal_named(tx, name, principal.workspace)
            if found is None or found.disabled is not None:
                raise NotFound(f"User with username={name[:100]} not found")
            return resolving.by_account(tx, str(found.id), store.workspace_names(tx)[principal.workspace])

        return await self._db.read(work)

    async def standing(self, identity: str, workspace: str) -> Principal:
        """Somebody by id with all they hold in a workspace now, for what they asked to be done later.

        Raises:
            Unauthenticated: their account is closed.
            NotFound: they have no role there any more.
        """
        return await self._db.read(
            lambda tx: resolving.by_account(tx, identity, store.workspace_names(tx).get(workspace, ""))
        )

    async def names(self, principal: Principal) -> dict[str, str]:
        """Principals' names by id, for showing who did something."""
        self._authorizer.require(principal, Permission.READ, what="users")
        known = {user.id: user.name for user in await self.users(principal)}
        return {"system": "system", ANONYMOUS: "local user", **known}

    async def create_user(self, principal: Principal, wanted: NewUser) -> User:
        """Adds a user, or a service account, with roles in the principal's workspace.

        Raises:
            AlreadyExists: the name is taken.
            InvalidInput: the name or the first password will not do.
            PermissionDenied: the caller may not grant.
        """
        self._authorizer.require(principal, Permission.GRANT, what="users")
        people.check_name(wanted.name, wanted.kind)
        if wanted.kind == "service" and wanted.password is not None:
            raise InvalidInput("A service account has no password.", hint="Mint a token of it instead.")
        digest = await first_password(wanted.password, wanted.name)

        def work(tx: Tx) -> User:
            at = principal.workspace
            identity = people.add(self._ledger, tx, principal, at, wanted.name, wanted.kind, wanted.roles)
            if digest is not None:
                signing.set_password(tx, identity, digest)
            return User(identity, wanted.name, wanted.kind, wanted.roles)

        return await self._db.write(work)

    async def service_account(self, workspace: str, name: str, roles: list[Role]) -> Principal:
        """The principal of a service account of ours, made on first use."""

        def work(tx: Tx) -> Principal:
            found = store.principal_named(tx, name, workspace)
            identity = found.id if found else people.add(self._ledger, tx, SYSTEM, workspace, name, "service", roles)
            return Principal(identity, name, "service", workspace, permissions(roles))

        return await self._db.write(work)
