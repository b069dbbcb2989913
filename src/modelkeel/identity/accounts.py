"""Local accounts: passwords, the first run's set-up, closing an account. There is no default password."""

import hmac
import secrets
import time
from collections.abc import Callable

from modelkeel.core.access import INSTALLATION, Authorizer, Permission, Principal, Role
from modelkeel.core.errors import Conflict, NotFound, PermissionDenied, TooMany, Unauthenticated
from modelkeel.identity import passwords, people, store, throttle
from modelkeel.identity import store_access as access
from modelkeel.identity import store_sign_in as signing
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

REMEMBERED_SECONDS = 300.0


class Accounts:
    """People who sign in with a name and a password.

    Args:
        database: holds the hashes.
        ledger: gets an entry for every change and every failed sign-in.
        authorizer: decides who may change somebody else's.
        forget: called after a change, so that cached principals are loaded anew.
        home: id of the workspace in whose trail the entries stand.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        forget: Callable[[], None],
        home: Callable[[], str],
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._forget = forget
        self._home = home
        self._right: dict[bytes, tuple[float, str]] = {}
        self._key = secrets.token_bytes(32)

    async def check(self, name: str, password: str, address: str) -> str:
        """The id of the account with this name and password.

        A right answer is remembered for five minutes by a keyed hash, so that a client that sends its password with
        every request does not wait for Argon2 each time.

        Raises:
            TooMany: too many attempts failed; the message says how long to wait.
            Unauthenticated: no such account, or another password; which of them is not told.
        """
        known = hmac.digest(self._key, f"{name}\0{password}".encode(), "sha256")
        found = self._right.get(known)
        if found is not None and found[0] > time.monotonic():
            return found[1]

        def look(tx: Tx) -> tuple[int, str | None, str | None]:
            person = store.principal_named(tx, name)
            usable = person is not None and person.kind == "user" and person.disabled is None
            digest = signing.password_of(tx, person.id) if person is not None and usable else None
            return throttle.waits(tx, name, address), None if person is None else str(person.id), digest

        wait, person, digest = await self._db.read(look)
        if wait > 0:
            raise TooMany(f"Too many sign-ins failed. Try again in {-(-wait // 1000)} s.", seconds=-(-wait // 1000))
        if len(password) > passwords.LONGEST or not await passwords.matches(digest, password) or person is None:
            await self._db.write(lambda tx: self._failed(tx, name, address, person))
            raise Unauthenticated("The name or the password is wrong.")
        await self._db.write(lambda tx: throttle.succeeded(tx, name, address))
        if len(self._right) > 10_000:
            self._right.clear()
        self._right[known] = (time.monotonic() + REMEMBERED_SECONDS, person)
        return person

    def _failed(self, tx: Tx, name: str, address: str, person: str | None) -> None:
        throttle.failed(tx, name, address)
        # Not the name as typed: people type passwords into the wrong field.
        about = {"user": person} if person else {"workspace": self._home()}
        data = {"method": "password", "known": person is not None}
        self._ledger.record(tx, SYSTEM, "login.failed", about, data, workspace=self._home())

    async def set_up(self, owner: str, name: str, password: str) -> None:
        """Gives the owner a name and a first password.

        Args:
            owner: whose one-time code was shown.
            name: what they want to be called.
            password: the first one.

        Raises:
            Conflict: somebody has a password already.
            InvalidInput: the name or the password will not do.
        """
        people.check_name(name)
        passwords.check(password, name)
        digest = await passwords.hashed(password)

        def work(tx: Tx) -> None:
            if signing.any_password(tx):
                raise Conflict("This server is set up already.", hint="Sign in, or ask an admin for an account.")
            other = store.principal_named(tx, name)
            if other is not None and other.id != owner:
                raise Conflict(f"There is a user {name!r} already.", hint="Choose another name.")
            store.change_principal(tx, owner, name=name)
            signing.set_password(tx, owner, digest)
            data = {"changed": ["name", "password"]}
            self._ledger.record(
                tx, SYSTEM, "user.updated", {"user": owner}, data, {"name": name}, workspace=self._home()
            )

        await self._db.write(work)
        self.forget()

    async def set_password(self, principal: Principal, person: str, password: str, current: str | None) -> None:
        """Sets one's own password, or as an admin of the installation somebody else's. Their other sessions end.

        Raises:
            NotFound: no such person.
            PermissionDenied: the current password is missing or wrong, or it is somebody else's account.
            InvalidInput: the password will not do.
        """
        own = principal.id == person
        if own and principal.scope is not None:
            raise PermissionDenied("A narrowed token can't change its owner's password.")
        if not own:
            self._authorizer.require_everywhere(principal, Permission.GRANT, what="somebody else's password")
        found = await self._db.read(lambda tx: store.principal_with_id(tx, person))
        if found is None or found.kind != "user":
            raise NotFound("There is no such person.", hint="`modelkeel users list` shows the ids with --json.")
        before = await self._db.read(lambda tx: signing.password_of(tx, person))
        if own and before is not None and not await passwords.matches(before, current or ""):
            raise PermissionDenied(
                "The current password is wrong.", hint="Whoever changes their own password gives it."
            )
        passwords.check(password, found.name)
        digest = await passwords.hashed(password)

        def work(tx: Tx) -> None:
            signing.set_password(tx, person, digest)
            ended = signing.drop_sessions(tx, person, but=principal.session)
            data = {"changed": ["password"], "sessions_ended": len(ended)}
            self._ledger.record(tx, principal, "user.updated", {"user": person}, data)

        await self._db.write(work)
        self.forget()

    async def set_disabled(self, principal: Principal, person: str, disabled: bool) -> None:
        """Closes an account everywhere, or opens it again: its tokens and sessions end at once.

        Raises:
            Conflict: nobody would be left who keeps the installation.
            NotFound: no such user.
            PermissionDenied: the caller is no admin of the installation.
        """
        self._authorizer.require_everywhere(principal, Permission.GRANT, what="accounts")

        def work(tx: Tx) -> None:
            found = store.principal_with_id(tx, person)
            if found is None:
                raise NotFound("There is no such user.")
            if disabled == (found.disabled is not None):
                return
            if disabled and access.holders(tx, INSTALLATION, Role.ADMIN) == [person]:
                raise Conflict(
                    "The last admin of the installation can't be closed.", hint="Make somebody else one first."
                )
            store.change_principal(tx, person, disabled=tx.now if disabled else None)
            if disabled:
                signing.drop_sessions(tx, person)
            kind = "user.disabled" if disabled else "user.enabled"
            self._ledger.record(tx, principal, kind, {"user": person})

        await self._db.write(work)
        self.forget()

    def forget(self) -> None:
        """Nothing that was right before is remembered."""
        self._right.clear()
        self._forget()


async def first_password(password: str | None, name: str) -> str | None:
    """The hash of a first password; None where none is given.

    Raises:
        InvalidInput: it will not do.
    """
    if password is None:
        return None
    passwords.check(password, name)
    return await passwords.hashed(password)
