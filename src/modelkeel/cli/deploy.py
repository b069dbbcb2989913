"""`modelkeel deploy`, `endpoints`, `rollback`: what serves, and how it comes to serve."""

import time
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import Refused
from modelkeel.sdk.api import Api

rollout = App(name="rollout", help="Look at, or end, the rollout under way at an endpoint.")


def deploy(
    model: str,
    *,
    name: str,
    simulated: bool = False,
    wait: bool = True,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Deploy a registered model version to an endpoint.

    It is fetched, compiled where that is exact, loaded and verified before it gets a request.

    Examples:
        modelkeel deploy churn@champion --name churn
        modelkeel deploy churn/7 --name churn --no-wait

    Parameters
    ----------
    model
        `name@alias` or `name/7`; an alias is resolved once, now.
    name
        The endpoint; made where it is new.
    simulated
        Whether event times may lie in the future (for replays).
    wait
        Wait until the new revision has all the traffic, is refused, or waits for traffic to judge it by.
    json
        Print the endpoint as JSON.
    """
    with Api.from_environment() as api:
        found = api.put(f"/api/v1/endpoints/{name}", {"model": model, "simulated": simulated})
        console = Console(stderr=True)
        if wait:
            with console.status(f"preparing {model}"):
                while _moving(found):
                    time.sleep(0.05)
                    found = api.get(f"/api/v1/endpoints/{name}")
        if json:
            print_json(found)
        else:
            show(found)
        last = found["rollout"]
        if wait and last is not None and last["state"] == "aborted":
            raise Refused(f"{model} does not serve at {name}.", reasons=[last["note"]])


def endpoints(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """List endpoints.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/endpoints")
    if json:
        print_json(found)
        return
    for endpoint in found:
        show(endpoint)
    if not found:
        Console().print("No endpoints yet. `modelkeel deploy MODEL@ALIAS --name NAME` makes one.", highlight=False)


def rollback(name: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Give all traffic back to the revision that had it before.

    Parameters
    ----------
    name
        The endpoint.
    json
        Print the endpoint as JSON.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/endpoints/{name}/rollback")
    print_json(found) if json else show(found)


@rollout.command(name="show")
def show_rollout(name: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show an endpoint's revisions, traffic and rollout.

    Parameters
    ----------
    name
        The endpoint.
    json
        Print it as JSON.
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/endpoints/{name}")
    print_json(found) if json else show(found)


@rollout.command
def abort(name: str, *, reason: str, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """End the rollout under way; the champion keeps all traffic.

    Parameters
    ----------
    name
        The endpoint.
    reason
        Why; it stands in the ledger's texts.
    json
        Print the endpoint as JSON.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/endpoints/{name}/abort", {"reason": reason})
    print_json(found) if json else show(found)


def show(endpoint: dict[str, Any]) -> None:
    """An endpoint as a table of its revisions."""
    weights = {share["revision"]: f"{share['weight']:g} %" for share in endpoint["routes"]}
    if endpoint["shadow"]:
        weights[endpoint["shadow"]] = "shadow"
    table = Table(title=f"{endpoint['name']}  {endpoint['url']}", title_justify="left")
    for column in ("revision", "model", "state", "traffic", "runs as", "since", "note"):
        table.add_column(column)
    for revision in endpoint["revisions"]:
        made = rfc3339(revision["created"])[:19].replace("T", " ")
        model = f"{revision['model']}/{revision['version']}"
        share = weights.get(revision["id"], "")
        cells = [f"r{revision['number']}", model, revision["state"], share, revision["kind"], made, revision["note"]]
        table.add_row(*cells)
    console = Console()
    console.print(table)
    last = endpoint["rollout"]
    if last is not None and last["state"] not in {"completed", "aborted"}:
        step = f" {last['policy']['steps'][last['step']]:g} %" if last["state"] == "stepping" else ""
        console.print(f"rollout under way: {last['state']}{step}", highlight=False)


def _moving(endpoint: dict[str, Any]) -> bool:
    last = endpoint["rollout"]
    return last is not None and last["state"] == "preparing"
