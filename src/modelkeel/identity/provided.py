"""Who a provider's subject is here: an account made at the first sign-in, and the groups that the provider names."""

from collections.abc import Callable
from dataclasses import replace

from modelkeel.core.errors import TooMany, Unauthenticated
from modelkeel.identity import people, store, throttle
from modelkeel.identity import store_access as stored
from modelkeel.identity import store_sign_in as signing
from modelkeel.identity.grants import Access
from modelkeel.identity.oidc import Claimed
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx


class Provided:
    """Accounts of people whom a provider signs in.

    An account is never taken over by name: a local "ann" and the provider's "ann" are two people until an admin gives
    roles to the second.

    Args:
        database: holds them.
        ledger: gets an entry for each new account, each change of groups and each sign-in that failed.
        access: keeps the groups.
        forget: called after a sign-in, so that cached principals are loaded anew.
        home: id of the workspace in whose trail the entries about accounts stand.
    """

    def __init__(
        self, database: Database, ledger: Ledger, access: Access, forget: Callable[[], None], home: Callable[[], str]
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._access = access
        self._forget = forget
        self._home = home

    async def welcome(self, issuer: str, who: Claimed) -> str:
        """The id of the account of a provider's subject; it is then in just the groups that the provider named.

        Of those, the groups count that a workspace knows by the same name.

        Raises:
            Unauthenticated: the account was closed.
        """

        def work(tx: Tx) -> str:
            person = signing.person_of_subject(tx, issuer, who.subject)
            if person is None:
                person = people.add(self._ledger, tx, SYSTEM, self._home(), _free_name(tx, who))
                signing.add_subject(tx, issuer, who.subject, person)
            found = store.principal_with_id(tx, person)
            if found is None or found.disabled is not None:
                raise Unauthenticated("This account is closed.", hint="Ask an admin of the installation.")
            for workspace in store.workspace_names(tx):
                known = [row.name for row in stored.groups(tx, workspace) if row.name in who.groups]
                self._access.synchronise(tx, replace(SYSTEM, workspace=workspace), workspace, person, known)
            return person

        person = await self._db.write(work)
        self._forget()
        return person

    async def check(self, address: str) -> None:
        """Returns if another attempt from this address is due.

        Raises:
            TooMany: not yet.
        """
        wait = await self._db.read(lambda tx: throttle.waits(tx, None, address))
        if wait > 0:
            raise TooMany("Too many sign-ins failed.", seconds=-(-wait // 1000))

    async def failed(self, address: str) -> None:
        """Counts and records a sign-in that did not verify."""

        def work(tx: Tx) -> None:
            throttle.failed(tx, None, address)
            about = {"workspace": self._home()}
            self._ledger.record(tx, SYSTEM, "login.failed", about, {"method": "oidc"}, workspace=self._home())

        await self._db.write(work)


def _free_name(tx: Tx, who: Claimed) -> str:
    """What to call a new account: what the provider calls it, with a number where that name is taken."""
    wanted = "".join(c for c in who.name.replace(":", " ") if c.isprintable()).strip()[:80] or who.subject[:80]
    if wanted.casefold() in people.RESERVED:
        wanted = f"{wanted} (provider)"
    name, number = wanted, 2
    while store.principal_named(tx, name) is not None:
        name, number = f"{wanted} {number}", number + 1
    return name
