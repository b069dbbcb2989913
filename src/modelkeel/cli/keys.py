"""`modelkeel keys`: keys that open one endpoint's prediction address."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api

DAY_SECONDS = 86_400
keys = App(name="keys", help="Keys that open one endpoint's prediction address.")
Flag = Annotated[bool, Parameter(negative=())]


@keys.command
def create(endpoint: str, name: str, *, days: float = 90, json: Flag = False) -> None:
    """Make a key. It is shown once; only its hash is stored. It opens no other address.

    Examples:
        modelkeel keys create churn "web shop"
        modelkeel keys create churn "load test" --days 1 --json

    Parameters
    ----------
    endpoint
        The endpoint's name.
    name
        What the key is for.
    days
        Until it ends; 366 at most.
    json
        Print the key with its id as JSON.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/endpoints/{endpoint}/keys", {"name": name, "seconds": round(days * DAY_SECONDS)})
    print_json(found) if json else print(found["secret"])


@keys.command(name="list")
def list_all(endpoint: str, *, json: Flag = False) -> None:
    """List an endpoint's keys that are good now, without their secrets.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/endpoints/{endpoint}/keys")
    if json:
        print_json(found)
        return
    table = Table("id", "name", "created", "by", "expires", "last used")
    for one in found:
        days = (one["created"][:10], one["created_by"], one["expires"][:10], one["last_used"] or "never")
        table.add_row(one["id"], one["name"], *days)
    Console().print(table)


@keys.command
def revoke(endpoint: str, key: str) -> None:
    """End a key at once.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    key
        The key's id, as `modelkeel keys list` shows it.
    """
    with Api.from_environment() as api:
        api.delete(f"/api/v1/endpoints/{endpoint}/keys/{key}")
    Console().print("The key is revoked.")
