"""Users, workspaces, tokens and sessions as others read them."""

from dataclasses import dataclass, field

import msgspec

from modelkeel.core.access import Permission, Role

TOKEN_PREFIX = "mk_"  # noqa: S105 - a prefix by which scanners recognise our tokens, no secret
SESSION_PREFIX = "mks_"


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The provider, and what we are to it.

    Attributes:
        issuer: its address, as its discovery document says it.
        client_id: our id there.
        client_secret: ours; empty for a public client.
        name: what the sign-in button calls it.
        groups_claim: the claim that lists somebody's groups.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = "single sign-on"
    groups_claim: str = "groups"


class User(msgspec.Struct, frozen=True):
    """A person or service account, with its roles in the workspace asked for."""

    id: str
    name: str
    kind: str
    roles: list[Role]
    disabled: bool = False


class Workspace(msgspec.Struct, frozen=True):
    """Where experiments, models and endpoints live together, with roles of their own."""

    id: str
    name: str


class Me(msgspec.Struct, frozen=True):
    """Who the server takes the caller for.

    Attributes:
        workspace: where the caller asks; `workspaces` are all that are open to them.
        session_expires: when the page's session ends at the latest; None without one.
        installation: what the caller may do above the workspaces.
        password: whether the caller has a password here.
    """

    id: str
    name: str
    kind: str
    permissions: list[Permission]
    roles: list[Role]
    workspace: Workspace
    workspaces: list[Workspace]
    installation: list[Permission]
    session_expires: str | None
    password: bool


class MintedToken(msgspec.Struct, frozen=True):
    """A new token; its secret is shown once and stored only as a hash."""

    id: str
    secret: str
    user: str
    expires: str | None


class Token(msgspec.Struct, frozen=True):
    """A token, without its secret. `permissions` None: all that its user holds; `workspace` None: all of theirs."""

    id: str
    name: str
    user: str
    user_name: str
    permissions: list[Permission] | None
    workspace: str | None
    created: str
    expires: str | None
    last_used: str | None


class Session(msgspec.Struct, frozen=True):
    """A page that is signed in, without its secret."""

    id: str
    method: str
    created: str
    last_seen: str
    expires: str
    current: bool


class SignInWays(msgspec.Struct, frozen=True):
    """How one can sign in here.

    Attributes:
        setup: nobody has an account with a password yet: the first is made with the code that `up` prints.
        password: somebody has one.
        oidc: name of the sign-in provider; None without one.
        anonymous: whether programs on this machine may track without signing in.
    """

    setup: bool
    password: bool
    oidc: str | None
    anonymous: bool


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a user with some roles in the caller's workspace, perhaps with a first password."""

    name: str
    roles: list[Role]
    kind: str = "user"
    password: str | None = None


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for another password; whoever changes their own says the current one."""

    password: str
    current: str | None = None


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a token.

    Attributes:
        user: whose, by name; None: the caller's.
        seconds: until it expires; None: never.
        name: what it is for.
        permissions: what it is narrowed to; None: all that its user holds.
        everywhere: good in every workspace of the caller, not only in this one.
    """

    user: str | None = None
    seconds: int | None = None
    name: str = ""
    permissions: list[Permission] | None = None
    everywhere: bool = False


class NewWorkspace(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a workspace."""

    name: str


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Opens a session, by an account's name and password or by a one-time code."""

    name: str = ""
    password: str = ""
    code: str = ""


class Setup(msgspec.Struct, forbid_unknown_fields=True):
    """Makes the owner's account: its name and first password, with the code that `up` printed."""

    code: str
    name: str
    password: str
