"""Workspaces: made by an admin of the installation, listed for whoever has a role in them."""

import re
from collections.abc import Callable

from modelkeel.core.access import Authorizer, Permission, Principal, Role
from modelkeel.core.errors import AlreadyExists, InvalidInput
from modelkeel.core.ids import uuid7
from modelkeel.identity import store
from modelkeel.identity import store_access as access
from modelkeel.identity.models import Workspace
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # it stands in prediction addresses


class Workspaces:
    """The workspaces of an installation.

    Args:
        database: holds them.
        ledger: gets an entry for each new one.
        authorizer: decides who may make one.
        forget: called after a change, so that cached principals are loaded anew.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, forget: Callable[[], None]) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._forget = forget

    async def list(self, principal: Principal) -> list[Workspace]:
        """Those in which the caller has a role or a grant; all of them for its admins and auditors."""

        def work(tx: Tx) -> list[Workspace]:
            if principal.installation & {Permission.GRANT, Permission.AUDIT}:
                rows = store.workspaces(tx)
            else:
                rows = access.workspaces_of(tx, principal.id)
            here = [row for row in rows if principal.unbound or row.id == principal.workspace]
            return [Workspace(row.id, row.name) for row in here]

        return await self._db.read(work)

    async def create(self, principal: Principal, name: str) -> Workspace:
        """Makes a workspace; whoever makes it is its first admin.

        Raises:
            AlreadyExists: the name is taken.
            InvalidInput: it can't be a workspace's name.
            PermissionDenied: the caller is no admin of the installation.
        """
        self._authorizer.require_everywhere(principal, Permission.GRANT, what="workspaces")
        if NAME.fullmatch(name) is None:
            raise InvalidInput(
                "A workspace's name has 1 to 63 lower-case letters, digits and hyphens.",
                hint="It is part of addresses, as in /fraud/churn/predict.",
            )

        def work(tx: Tx) -> Workspace:
            if store.workspace_named(tx, name) is not None:
                raise AlreadyExists(f"There is a workspace {name!r} already.")
            at = uuid7(tx.now)
            store.add_workspace(tx, at, name)
            self._ledger.record(
                tx, principal, "workspace.created", {"workspace": at}, texts={"name": name}, workspace=at
            )
            store.grant(tx, at, principal.id, Role.ADMIN)
            about = {"user": principal.id}
            self._ledger.record(tx, principal, "role.granted", about, {"role": Role.ADMIN}, workspace=at)
            return Workspace(at, name)

        made = await self._db.write(work)
        self._forget()
        return made
