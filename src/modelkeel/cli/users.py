"""`modelkeel users`: who is in the workspace, and their accounts."""

import sys
from getpass import getpass
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.access import Role
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.sdk.api import Api

users = App(name="users", help="People and service accounts of the workspace.")
Flag = Parameter(negative=())


@users.command
def add(
    name: str,
    *,
    role: tuple[Role, ...] = (Role.CONTRIBUTOR,),
    service: Annotated[bool, Flag] = False,
    password: Annotated[bool, Flag] = False,
    json: Annotated[bool, Flag] = False,
) -> None:
    """Add a user.

    Examples:
        modelkeel users add vera --role approver
        modelkeel users add vera --password

    Parameters
    ----------
    name
        What people call them; unique.
    role
        viewer, contributor, maintainer, approver, auditor or admin; may be given several times.
    service
        A service account: it never approves, has no password, and belongs to this workspace.
    password
        Ask for a first password, or read it from standard input, so that they can sign in at the page.
    json
        Print the user as JSON.
    """
    body = {"name": name, "roles": list(role), "kind": "service" if service else "user"}
    if password:
        body["password"] = _ask(f"Password of {name}: ")
    with Api.from_environment() as api:
        found = api.post("/api/v1/users", body)
    if json:
        print_json(found)
    else:
        Console().print(f"{found['name']}: {', '.join(found['roles'])}", highlight=False)


@users.command(name="list")
def list_all(*, json: Annotated[bool, Flag] = False) -> None:
    """List the users of the workspace.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/users")
    if json:
        print_json(found)
        return
    table = Table()
    for column in ("name", "kind", "roles"):
        table.add_column(column)
    for user in found:
        closed = " (closed)" if user["disabled"] else ""
        table.add_row(user["name"] + closed, user["kind"], ", ".join(user["roles"]))
    Console().print(table)


@users.command
def password(name: str | None = None) -> None:
    """Set your password, or as an admin of the installation somebody else's. Their other sessions end.

    Examples:
        modelkeel users password
        modelkeel users password vera

    Parameters
    ----------
    name
        Whose; yours by default.
    """
    with Api.from_environment() as api:
        me = api.get("/api/v1/me")
        own = name is None or name == me["name"]
        person = me["id"] if own else _named(api, str(name))["id"]
        body = {"current": _ask("Current password: ")} if own and me["password"] else {}
        body["password"] = _ask("New password: ")
        api.put(f"/api/v1/users/{person}/password", body)
    Console().print("The password is set.")


@users.command
def close(name: str) -> None:
    """Close an account everywhere: its tokens and sessions end at once.

    Parameters
    ----------
    name
        Whose.
    """
    with Api.from_environment() as api:
        api.put(f"/api/v1/users/{_named(api, name)['id']}/disabled")
    Console().print(f"{name}'s account is closed.", highlight=False)


@users.command
def reopen(name: str) -> None:
    """Open a closed account again, with the roles and tokens that it had.

    Parameters
    ----------
    name
        Whose.
    """
    with Api.from_environment() as api:
        api.delete(f"/api/v1/users/{_named(api, name)['id']}/disabled")
    Console().print(f"{name}'s account is open.", highlight=False)


@users.command
def role(
    name: str,
    role: Role,
    *,
    installation: Annotated[bool, Flag] = False,
    remove: Annotated[bool, Flag] = False,
) -> None:
    """Give somebody a role in the workspace, or take it away.

    Examples:
        modelkeel users role vera approver
        modelkeel users role vera approver --remove
        modelkeel users role vera auditor --installation

    Parameters
    ----------
    name
        Whose; anybody of the installation may be given a role here.
    role
        viewer, contributor, maintainer, approver, auditor or admin.
    installation
        Above all workspaces: an admin makes workspaces and keeps accounts, an auditor reads every ledger.
    remove
        Take it away.
    """
    with Api.from_environment() as api:
        path = f"/api/v1/{'installation/' if installation else ''}users/{name}/roles/{role}"
        api.delete(path) if remove else api.put(path)
    Console().print(f"{name} {'is no longer' if remove else 'is'} {role}.", highlight=False)


def _named(api: Api, name: str) -> dict[str, Any]:
    for user in api.get("/api/v1/users"):
        if user["name"] == name:
            return dict(user)
    raise NotFound(f"There is no user {name!r} in this workspace.", hint="`modelkeel users list` shows them.")


def _ask(prompt: str) -> str:
    """A password: typed unseen, or a line of standard input. Never an argument, which others could see."""
    given = getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not given:
        raise InvalidInput("No password was given.", hint="Type it, or pipe it in.")
    return given
