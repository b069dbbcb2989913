"""Use cases of roles, groups, grants and denials. Each change takes effect within the cache's two seconds."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from modelkeel.core.access import INSTALLATION, Authorizer, Grants, Kind, Permission, Principal, Role
from modelkeel.core.errors import Conflict, InvalidInput, NotFound
from modelkeel.core.ids import uuid7
from modelkeel.identity import store
from modelkeel.identity import store_access as access
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

GRANTABLE = frozenset(Permission) - {Permission.GRANT, Permission.AUDIT, Permission.INTERNAL}


class Grant(msgspec.Struct, frozen=True):
    """Permissions on one object that somebody, or a group, was granted or denied."""

    subject: str
    name: str
    kind: Kind
    id: str
    effect: str
    permissions: list[Permission]


class NewGrant(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a grant, or with `effect` = `deny` for a denial. `to` is a user's name, or a group's with `group`."""

    to: str
    kind: Kind
    id: str
    permissions: list[Permission]
    effect: str = "allow"
    group: bool = False


class Group(msgspec.Struct, frozen=True):
    """A group with its members' names and the roles that it gives them."""

    id: str
    name: str
    members: list[str]
    roles: list[Role]


class Access:
    """Who holds which role, is in which group, and was granted or denied what.

    Args:
        database: holds all of it.
        ledger: gets an entry for every change.
        authorizer: decides who may change it.
        forget: called after a change, so that cached principals are loaded anew.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, forget: Callable[[], None]) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._forget = forget

    async def grants(self, principal: Principal, kind: Kind | None = None, identity: str | None = None) -> list[Grant]:
        """Grants and denials of the workspace: all for who may grant, else only one's own."""

        def work(tx: Tx) -> list[Grant]:
            rows = access.grants_on(tx, principal.workspace, kind, identity)
            if not principal.may(Permission.GRANT):
                mine = principal.groups | {principal.id}
                rows = [row for row in rows if row.subject in mine]
            names = {row.id: row.name for row in access.groups(tx, principal.workspace)}
            names |= store.principal_names(tx, [row.subject for row in rows])
            return [
                Grant(
                    r.subject, names.get(r.subject, r.subject), Kind(r.kind), r.object, r.effect, _held(r.permissions)
                )
                for r in rows
            ]

        return await self._db.read(work)

    async def put(self, principal: Principal, wanted: NewGrant) -> Grant:
        """Grants or denies permissions on one object, over what the same grant or denial said before."""
        self._authorizer.require(principal, Permission.GRANT, what="grants")
        _check(wanted)

        def work(tx: Tx) -> Grant:
            subject = self._subject(tx, principal, wanted.to, wanted.group)
            row = _key(principal, subject, wanted)
            held = sorted(set(wanted.permissions) | ({Permission.READ} if wanted.effect == "allow" else set()))
            text = " ".join(held)
            if access.grant_at(tx, row) != text:
                access.set_grant(tx, {**row, "permissions": text})
                about = {"group" if wanted.group else "user": subject, str(wanted.kind): wanted.id}
                data = {"effect": wanted.effect, "permissions": list(held)}
                self._ledger.record(tx, principal, "grant.set", about, data)
            return Grant(subject, wanted.to, wanted.kind, wanted.id, wanted.effect, list(held))

        done = await self._db.write(work)
        self._forget()
        return done

    async def remove(self, principal: Principal, wanted: NewGrant) -> None:
        """Takes a grant or denial back; one that is not there changes nothing."""
        self._authorizer.require(principal, Permission.GRANT, what="grants")

        def work(tx: Tx) -> None:
            subject = self._subject(tx, principal, wanted.to, wanted.group)
            if access.drop_grant(tx, _key(principal, subject, wanted)):
                about = {"group" if wanted.group else "user": subject, str(wanted.kind): wanted.id}
                self._ledger.record(tx, principal, "grant.removed", about, {"effect": wanted.effect})

        await self._db.write(work)
        self._forget()

    async def groups(self, principal: Principal) -> list[Group]:
        """The workspace's groups."""
        self._authorizer.require(principal, Permission.READ, what="groups")

        def work(tx: Tx) -> list[Group]:
            at = principal.workspace
            people, roles = access.members(tx, at), access.roles_of_groups(tx, at)
            return [
                Group(
                    row.id,
                    row.name,
                    [one.name for one in people if one.group == row.id],
                    [Role(one.role) for one in roles if one.principal == row.id],
                )
                for row in access.groups(tx, at)
            ]

        return await self._db.read(work)

    async def set_member(self, principal: Principal, group: str, user: str, inside: bool) -> None:
        """Puts a user into a group, which is made where it is new, or takes them out."""
        self._authorizer.require(principal, Permission.GRANT, what="groups")
        _check_group(group)

        def work(tx: Tx) -> None:
            person = self._subject(tx, principal, user, False)
            found = self._group(tx, principal, principal.workspace, group)
            if inside:
                self._join(tx, principal, principal.workspace, found, person, "hand")
            elif access.drop_member(tx, found, person):
                self._ledger.record(tx, principal, "group.left", {"group": found, "user": person})

        await self._db.write(work)
        self._forget()

    async def set_role(
        self, principal: Principal, subject: str, role: Role, held: bool, *, group: bool = False
    ) -> None:
        """Gives a role to a user (by id or name) or a group (by name), or takes it away.

        Raises:
            Conflict: nobody would be left who may grant.
        """
        self._authorizer.require(principal, Permission.GRANT, what="roles")

        def work(tx: Tx) -> None:
            at = principal.workspace
            found = self._group(tx, principal, at, subject) if group else self._subject(tx, principal, subject, False)
            about = {"group" if group else "user": found}
            if held:
                if store.grant(tx, at, found, role):
                    self._ledger.record(tx, principal, "role.granted", about, {"role": role})
                return
            if role is Role.ADMIN and access.holders(tx, at, role) == [found]:
                raise Conflict("The last admin can't lose this role.", hint="Make somebody else admin first.")
            if access.drop_role(tx, at, found, role):
                self._ledger.record(tx, principal, "role.revoked", about, {"role": role})

        await self._db.write(work)
        self._forget()

    async def set_installation_role(self, principal: Principal, user: str, role: Role, held: bool) -> None:
        """Makes a person an admin or an auditor of the installation, or takes that away.

        Raises:
            Conflict: nobody would be left who keeps the installation.
            InvalidInput: the role is none that is held above the workspaces.
            NotFound: there is no such person.
            PermissionDenied: the caller is no admin of the installation.
        """
        self._authorizer.require_everywhere(principal, Permission.GRANT, what="roles of the installation")
        if role not in {Role.ADMIN, Role.AUDITOR}:
            raise InvalidInput("The roles of the installation are `admin` and `auditor`.")

        def work(tx: Tx) -> None:
            found = store.principal_named(tx, user) or store.principal_with_id(tx, user)
            if found is None or found.kind != "user":
                raise NotFound(f"There is no person {user!r}.")
            about, data = {"user": str(found.id)}, {"role": role, "of": INSTALLATION}
            if held:
                if store.grant(tx, INSTALLATION, found.id, role):
                    self._ledger.record(tx, principal, "role.granted", about, data)
                return
            if role is Role.ADMIN and access.holders(tx, INSTALLATION, role) == [found.id]:
                raise Conflict("The last admin of the installation stays one.", hint="Make somebody else one first.")
            if access.drop_role(tx, INSTALLATION, found.id, role):
                self._ledger.record(tx, principal, "role.revoked", about, data)

        await self._db.write(work)
        self._forget()

    def synchronise(self, tx: Tx, by: Principal, workspace: str, person: str, names: Iterable[str]) -> None:
        """After sign-in by a provider: somebody is in just the groups it named, and in those given by hand.

        Runs in the caller's transaction; the caller forgets cached principals.
        """
        wanted = set(names)
        for identity, name in access.from_provider(tx, workspace, person).items():
            if name not in wanted:
                access.drop_member(tx, identity, person)
                about = {"group": identity, "user": person}
                self._ledger.record(tx, by, "group.left", about, workspace=workspace)
        for name in sorted(wanted):
            _check_group(name)
            self._join(tx, by, workspace, self._group(tx, by, workspace, name), person, "oidc")

    def _group(self, tx: Tx, by: Principal, workspace: str, name: str) -> str:
        _check_group(name)
        found = access.group_named(tx, workspace, name)
        if found is not None:
            return str(found.id)
        identity = uuid7(tx.now)
        access.add_group(tx, identity, workspace, name)
        self._ledger.record(tx, by, "group.created", {"group": identity}, {}, {"name": name}, workspace=workspace)
        return identity

    def _join(self, tx: Tx, by: Principal, workspace: str, group: str, person: str, source: str) -> None:
        if access.add_member(tx, group, person, source):
            about = {"group": group, "user": person}
            self._ledger.record(tx, by, "group.joined", about, {"source": source}, workspace=workspace)

    def _subject(self, tx: Tx, principal: Principal, name: str, group: bool) -> str:
        """The id of a group of the workspace, or of a user of the installation, by name or id."""
        if group:
            found = access.group_named(tx, principal.workspace, name)
        elif name == "anonymous":
            return name
        else:
            found = store.principal_named(tx, name, principal.workspace) or store.principal_with_id(tx, name)
            if found is not None and found.home not in {"", principal.workspace}:
                found = None  # another workspace's service account
        if found is None:
            raise NotFound(f"There is no {'group' if group else 'user'} {name!r}.")
        return str(found.id)


