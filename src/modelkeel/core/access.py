"""Who asks, and what they may do: the words that every slice shares. `identity` decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Permission(StrEnum):
    """What a principal may do in a workspace."""

    READ = "read"
    TRACK = "track"
    REGISTER = "register"
    PROMOTE = "promote"
    APPROVE = "approve"
    DEPLOY = "deploy"
    PREDICT = "predict"
    MONITOR = "monitor"
    POLICY = "policy"
    GRANT = "grant"
    AUDIT = "audit"
    INTERNAL = "internal"


class Role(StrEnum):
    """A named set of permissions."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    MAINTAINER = "maintainer"
    APPROVER = "approver"
    ADMIN = "admin"
    AUDITOR = "auditor"


_VIEW = frozenset({Permission.READ})
_TRACK = _VIEW | {Permission.TRACK, Permission.REGISTER}
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEW,
    Role.CONTRIBUTOR: _TRACK,
    Role.MAINTAINER: _TRACK
    | {
        Permission.PROMOTE,
        Permission.DEPLOY,
        Permission.PREDICT,
        Permission.MONITOR,
        Permission.POLICY,
        Permission.AUDIT,
    },
    Role.APPROVER: _VIEW | {Permission.APPROVE, Permission.AUDIT},
    Role.ADMIN: frozenset(Permission) - {Permission.INTERNAL},
    Role.AUDITOR: _VIEW | {Permission.AUDIT},
}


INSTALLATION = "installation"
"""In place of a workspace's id: a role held above all workspaces. Its `admin` makes workspaces and keeps accounts."""


class Kind(StrEnum):
    """On what something may be granted or denied.

    What hangs below follows it: runs and their artifacts below experiments, versions below models, predictions,
    alerts and rollouts below endpoints.
    """

    EXPERIMENT = "experiment"
    MODEL = "model"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class Object:
    """One experiment, registered model or endpoint, by the opaque id that stands in ledger entries."""

    kind: Kind
    id: str


_NOTHING: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Grants:
    """What somebody was granted and denied on objects of one kind.

    Attributes:
        allowed: permissions by the object's id.
        denied: the same.
        hidden: ids of the objects of which `read` is denied. Found once, as every list and search asks for it.
        shown: ids of the others of which `read` is granted.
    """

    allowed: Mapping[str, frozenset[Permission]] = field(default_factory=dict)
    denied: Mapping[str, frozenset[Permission]] = field(default_factory=dict)
    hidden: frozenset[str] = field(init=False, compare=False)
    shown: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        hidden = frozenset(at for at, some in self.denied.items() if Permission.READ in some)
        shown = frozenset(at for at, some in self.allowed.items() if Permission.READ in some) - hidden
        object.__setattr__(self, "hidden", hidden)
        object.__setattr__(self, "shown", shown)


@dataclass(frozen=True, slots=True)
class Visible:
    """Which objects of a kind somebody may read; a store makes a WHERE clause of it.

    Attributes:
        shown: only these; None: all but `hidden`.
        hidden: never these.
    """

    shown: frozenset[str] | None = None
    hidden: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether nothing is kept back, so that no clause is needed."""
        return self.shown is None and not self.hidden

    def __contains__(self, identity: str) -> bool:
        return identity not in self.hidden and (self.shown is None or identity in self.shown)


EVERYTHING = Visible()


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks, in one workspace.

    Attributes:
        id: opaque and stable; it stands in ledger entries.
        name: what people call them; never in a ledger entry.
        kind: `user`, `service` (acts for a trigger or a child process) or `anonymous` (tokenless loopback).
        workspace: id of the workspace in which they ask.
        permissions: what they may do there by their roles, within their token's scope.
        grants: what they were granted and denied on single objects, by themselves or through a group.
        groups: ids of the groups that they are in.
        installation: what they may do in the installation as a whole, above its workspaces.
        scope: to what their token narrows everything; None: to nothing less than they hold.
        until: when their token ends, in ms since 1970; None: never.
        unbound: whether what they showed is good in each of their workspaces, not in this one only.
        session: id of the page's session by which they ask; empty: none.
    """

    id: str
    name: str
    kind: str
    workspace: str
    permissions: frozenset[Permission]
    grants: Mapping[Kind, Grants] = field(default_factory=dict, hash=False)
    groups: frozenset[str] = frozenset()
    installation: frozenset[Permission] = frozenset()
    scope: frozenset[Permission] | None = None
    until: int | None = None
    unbound: bool = False
    session: str = ""

    def may(self, permission: Permission, on: Object | Kind | None = None) -> bool:
        """Whether the principal holds `permission`.

        A denial beats everything, then a role counts, then a grant. Whoever is denied `read` of an object may do
        nothing with it.

        Args:
            permission: what for.
            on: one object; a kind: at least one object of it; None: the workspace as a whole.
        """
        if on is None:
            return permission in self.permissions
        held = self.grants.get(on if isinstance(on, Kind) else on.kind)
        if held is None:
            return permission in self.permissions
        if isinstance(on, Kind):
            return permission in self.permissions or any(permission in some for some in held.allowed.values())
        denied = held.denied.get(on.id, _NOTHING)
        if permission in denied or Permission.READ in denied:
            return False
        return permission in self.permissions or permission in held.allowed.get(on.id, _NOTHING)

    def sees(self, kind: Kind) -> Visible:
        """Which objects of a kind the principal may read."""
        held = self.grants.get(kind)
        everywhere = Permission.READ in self.permissions
        if held is None:
            return EVERYTHING if everywhere else Visible(frozenset())
        return Visible(None, held.hidden) if everywhere else Visible(held.shown)


class Authorizer(Protocol):
    """Decides whether a principal may do something; `identity` implements it."""

    def require(
        self, principal: Principal, permission: Permission, *, what: str = "", on: Object | Kind | None = None
    ) -> None:
        """Returns if allowed.

        Args:
            principal: who asks.
            permission: what for.
            what: the object in words, for the error message.
            on: the object; a kind: at least one object of it; None: the workspace as a whole.

        Raises:
            NotFound: the principal may not even read the object.
            PermissionDenied: the principal lacks the permission.
        """

    def require_everywhere(self, principal: Principal, permission: Permission, *, what: str = "") -> None:
        """Returns if the principal holds `permission` in the installation as a whole.

        Raises:
            PermissionDenied: the principal does not.
        """

    def visible(self, principal: Principal, kind: Kind) -> Visible:
        """Which objects of a kind the principal may read; lists and searches filter by it in their query."""
