"""`modelkeel workspaces`: where experiments, models and endpoints live together."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api

workspaces = App(name="workspaces", help="Workspaces, each with its own roles.")


@workspaces.command(name="list")
def list_all(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List the workspaces that are open to you.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found, here = api.get("/api/v1/workspaces"), api.get("/api/v1/me")["workspace"]["id"]
    if json:
        print_json(found)
        return
    for one in found:
        Console().print(f"{'*' if one['id'] == here else ' '} {one['name']}", highlight=False)


@workspaces.command
def create(name: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Make a workspace; you are its first admin. Takes an admin of the installation.

    Examples:
        modelkeel workspaces create fraud
        MODELKEEL_WORKSPACE=fraud modelkeel users role vera maintainer

    Parameters
    ----------
    name
        Lower-case letters, digits and hyphens: it is part of addresses.
    json
        Print the workspace as JSON.
    """
    with Api.from_environment() as api:
        found = api.post("/api/v1/workspaces", {"name": name})
    print_json(found) if json else Console().print(f"Workspace {found['name']} is there.", highlight=False)
