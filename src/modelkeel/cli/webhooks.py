"""`modelkeel webhooks`: addresses that hear of events, and what became of each delivery."""

import os
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.errors import NotFound
from modelkeel.sdk.api import Api

webhooks = App(name="webhooks", help="Addresses that hear of events, and what became of each delivery.")
Flag = Annotated[bool, Parameter(negative=())]
SECRET = "MODELKEEL_WEBHOOK_SECRET"  # noqa: S105 - the variable's name


@webhooks.command
def create(name: str, url: str, *events: str, description: str = "", json: Flag = False) -> None:
    """Make a webhook. If the variable MODELKEEL_WEBHOOK_SECRET is set, deliveries are signed by it.

    Examples:
        modelkeel webhooks create deploys https://hooks.example/keel alias.moved rollout.completed
        modelkeel webhooks create mlflow https://hooks.example/keel model_version.created

    Parameters
    ----------
    name
        Letters, digits, dots, underscores and hyphens.
    url
        Where deliveries go.
    events
        MLflow's events, or types of ledger entries.
    description
        Free text.
    json
        Print the webhook as JSON.
    """
    asked = {"name": name, "url": url, "events": list(events), "description": description}
    with Api.from_environment() as api:
        made = api.post("/api/v1/webhooks", asked | {"secret": os.environ.get(SECRET, "")})
    print_json(made) if json else print(made["id"])


@webhooks.command(name="list")
def list_all(*, json: Flag = False) -> None:
    """List the webhooks.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/webhooks")
    if json:
        print_json(found)
        return
    table = Table("name", "url", "events", "status", "signed")
    for each in found:
        table.add_row(
            each["name"], each["url"], ", ".join(each["events"]), each["status"], "yes" if each["signed"] else "no"
        )
    Console().print(table)


@webhooks.command
def deliveries(name: str, *, limit: int = 20, json: Flag = False) -> None:
    """List a webhook's deliveries, newest first.

    Parameters
    ----------
    name
        The webhook's name or id.
    limit
        How many at most.
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/webhooks/{_id(api, name)}/deliveries", {"limit": limit})
    if json:
        print_json(found)
        return
    table = Table("id", "event", "entry", "status", "tries", "answer", "ms", "next try", "error")
    for each in found:
        answer, took = (str(each[key]) if each[key] is not None else "" for key in ("code", "latency_ms"))
        again = _time(each["next_try"]) if each["next_try"] is not None else ""
        head = (each["id"], each["event"], str(each["entry"]), each["status"], str(each["attempts"]))
        table.add_row(*head, answer, took, again, each["error"] or "")
    Console().print(table)


@webhooks.command
def redeliver(name: str, delivery: str, *, json: Flag = False) -> None:
    """Send a delivery again, under the same id.

    Parameters
    ----------
    name
        The webhook's name or id.
    delivery
        The delivery's id.
    json
        Print the delivery as JSON.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/webhooks/{_id(api, name)}/deliveries/{delivery}/redeliver")
    print_json(found) if json else print(f"{found['id']} is {found['status']}")


@webhooks.command
def delete(name: str) -> None:
    """Delete a webhook; what waits for it is not sent any more.

    Parameters
    ----------
    name
        The webhook's name or id.
    """
    with Api.from_environment() as api:
        api.delete(f"/api/v1/webhooks/{_id(api, name)}")


def _id(api: Api, name: str) -> str:
    found: list[dict[str, Any]] = api.get("/api/v1/webhooks")
    for each in found:
        if name in {each["id"], each["name"]}:
            return str(each["id"])
    names = ", ".join(each["name"] for each in found) or "none"
    raise NotFound(f"There is no webhook {name!r}.", hint=f"There are: {names}.")


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
