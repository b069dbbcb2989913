"""Users and tokens as others read them."""

import msgspec

from modelkeel.core.access import Role

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
