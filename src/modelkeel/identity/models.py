"""Users and tokens as others read them, and the rule that decides who may do what."""

import msgspec

from modelkeel.core.access import Permission, Principal, Role
from modelkeel.core.errors import PermissionDenied

TOKEN_PREFIX = "mk_"  # noqa: S105 - a prefix by which scanners recognise our tokens, no secret


class User(msgspec.Struct, frozen=True):
    """A person or service account, with its roles in the workspace asked for."""

    id: str
    name: str
    kind: str
    roles: list[Role]


class MintedToken(msgspec.Struct, frozen=True):
    """A new token; its secret is shown once and stored only as a hash."""

    id: str
    secret: str
    user: str
    expires: str | None


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a user with some roles in the caller's workspace."""

    name: str
    roles: list[Role]
    kind: str = "user"


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a token of a user; `seconds` until it expires, none: never."""

    user: str
    seconds: int | None = None


class RoleAuthorizer:
    """Allows what the principal's roles and its token's scope allow."""

    def require(self, principal: Principal, permission: Permission, *, what: str = "") -> None:
        if not principal.may(permission):
            who = "A caller without a token" if principal.kind == "anonymous" else principal.name
            raise PermissionDenied(
                f"{who} lacks the permission `{permission}`{f' for {what}' if what else ''}.",
                hint="Ask a workspace admin for a role that has it, or use another token (MODELKEEL_TOKEN).",
            )
