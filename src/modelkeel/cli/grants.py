"""`modelkeel grant`, `deny`, `grants`, `groups`: who may do what with one experiment, model or endpoint."""

from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.access import Kind, Permission, Role
from modelkeel.sdk.api import Api

groups = App(name="groups", help="Groups of the workspace.")
Flag = Annotated[bool, Parameter(negative=())]


def grant(
    to: str,
    kind: Kind,
    identity: str,
    *permissions: Permission,
    group: Flag = False,
    remove: Flag = False,
    json: Flag = False,
) -> None:
    """Grant permissions on one object to a user, or to a group.

    Examples:
        modelkeel grant vera experiment 314159265358979323 read track
        modelkeel grant team model 0198a-… read --group

    Parameters
    ----------
    to
        The user's name, or the group's.
    kind
        experiment, model or endpoint.
    identity
        The object's id, as the ledger and the API show it.
    permissions
        What is granted; `read` always belongs to it.
    group
        `to` is a group.
    remove
        Take the grant back.
    json
        Print the grant as JSON.
    """
    _set(to, kind, identity, permissions or (Permission.READ,), "allow", group=group, remove=remove, json=json)


def deny(
    to: str,
    kind: Kind,
    identity: str,
    *permissions: Permission,
    group: Flag = False,
    remove: Flag = False,
    json: Flag = False,
) -> None:
    """Deny permissions on one object; a denial beats roles and grants. Without permissions: all, by denying `read`.

    Examples:
        modelkeel deny vera experiment 314159265358979323
        modelkeel deny interns endpoint 0198a-… deploy --group

    Parameters
    ----------
    to
        The user's name, or the group's; `anonymous` is the tokenless caller on this machine.
    kind
        experiment, model or endpoint.
    identity
        The object's id, as the ledger and the API show it.
    permissions
        What is denied.
    group
        `to` is a group.
    remove
        Take the denial back.
    json
        Print the denial as JSON.
    """
    _set(to, kind, identity, permissions or (Permission.READ,), "deny", group=group, remove=remove, json=json)


def grants(*, json: Flag = False) -> None:
    """List grants and denials: all for who may grant, else one's own.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/grants")
    if json:
        print_json(found)
        return
    table = Table("to", "kind", "id", "effect", "permissions")
    for row in found:
        table.add_row(row["name"], row["kind"], row["id"], row["effect"], ", ".join(row["permissions"]))
    Console().print(table)


@groups.command(name="list")
def list_all(*, json: Flag = False) -> None:
    """List groups with their members and roles.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/groups")
    if json:
        print_json(found)
        return
    table = Table("group", "members", "roles")
    for row in found:
        table.add_row(row["name"], ", ".join(row["members"]), ", ".join(row["roles"]))
    Console().print(table)


@groups.command
def add(group: str, user: str) -> None:
    """Put a user into a group, which is made where it is new.

    Parameters
    ----------
    group
        Its name.
    user
        The user's name.
    """
    _change(f"/api/v1/groups/{group}/members/{user}", True)


@groups.command
def remove(group: str, user: str) -> None:
    """Take a user out of a group.

    Parameters
    ----------
    group
        Its name.
    user
        The user's name.
    """
    _change(f"/api/v1/groups/{group}/members/{user}", False)


@groups.command
def role(group: str, role: Role, *, remove: Flag = False) -> None:
    """Give a role to everybody in a group.

    Parameters
    ----------
    group
        Its name.
    role
        The role.
    remove
        Take it back.
    """
    _change(f"/api/v1/groups/{group}/roles/{role}", not remove)


def _change(path: str, there: bool) -> None:
    with Api.from_environment() as api:
        if there:
            api.put(path)
        else:
            api.delete(path)


def _set(
    to: str,
    kind: Kind,
    identity: str,
    permissions: tuple[Permission, ...],
    effect: str,
    *,
    group: bool,
    remove: bool,
    json: bool,
) -> None:
    if remove:
        found: dict[str, Any] = {"to": to, "kind": str(kind), "id": identity, "effect": effect}
        with Api.from_environment() as api:
            api.delete("/api/v1/grants", {**found, "group": str(group).lower()})
        line = f"{to}: no {effect} on {kind} {identity} any more"
    else:
        body = {"to": to, "kind": kind, "id": identity, "permissions": list(permissions)}
        with Api.from_environment() as api:
            found = api.put("/api/v1/grants", {**body, "effect": effect, "group": group})
        line = f"{to}: {effect} {', '.join(found['permissions'])} on {kind} {identity}"
    print_json(found) if json else Console().print(line, highlight=False)
