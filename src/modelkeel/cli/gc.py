"""`modelkeel gc`, `modelkeel hold`: remove for good what was deleted, and keep what must not be."""

import re
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import Api

hold = App(name="hold", help="Legal holds: what is never removed for good.")
Flag = Annotated[bool, Parameter(negative=())]
PATIENCE_SECONDS = 24 * 3600.0
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_WORDS = {"logged_model": "logged model", "version": "model version"}


def gc(
    *,
    apply: Flag = False,
    older_than: str = "30d",
    grace: str = "1h",
    run: list[str] | None = None,
    experiment: list[str] | None = None,
    json: Flag = False,
) -> None:
    """Remove for good what was deleted, and the content that nothing refers to any more.

    Without --apply nothing is removed: it shows what would go, what stays though it was deleted, and why.

    Examples:
        modelkeel gc
        modelkeel gc --older-than 7d --apply
        modelkeel gc --older-than 0d --run 1f0c… --apply

    Parameters
    ----------
    apply
        Do it.
    older_than
        Only what was deleted at least so long ago: 30d, 12h, 0d.
    grace
        Content that came, or was asked for, within this time stays.
    run
        Only this deleted run; may be given several times.
    experiment
        Only this deleted experiment with what is in it; may be given several times.
    json
        Print the result as JSON.
    """
    asked: dict[str, Any] = {
        "older_than_days": _seconds(older_than) / 86_400,
        "grace_seconds": _seconds(grace),
        "runs": run or [],
        "experiments": experiment or [],
    }
    console = Console(stderr=True)
    with (
        Api.from_environment(timeout=PATIENCE_SECONDS) as api,
        console.status("Removing …" if apply else "Looking through the store …"),
    ):
        found = api.post("/api/v1/gc", asked) if apply else api.get("/api/v1/gc", asked)
    print_json(found) if json else _show(found)


@hold.command
def add(
    kind: Annotated[str, Parameter(help="run, experiment or version.")],
    identity: str,
    *,
    reason: str,
    json: Flag = False,
) -> None:
    """Place a legal hold. What it covers is not removed for good, and its files are neither deleted nor replaced.

    Examples:
        modelkeel hold add run 1f0c… --reason "case 2026-112"
        modelkeel hold add version fraud/3 --reason "model risk review"

    Parameters
    ----------
    kind
        run, experiment (with all that is in it) or version.
    identity
        The id of a run or an experiment; of a version, NAME/NUMBER.
    reason
        Why; whoever is kept from removing it reads this.
    json
        Print the hold as JSON.
    """
    with Api.from_environment() as api:
        made = api.post("/api/v1/holds", {"kind": kind, "object": identity, "reason": reason})
    print_json(made) if json else Console().print(f"hold {made['id']} on {kind} {identity}", highlight=False)


@hold.command(name="list")
def list_all(*, json: Flag = False) -> None:
    """List the holds in force.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/holds")
    if json:
        print_json(found)
        return
    table = Table("hold", "kind", "object", "reason")
    for row in found:
        table.add_row(row["id"], row["kind"], row["object"], row["reason"])
    Console().print(table)


@hold.command
def release(identity: str, *, json: Flag = False) -> None:
    """End a hold.

    Parameters
    ----------
    identity
        The hold's id, as `modelkeel hold list` shows it.
    json
        Print its id as JSON.
    """
    with Api.from_environment() as api:
        api.delete(f"/api/v1/holds/{identity}")
    print_json({"released": identity}) if json else Console().print(f"hold {identity} released", highlight=False)


def _seconds(age: str) -> float:
    match = _AGE.fullmatch(age.strip())
    if match is None:
        raise InvalidInput(f"{age!r} is no age.", hint="Write a number and s, m, h or d, as in 30d.")
    return float(match[1]) * _SECONDS[match[2]]


def _show(found: dict[str, Any]) -> None:
    console = Console()
    if found["staying"]:
        table = Table("stays", "id", "name", "because")
        for thing in found["staying"]:
            table.add_row(thing["kind"], thing["id"], thing["name"], thing["because"])
        console.print(table)
    if found["going"]:
        table = Table("went" if found["applied"] else "would go", "id", "name")
        for thing in found["going"]:
            table.add_row(thing["kind"], thing["id"], thing["name"])
        console.print(table)
    counts = [f"{number} {_WORDS.get(kind, kind)}{'s' * (number != 1)}" for kind, number in found["counts"].items()]
    verb = "Removed" if found["applied"] else "Would remove"
    content = f"{found['blobs']} pieces of content, {_size(found['bytes'])}"
    console.print(f"{verb} {', '.join([*counts, content])}.", highlight=False)
    if found["too_new"]:
        console.print(f"{found['too_new']} more pieces of content are too new to be removed.", highlight=False)
    if not found["applied"]:
        console.print("Nothing was changed. Add --apply to do it.", highlight=False)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
