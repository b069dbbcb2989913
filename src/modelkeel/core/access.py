"""Who asks, and what they may do: the words that every slice shares. `identity` decides."""

from dataclasses import dataclass
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
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks, in one workspace.

    Attributes:
        id: opaque and stable; it stands in ledger entries.
        name: what people call them; never in a ledger entry.
        kind: `user`, `service` (acts for a trigger or a child process) or `anonymous` (tokenless loopback).
        workspace: id of the workspace in which they ask.
        permissions: what they may do there.
    """

    id: str
    name: str
    kind: str
    workspace: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Whether the principal holds `permission` in its workspace."""
        return permission in self.permissions


class Authorizer(Protocol):
    """Decides whether a principal may do something; `identity` implements it."""

    def require(self, principal: Principal, permission: Permission, *, what: str = "") -> None:
        """Returns if allowed.

        Args:
            principal: who asks.
            permission: what for.
            what: the object in words, for the error message.

        Raises:
            PermissionDenied: the principal lacks the permission.
        """
