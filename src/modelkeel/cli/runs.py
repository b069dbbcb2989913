"""`modelkeel runs`, `logs`, `cancel`, `step`: what became of pipeline runs, and a hand in them."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import Api

RUNS = "/api/v1/pipelines/runs"
step = App(name="step", help="Answer steps that wait for a person.")


def runs(
    *,
    pipeline: str | None = None,
    limit: int = 20,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """List pipeline runs, newest first.

    Examples:
        modelkeel runs
        modelkeel runs --pipeline train --json

    Parameters
    ----------
    pipeline
        Only runs of this pipeline.
    limit
        How many.
    json_output
        Print the runs as JSON.
    """
    found = Api.from_environment().get("/api/v1/pipelines/runs", {"pipeline": pipeline, "limit": limit})
    if json_output:
        print_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("run", no_wrap=True)
    for name in ("pipeline", "status", "started", "time", "steps", "saved", "by"):
        table.add_column(name)
    for item in found:
        cached = f" ({item['cached_steps']} cached)" if item["cached_steps"] else ""
        table.add_row(
            item["run_id"],
            item["pipeline"],
            item["status"],
            item["started"][5:16].replace("T", " "),
            f"{item['seconds']:.1f} s",
            f"{item['steps']}{cached}",
            f"{item['saved_seconds']:.1f} s",
            item["user"],
        )
    Console().print(table)


def logs(
    run: str,
    step: str | None = None,
    *,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show what the steps of a run printed.

    Examples:
        modelkeel logs 130ec441f6d04bb8dbfb5a45137ac833
        modelkeel logs 130ec441f6d04bb8dbfb5a45137ac833 fit[2]

    Parameters
    ----------
    run
        The run's id.
    step
        Only this step: its name or its number in the run.
    json_output
        Print a list of steps and texts as JSON.
    """
    with Api.from_environment() as api:
        found = []
        for one in whole_run(api, run)["steps"]:
            if one["log"] is not None and step in {None, one["name"], str(one["index"])}:
                text = api.get_bytes(f"{RUNS}/{run}/steps/{one['index']}/log").decode(errors="replace")
                found.append({"step": one["name"], "index": one["index"], "log": text})
    if json_output:
        print_json(found)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for one in found:
        for line in one["log"].splitlines():
            console.print(Text.assemble((f"{one['step']} │ ", "dim"), line), soft_wrap=True)
    if not found:
        console.print("Nothing was printed.", style="dim")


def cancel(run: str, *, reason: str = "") -> None:
    """Cancel a run; its process stops within seconds.

    Examples:
        modelkeel cancel 130ec441f6d04bb8dbfb5a45137ac833 --reason "wrong data"

    Parameters
    ----------
    run
        The run's id.
    reason
        Shown with the run.
    """
    with Api.from_environment() as api:
        api.post(f"{RUNS}/{run}/cancel", {"reason": reason})
        status = api.get(f"{RUNS}/{run}", {"limit": 1})["status"]
    print(f"run {run} is {status}")


@step.command
def approve(
    run: str,
    step: str | None = None,
    *,
    reason: str = "",
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Approve a step that waits; its run goes on.

    Examples:
        modelkeel step approve 130ec441f6d04bb8dbfb5a45137ac833 --reason "looks right"

    Parameters
    ----------
    run
        The run's id.
    step
        Its name or its number in the run; the one that waits by default.
    reason
        Kept with the answer.
    json_output
        Print the step as JSON.
    """
    _decide(run, step, {"approve": True, "reason": reason}, json_output)


@step.command
def reject(
    run: str,
    step: str | None = None,
    *,
    reason: str,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Reject a step that waits; its run fails.

    Parameters
    ----------
    run
        The run's id.
    step
        Its name or its number in the run; the one that waits by default.
    reason
        Kept with the answer.
    json_output
        Print the step as JSON.
    """
    _decide(run, step, {"approve": False, "reason": reason}, json_output)


def whole_run(api: Api, run_id: str) -> dict[str, Any]:
    """A run with all its steps, read page by page."""
    found: dict[str, Any] = api.get(f"{RUNS}/{run_id}")
    while len(found["steps"]) < found["step_count"]:
        more = api.get(f"{RUNS}/{run_id}", {"after": found["steps"][-1]["index"]})["steps"]
        if not more:
            break
        found["steps"] += more
    return found


def _decide(run: str, step_name: str | None, body: dict[str, Any], json_output: bool) -> None:
    with Api.from_environment() as api:
        waiting = [one for one in whole_run(api, run)["steps"] if one["status"] == "waiting"]
        chosen = [one for one in waiting if step_name in {None, one["name"], str(one["index"])}]
        if len(chosen) != 1:
            names = ", ".join(one["name"] for one in waiting) or "none"
            raise InvalidInput(f"The run has {len(chosen)} such steps that wait.", hint=f"Waiting: {names}.")
        found = api.post(f"{RUNS}/{run}/steps/{chosen[0]['index']}/decide", body)
    if json_output:
        print_json(found)
    else:
        print(f"{found['name']}: {found['approval']['verdict']} by {found['approval']['by']}")
