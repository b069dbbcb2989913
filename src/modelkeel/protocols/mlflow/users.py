"""The calls of MLflow's auth client: people, roles and permissions, as our identity has them.

MLflow's levels are sets of our permissions: READ is `read`; EDIT adds `track` of an experiment, `register` of a model;
MANAGE adds `promote` of a model. NO_PERMISSIONS is a denial. Who may grant stays a matter of roles.
"""

from collections.abc import Sequence

import msgspec
from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import PERMISSIONS, Kind, Object, Permission, Principal, Role
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.identity.grants import Access, NewGrant
from modelkeel.identity.models import NewUser, User
from modelkeel.identity.service import Identity
from modelkeel.protocols.mlflow.endpoint import Nothing, endpoint, require
from modelkeel.registry.service import Registry
from modelkeel.tracking.service import Tracking

_NEW = ("3.0",)
_READ, _TRACK, _REGISTER = Permission.READ, Permission.TRACK, Permission.REGISTER
LEVELS: dict[Kind, dict[str, frozenset[Permission]]] = {
    Kind.EXPERIMENT: {
        "READ": frozenset({_READ}),
        "EDIT": frozenset({_READ, _TRACK}),
        "MANAGE": frozenset({_READ, _TRACK}),
    },
    Kind.MODEL: {
        "READ": frozenset({_READ}),
        "EDIT": frozenset({_READ, _REGISTER}),
        "MANAGE": frozenset({_READ, _REGISTER, Permission.PROMOTE}),
    },
}
NOTHING = "NO_PERMISSIONS"
_KINDS = {"experiment": Kind.EXPERIMENT, "registered_model": Kind.MODEL, "prompt": Kind.MODEL}
_ROLES = list(Role)


class NewPerson(msgspec.Struct):
    """A new person."""

    username: str = ""
    password: str = ""


class Username(msgspec.Struct):
    """One person."""

    username: str = ""


class NewPassword(msgspec.Struct):
    """Another password; whoever changes their own gives the current one."""

    username: str = ""
    password: str = ""
    current_password: str | None = None


class AdminFlag(msgspec.Struct):
    """Whether somebody is an admin of the workspace."""

    username: str = ""
    is_admin: bool = False


class OnResource(msgspec.Struct):
    """Somebody's permission on one thing."""

    username: str = ""
    resource_type: str = ""
    resource_id: str = ""
    permission: str = ""


class RoleOf(msgspec.Struct):
    """A role, and perhaps who has it."""

    role_id: int = 0
    username: str = ""


class Person(msgspec.Struct):
    """A person on the wire."""

    id: str
    username: str
    is_admin: bool


class OnePerson(msgspec.Struct):
    """An answer."""

    user: Person


class ManyPeople(msgspec.Struct):
    """All of the workspace."""

    users: list[Person]


class RoleShown(msgspec.Struct):
    """A role; its id is its place among ours, from one."""

    id: int
    name: str
    workspace: str
    description: str


class OneRole(msgspec.Struct):
    """An answer."""

    role: RoleShown


class ManyRoles(msgspec.Struct):
    """Roles."""

    roles: list[RoleShown]


class Assigned(msgspec.Struct):
    """That somebody has a role."""

    id: str
    user_id: str
    role_id: int


class OneAssigned(msgspec.Struct):
    """An answer."""

    assignment: Assigned


class ManyAssigned(msgspec.Struct):
    """Who has a role."""

    assignments: list[Assigned]


class Effective(msgspec.Struct):
    """What somebody may do with a thing, by roles, grants and denials together."""

    allowed: bool
    permission: str


