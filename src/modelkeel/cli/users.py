"""`modelkeel users`, `modelkeel token`: who may do what."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.access import Role
from modelkeel.sdk.api import Api

users = App(name="users", help="People and service accounts of the workspace.")
token = App(name="token", help="API tokens.")


@users.command
def add(
    name: str,
    *,
    role: tuple[Role, ...] = (Role.CONTRIBUTOR,),
    service: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Add a user.

    Examples:
        modelkeel users add vera --role approver

    Parameters
    ----------
    name
        What people call them; unique.
    role
        viewer, contributor, maintainer, approver, auditor or admin; may be given several times.
    service
        A service account: it never approves.
    json
        Print the user as JSON.
    """
    body = {"name": name, "roles": list(role), "kind": "service" if service else "user"}
    with Api.from_environment() as api:
        found = api.post("/api/v1/users", body)
    if json:
        print_json(found)
    else:
        Console().print(f"{found['name']}: {', '.join(found['roles'])}", highlight=False)


@users.command(name="list")
def list_all(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
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
        table.add_row(user["name"], user["kind"], ", ".join(user["roles"]))
    Console().print(table)


@token.command
def new(name: str, *, seconds: int | None = None, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Mint a token of a user. It is shown once; only its hash is stored.

    Examples:
        export MODELKEEL_TOKEN=$(modelkeel token new vera)

    Parameters
    ----------
    name
        Of the user.
    seconds
        Until it expires; by default it does not.
    json
        Print the token with its id as JSON.
    """
    with Api.from_environment() as api:
        found = api.post("/api/v1/tokens", {"user": name, "seconds": seconds})
    print_json(found) if json else print(found["secret"])
