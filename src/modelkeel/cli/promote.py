"""`modelkeel promote`: asks for a version to take an alias, and shows what the gates say."""

from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput, Refused
from modelkeel.sdk.api import Api

COLOURS = {"passed": "green", "failed": "red", "waiting": "yellow"}


def promote(
    version: str,
    *,
    alias: str = "champion",
    commit: bool = True,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Ask for a model version to take a protected alias.

    The server evaluates the gates of the model's policy and keeps the evidence. After the last approval the version is
    rolled out where an endpoint serves the model, and the alias moves when that is done; else it moves at once.

    Examples:
        modelkeel promote churn/7
        modelkeel promote churn/7 --alias champion --no-commit

    Parameters
    ----------
    version
        `name/7`.
    alias
        Where it wants to go.
    commit
        Carry it out after the last approval without a further command.
    json
        Print the promotion as JSON.
    """
    model, _, number = version.rpartition("/")
    if not model or not number.isdecimal():
        raise InvalidInput(f"{version!r} names no version.", hint="Write NAME/7.")
    body = {"model": model, "version": int(number), "alias": alias, "automatic": commit}
    with Api.from_environment() as api:
        found = api.post("/api/v1/promotions", body)
    if json:
        print_json(found)
    else:
        show(found)
    if found["status"] == "refused":
        raise Refused(f"{version} may not take @{alias}.", reasons=[] if not json else found["reasons"])


def show(promotion: dict[str, Any]) -> None:
    """A promotion with its gates."""
    console = Console()
    title = f"{promotion['model']}/{promotion['version']} → @{promotion['alias']}"
    status = promotion["status"].replace("_", " ")
    console.print(f"[bold]{title}[/]  {status}  [dim]{promotion['id']}[/]", highlight=False)
    table = Table(show_header=False, box=None, padding=(0, 1))
    for gate in promotion["gates"]:
        colour = COLOURS[gate["verdict"]]
        table.add_row(f"  [{colour}]{gate['verdict']}[/]", escape(gate["gate"]), escape(gate["sentence"]))
    console.print(table)
    if promotion["status"] == "voided":
        console.print(f"  {escape(promotion['reasons'][0])}", highlight=False)
    if promotion["status"] == "waiting_approval":
        console.print(f"  [dim]modelkeel approve {promotion['id']}[/]", highlight=False)