def user_routes(identity: Identity, access: Access) -> list[HTTPRouteHandler]:
    """`/mlflow/users…` about people."""

    async def create(principal: Principal, asked: NewPerson) -> OnePerson:
        require(username=asked.username, password=asked.password)
        wanted = NewUser(asked.username, [Role.VIEWER], password=asked.password)
        return OnePerson(_person(await identity.create_user(principal, wanted)))

    async def get(principal: Principal, asked: Username) -> OnePerson:
        require(username=asked.username)
        return OnePerson(_person(await _named(identity, principal, asked.username)))

    async def current(principal: Principal, _asked: Nothing) -> OnePerson:
        return OnePerson(Person(principal.id, principal.name, principal.may(Permission.GRANT)))

    async def everybody(principal: Principal, _asked: Nothing) -> ManyPeople:
        found = await identity.users(principal)
        return ManyPeople([_person(user) for user in found if user.kind == "user" and not user.disabled])

    async def password(principal: Principal, asked: NewPassword) -> None:
        require(username=asked.username, password=asked.password)
        person = await _named(identity, principal, asked.username)
        await identity.accounts.set_password(principal, person.id, asked.password, asked.current_password)

    async def admin(principal: Principal, asked: AdminFlag) -> None:
        person = await _named(identity, principal, asked.username)
        await access.set_role(principal, person.id, Role.ADMIN, asked.is_admin)

    async def delete(principal: Principal, asked: Username) -> None:
        person = await _named(identity, principal, asked.username)
        await identity.accounts.set_disabled(principal, person.id, True)

    at = "/mlflow/users"
    return [
        endpoint("POST", f"{at}/create", NewPerson, create, writes="record"),
        endpoint("GET", f"{at}/get", Username, get),
        endpoint("GET", f"{at}/current", Nothing, current),
        endpoint("GET", f"{at}/list", Nothing, everybody),
        endpoint("PATCH", f"{at}/update-password", NewPassword, password, writes="record"),
        endpoint("PATCH", f"{at}/update-admin", AdminFlag, admin, writes="record"),
        endpoint("DELETE", f"{at}/delete", Username, delete, writes="record"),
    ]


def role_routes(identity: Identity, access: Access) -> list[HTTPRouteHandler]:
    """`/mlflow/roles…`: which there are, and who has them."""

    async def every(principal: Principal, _asked: Nothing) -> ManyRoles:
        await identity.users(principal)
        return ManyRoles([_role(principal, role) for role in _ROLES])

    async def get(principal: Principal, asked: RoleOf) -> OneRole:
        await identity.users(principal)
        return OneRole(_role(principal, _role_at(asked.role_id)))

    async def of_user(principal: Principal, asked: RoleOf) -> ManyRoles:
        person = await _named(identity, principal, asked.username)
        return ManyRoles([_role(principal, role) for role in person.roles])

    async def of_role(principal: Principal, asked: RoleOf) -> ManyAssigned:
        role = _role_at(asked.role_id)
        found = await identity.users(principal)
        return ManyAssigned([_assigned(user, role) for user in found if role in user.roles])

    async def assign(principal: Principal, asked: RoleOf) -> OneAssigned:
        role, person = _role_at(asked.role_id), await _named(identity, principal, asked.username)
        await access.set_role(principal, person.id, role, True)
        return OneAssigned(_assigned(person, role))

    async def unassign(principal: Principal, asked: RoleOf) -> None:
        role, person = _role_at(asked.role_id), await _named(identity, principal, asked.username)
        await access.set_role(principal, person.id, role, False)

    return [
        endpoint("GET", "/mlflow/roles/list", Nothing, every, versions=_NEW),
        endpoint("GET", "/mlflow/roles/get", RoleOf, get, versions=_NEW),
        endpoint("GET", "/mlflow/users/roles/list", RoleOf, of_user, versions=_NEW),
        endpoint("GET", "/mlflow/roles/users/list", RoleOf, of_role, versions=_NEW),
        endpoint("POST", "/mlflow/roles/assign", RoleOf, assign, writes="record", versions=_NEW),
        endpoint("DELETE", "/mlflow/roles/unassign", RoleOf, unassign, writes="record", versions=_NEW),
    ]


