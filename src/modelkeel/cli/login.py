"""`modelkeel login`: which server commands talk to, and as whom."""

import os
from typing import Annotated

from cyclopts import Parameter


def login(
    *,
    page: Annotated[bool, Parameter(negative="")] = False,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show the server that commands talk to, who it takes you for, and how to point programs at it.

    Examples:
        modelkeel login
        modelkeel login --page
        export MODELKEEL_URL=https://keel.example MODELKEEL_TOKEN=mk_…  && modelkeel login

    Parameters
    ----------
    page
        Print a link that opens the page as you: once, within ten minutes.
    json_output
        Print the facts as JSON.
    """
    from rich.console import Console

    from modelkeel.cli.output import print_json
    from modelkeel.sdk.api import Api

    api = Api.from_environment()
    if page:
        print(f"{api.url}/login?code={api.post('/api/v1/page-codes')['code']}")
        return
    me = api.get("/api/v1/me")
    if json_output:
        print_json({"url": api.url, "token": bool(api.token), **me})
        return
    console = Console()
    source = "MODELKEEL_URL" if os.environ.get("MODELKEEL_URL") else "the home on this machine"
    console.print(f"[bold]{me['name']}[/] ({me['kind']}) at {api.url}, from {source}", highlight=False)
    workspaces = ", ".join(one["name"] for one in me["workspaces"]) or me["workspace"]["name"]
    console.print(f"workspace: {me['workspace']['name']} (of {workspaces})", highlight=False)
    console.print(f"may: {', '.join(me['permissions'])}", highlight=False)
    console.print(f"[dim]mlflow: export MLFLOW_TRACKING_URI={api.url} MLFLOW_TRACKING_TOKEN=…[/]", highlight=False)
