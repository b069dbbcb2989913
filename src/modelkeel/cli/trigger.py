"""`modelkeel trigger …`: what starts pipelines without a person."""

from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.output import print_json
from modelkeel.sdk.api import Api

trigger = cyclopts.App(
    name="trigger", help="What starts pipelines: a clock, the ledger, new data, a signed call.", help_format="plaintext"
)
Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print as JSON.")]
_STYLES = {"launched": "green", "waiting": "yellow", "skipped": "dim", "failed": "red"}


@trigger.command(name="list")
def every(*, json: Json = False) -> None:
    """List the workspace's triggers.

    Examples:
        modelkeel trigger list
    """
    with Api.from_environment() as api:
        found = api.get("/api/v1/triggers")
    if json:
        print_json(found)
        return
    if not found:
        Console().print("There are no triggers. Set one: modelkeel trigger set NAME PIPELINE --cron '0 2 * * *'")
        return
    table = Table("trigger", "pipeline", "starts", "next", "last")
    for one in found:
        last = one["last"]
        table.add_row(
            one["name"] + (" [yellow](paused)[/]" if one["paused"] else ""),
            one["config"]["pipeline"],
            _when(one["config"]),
            _minute(one["next_due"]),
            f"[{_STYLES[last['status']]}]{last['status']}[/] {_minute(last['due'])}" if last else "never",
        )
    Console().print(table)


@trigger.command(name="set")
def set_one(
    name: str,
    pipeline: str,
    *,
    cron: str | None = None,
    timezone: str = "UTC",
    catch_up: str = "latest",
    on: str | None = None,
    where: Annotated[list[str] | None, Parameter(name="--where", negative=())] = None,
    path: str | None = None,
    webhook: Annotated[bool, Parameter(negative=())] = False,
    param: Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative=())] = None,
    overlap: str = "skip",
    at_most_every: str | None = None,
    json: Json = False,
) -> None:
    """Make or change a trigger. A project keeps its triggers in modelkeel.toml, `[triggers.NAME]`, for `apply`.

    Examples:
        modelkeel trigger set nightly train --cron "0 2 * * *" --timezone Europe/Vienna
        modelkeel trigger set on-drift train --on alert.raised --where endpoint=flights
        modelkeel trigger set new-files train --path /data/new --overlap queue
        modelkeel trigger set from-ci train --webhook

    Parameters
    ----------
    name
        The trigger's.
    pipeline
        What it starts: a pipeline that has run once.
    cron
        When: minute, hour, day of month, month, day of week.
    timezone
        Of the schedule.
    catch_up
        Of times missed while the server was down, run for the `latest`, `all` or `none`.
    on
        The type of a ledger entry that starts it: alert.raised, version.created, alias.moved, labels.sealed …
    where
        What the entry is about, NAME=VALUE; may be repeated.
    path
        A file, folder, pattern or Delta table on the server's machine; a change starts it.
    webhook
        A signed call starts it; its secret is shown once.
    param
        A parameter of its runs, NAME=VALUE; may be repeated. {due}, {date}, {event} and {data} are filled in.
    overlap
        While a run of it is under way: `skip`, `queue`, `cancel` or `allow`.
    at_most_every
        Skip what comes sooner after a run: 1h.
    """
    body: dict[str, Any] = {
        "pipeline": pipeline,
        "timezone": timezone,
        "catch_up": catch_up,
        "overlap": overlap,
        "webhook": webhook,
        "where": _pairs(where),
        "params": _pairs(param),
    }
    body |= {key: value for key, value in (("cron", cron), ("on", on), ("path", path)) if value is not None}
    if at_most_every is not None:
        body["at_most_every"] = at_most_every
    with Api.from_environment() as api:
        found = api.put(f"/api/v1/triggers/{name}", body)
    if json:
        print_json(found)
        return
    due = f", next {found['next_due']}" if found["next_due"] else ""
    _say(f"{name} starts {pipeline}: {_when(found['config'])}{due}")
    _say_secret(api.url, found)


@trigger.command
def show(name: str, *, limit: int = 20, json: Json = False) -> None:
    """Show a trigger and what it did.

    Examples:
        modelkeel trigger show nightly

    Parameters
    ----------
    name
        The trigger's.
    limit
        How many of the newest firings.
    """
    with Api.from_environment() as api:
        found = api.get(f"/api/v1/triggers/{name}")
        firings = api.get(f"/api/v1/triggers/{name}/firings", {"limit": limit})
    if json:
        print_json({"trigger": found, "firings": firings})
        return
    paused = ", paused" if found["paused"] else ""
    _say(f"{name} starts {found['config']['pipeline']}: {_when(found['config'])}{paused}")
    table = Table("due", "event", "status", "run", "why")
    for one in firings:
        style = _STYLES[one["status"]]
        event = one["event"].partition(":")[0]
        table.add_row(_minute(one["due"]), event, f"[{style}]{one['status']}[/]", one["run_id"] or "", one["why"])
    Console().print(table)


@trigger.command
def fire(
    name: str,
    *,
    param: Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative=())] = None,
    json: Json = False,
) -> None:
    """Fire a trigger by hand.

    Examples:
        modelkeel trigger fire nightly
        modelkeel trigger fire nightly -p rows=1000

    Parameters
    ----------
    name
        The trigger's.
    param
        Put over its own parameters, NAME=VALUE; may be repeated.
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/triggers/{name}/fire", {"params": _pairs(param)})
    if json:
        print_json(found)
        return
    _say(f"{found['status']}: {found['run_id'] or found['why']}")


@trigger.command
def pause(name: str) -> None:
    """Pause a trigger: what happens until it goes on starts nothing.

    Examples:
        modelkeel trigger pause nightly
    """
    with Api.from_environment() as api:
        api.post(f"/api/v1/triggers/{name}/pause", {"paused": True})
    _say(f"{name} is paused.")


@trigger.command
def resume(name: str) -> None:
    """Let a paused trigger go on.

    Examples:
        modelkeel trigger resume nightly
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/triggers/{name}/pause", {"paused": False})
    _say(f"{name} goes on" + (f", next {found['next_due']}." if found["next_due"] else "."))


@trigger.command
def secret(name: str, *, json: Json = False) -> None:
    """Give a trigger of signed calls another secret; the old one ends.

    Examples:
        modelkeel trigger secret from-ci
    """
    with Api.from_environment() as api:
        found = api.post(f"/api/v1/triggers/{name}/secret", {})
    if json:
        print_json(found)
        return
    _say_secret(api.url, found)


@trigger.command
def delete(name: str) -> None:
    """Delete a trigger; runs that it started go on.

    Examples:
        modelkeel trigger delete nightly
    """
    with Api.from_environment() as api:
        api.delete(f"/api/v1/triggers/{name}")
    _say(f"{name} is deleted.")


def _pairs(given: list[str] | None) -> dict[str, Any]:
    from modelkeel.cli.run import parse_params

    return parse_params(given or [])


def _when(config: dict[str, Any]) -> str:
    if config.get("cron"):
        return f"{config['cron']} {config['timezone']}"
    if config.get("on"):
        about = " ".join(f"{name}={value}" for name, value in config["where"].items())
        return f"on {config['on']} {about}".strip()
    return f"changes of {config['path']}" if config.get("path") else "signed calls"


def _minute(time: str | None) -> str:
    return time[:16].replace("T", " ") if time else ""


def _say(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)


def _say_secret(url: str, found: dict[str, Any]) -> None:
    if found.get("secret"):
        _say(f"Signed calls go to {url}{found['hook']}. Their secret, told this once: {found['secret']}")