def permission_routes(
    identity: Identity, access: Access, tracking: Tracking, registry: Registry
) -> list[HTTPRouteHandler]:
    """`/mlflow/users/permissions…`: on one experiment or model."""

    async def place(principal: Principal, asked: OnResource) -> Object:
        require(username=asked.username, resource_type=asked.resource_type, resource_id=asked.resource_id)
        kind = _KINDS.get(asked.resource_type)
        if kind is None:
            raise InvalidInput(
                f"Permissions are kept on {', '.join(sorted(_KINDS))}, not on {asked.resource_type[:60]!r}.",
                hint="What lies below them follows them; for a whole workspace give a role.",
            )
        if asked.resource_id == "*":
            raise InvalidInput("A permission is on one thing.", hint="For all of them give a role.")
        if kind is Kind.EXPERIMENT:
            return Object(kind, (await tracking.experiment(principal, asked.resource_id)).id)
        return Object(kind, (await registry.model(principal, asked.resource_id)).id)

    async def grant(principal: Principal, asked: OnResource) -> None:
        on = await place(principal, asked)
        level = asked.permission.upper()
        if level != NOTHING and level not in LEVELS[on.kind]:
            known = ", ".join([*LEVELS[on.kind], NOTHING])
            raise InvalidInput(f"Invalid permission '{asked.permission[:60]}'. Valid permissions are: {known}")
        person = await _named(identity, principal, asked.username)
        if level == NOTHING:
            await access.put(principal, NewGrant(person.name, on.kind, on.id, [Permission.READ], "deny"))
            return
        await access.put(principal, NewGrant(person.name, on.kind, on.id, sorted(LEVELS[on.kind][level])))
        await access.remove(principal, NewGrant(person.name, on.kind, on.id, [], "deny"))

    async def revoke(principal: Principal, asked: OnResource) -> None:
        on, person = await place(principal, asked), await _named(identity, principal, asked.username)
        for effect in ("allow", "deny"):
            await access.remove(principal, NewGrant(person.name, on.kind, on.id, [], effect))

    async def get(principal: Principal, asked: OnResource) -> Effective:
        on = await place(principal, asked)
        level = level_of(await identity.somebody(principal, asked.username), on)
        return Effective(level != NOTHING, level)

    at = "/mlflow/users/permissions"
    return [
        endpoint("POST", f"{at}/grant", OnResource, grant, writes="record", versions=_NEW),
        endpoint("POST", f"{at}/revoke", OnResource, revoke, writes="record", versions=_NEW),
        endpoint("GET", f"{at}/get", OnResource, get, versions=_NEW),
    ]


def level_of(person: Principal, on: Object) -> str:
    """The highest of MLflow's levels that somebody holds on a thing; MANAGE of an experiment needs `grant`."""
    for name in reversed(LEVELS[on.kind]):
        grants = name != "MANAGE" or on.kind is Kind.MODEL or person.may(Permission.GRANT)
        if grants and all(person.may(permission, on) for permission in LEVELS[on.kind][name]):
            return name
    return NOTHING


async def _named(identity: Identity, principal: Principal, name: str) -> User:
    found = next((user for user in await identity.users(principal) if user.name == name and not user.disabled), None)
    if found is None:
        raise NotFound(f"User with username={name[:100]} not found")
    return found


def _person(user: User) -> Person:
    return Person(user.id, user.name, Role.ADMIN in user.roles)


def _role(principal: Principal, role: Role) -> RoleShown:
    may: Sequence[str] = sorted(PERMISSIONS[role])
    return RoleShown(_ROLES.index(role) + 1, role, principal.workspace, f"may {', '.join(may)}")


def _role_at(number: int) -> Role:
    if not 1 <= number <= len(_ROLES):
        raise NotFound(f"Role with id={number} not found", hint="`/mlflow/roles/list` lists them.")
    return _ROLES[number - 1]


def _assigned(user: User, role: Role) -> Assigned:
    return Assigned(f"{user.id}/{role}", user.id, _ROLES.index(role) + 1)
