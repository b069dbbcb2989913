"""`modelkeel sweep`: many trials of a pipeline or a function from the command line."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from modelkeel.cli.output import print_json
from modelkeel.cli.run import parse_params


def sweep(
    target: str,
    *,
    space: Annotated[tuple[str, ...], Parameter(name=["--space", "-s"], negative="")],
    param: Annotated[tuple[str, ...], Parameter(name=["--param", "-p"], negative="")] = (),
    trials: int = 50,
    metric: str = "",
    direction: Literal["maximize", "minimize"] = "maximize",
    workers: int = 1,
    seed: int = 0,
    experiment: str | None = None,
    resume: str | None = None,
    home: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Try a pipeline or a function with many values, each trial a run, and look for the best.

    Examples:
        modelkeel sweep train.py:train -s "lr=log(1e-5,0.1)" -s "trees=int(10,300)" --metric auc
        modelkeel sweep train.py:train -s "kind=choice(linear,forest)" -p rows=1000 --trials 20 --workers 2
        modelkeel sweep train.py:train -s "lr=log(1e-5,0.1)" --trials 100 --resume 130ec441f6d04bb8dbfb5a45137ac833

    Parameters
    ----------
    target
        FILE.py:FUNCTION, a pipeline or a function.
    space
        NAME=RANGE, as often as needed: uniform(0,1), log(1e-5,0.1), int(1,9), logint(1,512) or choice(a,b).
    param
        NAME=VALUE, the same for every trial.
    trials
        How many in all.
    metric
        The metric that a trial logs and is judged by; without it by what it returns.
    direction
        `maximize` or `minimize`.
    workers
        How many trials run at once.
    seed
        Of the choice of values and of every trial.
    experiment
        Name of the MLflow experiment; the target's name by default.
    resume
        The run of an earlier sweep, of which the rest is to be done.
    home
        The home of a server on this machine; MODELKEEL_URL, or ~/.modelkeel by default.
    json_output
        Print the result as JSON.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from modelkeel.sdk.api import Api
    from modelkeel.sdk.project import load_target
    from modelkeel.sdk.sweeps.result import Trial
    from modelkeel.sdk.sweeps.space import read_range
    from modelkeel.sdk.sweeps.sweep import sweep as run_sweep

    ranges = {name: read_range(name, str(text)) for name, text in parse_params(space).items()}
    console = Console(stderr=json_output)
    columns = (
        TextColumn("trials"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[best]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=trials, best="")
        values: list[float] = []

        def heard(trial: Trial) -> None:
            if trial.value is not None:
                values.append(trial.value)
            pick = max if direction == "maximize" else min
            best = f"best {pick(values):.6g}" if values else ""
            progress.update(bar, advance=1, best=best)

        found = run_sweep(
            load_target(target),
            ranges,
            trials=trials,
            metric=metric,
            direction=direction,
            params=parse_params(param),
            workers=workers,
            seed=seed,
            experiment=experiment,
            resume=resume,
            api=Api.from_environment(home),
            listener=heard,
        )
        progress.update(bar, completed=len(found.trials))
    best = found.best if any(trial.value is not None for trial in found.trials) else None
    if json_output:
        print_json(
            {
                "run_id": found.run_id,
                "best": asdict(best) if best else None,
                "trials": [asdict(t) for t in found.trials],
            }
        )
        return
    if best is None:
        console.print("No trial is complete.", style="yellow")
    else:
        chosen = ", ".join(f"{name}={value}" for name, value in best.params.items())
        console.print(f"[bold]best[/] {best.value:.6g}  {chosen}", highlight=False)
        console.print(f"trial {best.number}, run {best.run_id}", highlight=False)
    for trial in found.trials:
        if trial.error:
            console.print(f"[red]·[/] trial {trial.number} failed: {trial.error}", highlight=False, markup=True)
            break
    console.print(f"sweep {found.run_id}  {found.url}", highlight=False, soft_wrap=True)
