"""The principal behind a token, a session or an account: one rule for all three."""

from collections.abc import Iterable
from dataclasses import replace

from modelkeel.core.access import INSTALLATION, PERMISSIONS, Permission, Principal, Role
from modelkeel.core.errors import NotFound, Unauthenticated
from modelkeel.identity import grants, store
from modelkeel.identity import store_access as access
from modelkeel.identity import store_sign_in as signing
from modelkeel.storage.transaction import Tx

DEFAULT_WORKSPACE = "default"
EVERYWHERE = "*"
IDLE_MS = 12 * 3_600_000
_UNKNOWN_TOKEN = "This token is unknown, expired or revoked."  # noqa: S105 - a message


def by_token(tx: Tx, digest: str, workspace: str | None) -> Principal:
    """The principal behind the hash of a token, in a named workspace or the token's own.

    Raises:
        Unauthenticated: the token is unknown, expired or revoked, or its owner's account is closed.
        NotFound: no such workspace, or no role in it, or the token is of another one.
    """
    found = store.token_hashed(tx, digest)
    if found is None or found.revoked is not None or (found.expires is not None and found.expires <= tx.now):
        raise Unauthenticated(_UNKNOWN_TOKEN, hint="Mint another with `modelkeel token new`.")
    bound = "" if found.workspace == EVERYWHERE else str(found.workspace)
    here = _asking(tx, found.principal, workspace, bound)
    if bound:  # an admin of that workspace may have minted it: it carries nothing from above
        here = replace(here, installation=frozenset())
    if found.permissions == "*":
        return replace(here, until=found.expires, unbound=not bound)
    scope = frozenset(Permission(name) for name in found.permissions.split())
    return replace(
        here,
        permissions=here.permissions & scope,
        grants=grants.narrowed(here.grants, scope),
        installation=frozenset(),
        scope=scope,
        until=found.expires,
        unbound=not bound,
    )


def by_session(tx: Tx, digest: str, workspace: str | None) -> Principal:
    """The principal behind the hash of a session's secret; raises as `by_token`."""
    found = signing.session_hashed(tx, digest)
    if found is None or min(found.expires, found.seen + IDLE_MS) <= tx.now:
        raise Unauthenticated("This session has ended.", hint="Sign in again.")
    here = _asking(tx, found.principal, workspace)
    return replace(here, session=str(found.id), until=found.expires, unbound=True)


def by_account(tx: Tx, person: str, workspace: str | None) -> Principal:
    """Somebody whose password was right; raises as `by_token`."""
    return replace(_asking(tx, person, workspace), unbound=True)


def _asking(tx: Tx, person: str, named: str | None, bound: str = "") -> Principal:
    """Somebody with all they hold in one workspace: the named one, the one they are bound to, or their first."""
    found = store.principal_with_id(tx, person)
    if found is None or found.disabled is not None:
        raise Unauthenticated("This account is closed.", hint="Ask an admin of the installation.")
    above = permissions([Role(role) for role in store.roles_of(tx, INSTALLATION, [person])])
    at = _place(tx, person, named, bound, fallback=bool(above))
    groups, granted = grants.load(tx, at, person)
    held = permissions([Role(role) for role in store.roles_of(tx, at, [person, *groups])])
    only_above = above and at and not bound  # may do nothing in the workspace, but something above it
    if not held and not only_above and not any(some.allowed for some in granted.values()):
        raise NotFound(
            f"There is no workspace {named!r} in which you have a role."
            if named
            else "There is no workspace in which you have a role.",
            hint="Ask an admin for one; `modelkeel login` says who you are.",
        )
    return Principal(person, found.name, found.kind, at, held, granted, groups, above)


def _place(tx: Tx, person: str, named: str | None, bound: str, *, fallback: bool) -> str:
    """The id of the workspace that is meant; empty where there is none.

    With `fallback`, whoever has a role in none, but one above them, asks in the default one.
    """
    if named is not None:
        row = store.workspace_named(tx, named)
        return str(row.id) if row is not None and bound in {"", row.id} else ""
    if bound:
        return bound
    places = access.workspaces_of(tx, person)
    if fallback and not places:
        places = [row for row in store.workspaces(tx) if row.name == DEFAULT_WORKSPACE]
    return next((str(row.id) for row in places if row.name == DEFAULT_WORKSPACE), str(places[0].id) if places else "")


def permissions(roles: Iterable[Role]) -> frozenset[Permission]:
    """What some roles allow together."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def belongs(tx: Tx, workspace: str, person: str) -> bool:
    """Whether somebody has a role or a grant in a workspace, perhaps through a group."""
    groups, granted = grants.load(tx, workspace, person)
    return bool(granted) or bool(store.roles_of(tx, workspace, [person, *groups]))
