"""`modelkeel reproduce`: reruns an old run and proves whether the result is the same."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def reproduce(
    target: str,
    *,
    tolerance: float = 1e-6,
    instead: Annotated[tuple[str, ...], Parameter(name="--with", negative="")] = (),
    home: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Rerun a run, or the run behind a model version or an endpoint's revision, and compare every result.

    The environment is rebuilt from the captured lock, the code comes from the snapshot. The verdict, `identical`,
    `equivalent` or `diverged`, is recorded in the ledger. Exit status 2 means diverged.

    Examples:
        modelkeel reproduce 4f2a0c…
        modelkeel reproduce models:/flights/3
        modelkeel reproduce models:/flights@champion --json
        modelkeel reproduce endpoints:/flights
        modelkeel reproduce 4f2a0c… --with scikit-learn==1.6.1

    Parameters
    ----------
    target
        A run (`modelkeel runs` lists them), `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `endpoints:/NAME` for the
        revision with most of the traffic, or `endpoints:/NAME/REVISION`.
    tolerance
        Relative, within which numbers count as equivalent.
    instead
        A package to use in place of the captured one, to see what it changes; may be repeated.
    home
        The home of a server on this machine; MODELKEEL_URL, or ~/.modelkeel by default.
    json_output
        Print the verdict as JSON.
    """
    from rich.console import Console

    from modelkeel.cli.output import print_json
    from modelkeel.sdk.api import Api
    from modelkeel.sdk.reproducing.behind import run_behind
    from modelkeel.sdk.reproducing.reproduce import reproduce as rerun

    console = Console(stderr=json_output)
    with console.status("reading the run") as status:
        api = Api.from_environment(home)
        run_id = run_behind(api, target)
        recorded = rerun(api, run_id, tolerance=tolerance, instead=instead, tell=status.update)
    verdict = recorded.reproduction
    if json_output:
        print_json(recorded)
    else:
        colour = {"identical": "green", "equivalent": "yellow"}.get(verdict.verdict, "red")
        console.print(f"[bold {colour}]{verdict.verdict}[/]  rerun {verdict.rerun_id}", highlight=False)
        models = f"{verdict.models} logged models with {verdict.files} files"
        console.print(f"{verdict.steps} steps, {models}, {verdict.metrics} metrics compared", highlight=False)
        for item in verdict.differences:
            console.print(f"[red]·[/] {item.kind} {item.name}: {item.was} → {item.now}", highlight=False)
        for item in verdict.causes:
            console.print(f"[dim]· may be because {item.kind} {item.name}: {item.was} → {item.now}[/]", highlight=False)
        for name in verdict.not_compared:
            console.print(f"[dim]· not compared: step {name} is never cached[/]", highlight=False)
        console.print(f"[dim]ledger entry {recorded.entry}[/]", highlight=False)
    if verdict.verdict == "diverged":
        sys.exit(2)