def load(tx: Tx, workspace: str, person: str) -> tuple[frozenset[str], dict[Kind, Grants]]:
    """Somebody's groups, and what they were granted and denied by themselves or through a group."""
    groups = frozenset(access.groups_of(tx, workspace, person))
    allowed: dict[Kind, dict[str, frozenset[Permission]]] = {}
    denied: dict[Kind, dict[str, frozenset[Permission]]] = {}
    for row in access.grants_to(tx, workspace, [person, *sorted(groups)]):
        of_kind = (allowed if row.effect == "allow" else denied).setdefault(Kind(row.kind), {})
        of_kind[row.object] = of_kind.get(row.object, frozenset()) | frozenset(_held(row.permissions))
    return groups, {kind: Grants(allowed.get(kind, {}), denied.get(kind, {})) for kind in allowed | denied}


def narrowed(grants: Mapping[Kind, Grants], scope: frozenset[Permission]) -> dict[Kind, Grants]:
    """Grants within a token's scope; denials stay whole."""
    return {
        kind: Grants({at: some & scope for at, some in held.allowed.items()}, held.denied)
        for kind, held in grants.items()
    }


def _held(text: str) -> list[Permission]:
    return [Permission(name) for name in text.split()]


def _key(principal: Principal, subject: str, wanted: NewGrant) -> dict[str, Any]:
    at = {"workspace": principal.workspace, "subject": subject, "kind": str(wanted.kind)}
    return {**at, "object": wanted.id, "effect": wanted.effect}


def _check(wanted: NewGrant) -> None:
    if wanted.effect not in {"allow", "deny"}:
        raise InvalidInput("A grant's effect is `allow` or `deny`.")
    if not wanted.id or len(wanted.id) > 100:
        raise InvalidInput("A grant needs the id of an experiment, a registered model or an endpoint.")
    if not wanted.permissions or not GRANTABLE.issuperset(wanted.permissions):
        raise InvalidInput(f"On single objects one grants some of: {', '.join(sorted(GRANTABLE))}.")


def _check_group(name: str) -> None:
    if not name or len(name) > 100:
        raise InvalidInput("A group needs a name of 1 to 100 characters.")
