"""Adding somebody, within the caller's transaction: used wherever an account comes to be."""

from collections.abc import Iterable

from modelkeel.core.access import Principal, Role
from modelkeel.core.errors import AlreadyExists, InvalidInput
from modelkeel.core.ids import uuid7
from modelkeel.identity import store
from modelkeel.ledger.service import Ledger
from modelkeel.storage.transaction import Tx

RESERVED = frozenset({"anonymous", "system"})


def check_name(name: str, kind: str = "user") -> None:
    """Returns if an account may have this name.

    Raises:
        InvalidInput: it may not.
    """
    if not 1 <= len(name) <= 100 or name != name.strip() or not name.isprintable() or ":" in name:
        raise InvalidInput(
            "A user needs a name of 1 to 100 printable characters, without colons or blanks at its ends.",
            hint="The colon separates name and password in HTTP's basic scheme (RFC 7617).",
        )
    if name.casefold() in RESERVED:
        raise InvalidInput(f"The name {name!r} is kept for callers without a token and for the server itself.")
    if kind not in {"user", "service"}:
        raise InvalidInput("A user has the kind `user` or `service`.")


def add(
    ledger: Ledger, tx: Tx, by: Principal, workspace: str, name: str, kind: str = "user", roles: Iterable[Role] = ()
) -> str:
    """Adds a person, or a service account of a workspace, with roles there. Returns the id.

    Raises:
        AlreadyExists: the name is taken.
        InvalidInput: it can't be an account's name.
    """
    check_name(name, kind)
    if store.principal_named(tx, name, workspace) is not None:
        raise AlreadyExists(
            f"There is a user {name!r} already.",
            hint=f"Choose another name, or give them a role here: modelkeel users role {name} ROLE",
        )
    identity = uuid7(tx.now)
    store.add_principal(tx, identity, name, kind, workspace if kind == "service" else "")
    about = {"user": identity}
    ledger.record(tx, by, "user.created", about, {"kind": kind}, {"name": name}, workspace=workspace)
    for role in roles:
        if store.grant(tx, workspace, identity, role):
            ledger.record(tx, by, "role.granted", about, {"role": role}, workspace=workspace)
    return identity
