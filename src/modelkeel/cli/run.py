"""`modelkeel run` and `modelkeel runs`: pipelines from the command line."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from modelkeel.cli.output import print_json
from modelkeel.core.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from modelkeel.sdk.running.run import Listener
    from modelkeel.wire.pipelines import StepReport

_FACTS = ("run_id", "steps", "cached_steps", "saved_seconds", "seconds", "url")


def run(
    target: str,
    *,
    param: Annotated[tuple[str, ...], Parameter(name=["--param", "-p"], negative="")] = (),
    seed: int = 0,
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True,
    experiment: str | None = None,
    home: Path | None = None,
    json_output: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run a pipeline, steps from the cache where nothing they depend on changed.

    Examples:
        modelkeel run train.py:train -p lr=0.1
        modelkeel run train.py:train --no-cache --json

    Parameters
    ----------
    target
        FILE.py:FUNCTION, a function decorated with @keel.pipeline.
    param
        NAME=VALUE, as often as needed; read as what the function's annotation says.
    seed
        Of Python's, numpy's and torch's generators.
    cache
        Whether steps may be taken from the cache.
    experiment
        Name of the MLflow experiment; the pipeline's name by default.
    home
        The home of a server on this machine; MODELKEEL_URL, or ~/.modelkeel by default.
    json_output
        Print the result as JSON.
    """
    _fix_hash_seed()
    from rich.console import Console

    from modelkeel.sdk.api import Api
    from modelkeel.sdk.launch import run as run_pipeline
    from modelkeel.sdk.project import load_target

    params = _params(param)
    api = Api.from_environment(home)
    if home is not None:
        os.environ |= {"MODELKEEL_URL": api.url, "MODELKEEL_TOKEN": api.token or ""}
    pipeline = load_target(target)
    console = Console(stderr=json_output)
    with _tree(target, console) as tell:
        result = run_pipeline(pipeline, params, seed=seed, cache=cache, experiment=experiment, api=api, listener=tell)
    if json_output:
        print_json({name: getattr(result, name) for name in _FACTS})
        return
    saved = f", {result.saved_seconds:.2f} s saved" if result.cached_steps else ""
    console.print(
        f"[bold]{result.steps} steps[/] in {result.seconds:.2f} s, {result.cached_steps} cached{saved}", highlight=False
    )
    console.print(f"run {result.run_id}  {result.url}", highlight=False, soft_wrap=True)


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
    from modelkeel.sdk.api import Api

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


def _fix_hash_seed() -> None:
    """Starts this command anew with a fixed hash seed: Python takes it only before it starts."""
    if "PYTHONHASHSEED" not in os.environ:
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "modelkeel", *sys.argv[1:]])  # noqa: S606 - this very command


def _params(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise InvalidInput(f"{item!r} sets no parameter.", hint="Write -p NAME=VALUE.")
        found[name] = value
    return found


@contextlib.contextmanager
def _tree(title: str, console: "Console") -> "Iterator[Listener]":
    """A live tree of the steps, or a line for each where nobody watches; yields what hears of starts and ends."""
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text
    from rich.tree import Tree

    if not console.is_terminal:
        yield lambda report: console.print(_label(report)) if report.status != "running" else None
        return
    nodes: dict[int, Tree] = {}
    tree = Tree(Text(title, style="bold"))

    def tell(report: "StepReport") -> None:
        node = nodes.get(report.index)
        if node is None:
            node = nodes[report.index] = tree.add("")
        running = report.status == "running"
        node.label = Spinner("dots", Text(f" {report.name}")) if running else _label(report)

    with Live(tree, console=console, refresh_per_second=8):
        yield tell


def _label(report: "StepReport") -> "Text":
    """A step that ended, in one line."""
    from rich.text import Text

    if report.status == "cached":
        told = f"  cached, {report.saved_us / 1e6:.2f} s saved (paid by {(report.paid_by or '')[:8]})"
        return Text.assemble(("↺ ", "cyan"), report.name, (told, "dim"))
    if report.status == "finished":
        told = f"  {report.wall_us / 1e6:.2f} s, {report.peak_bytes / 2**20:.0f} MiB"
        return Text.assemble(("✓ ", "green"), report.name, (told, "dim"))
    return Text.assemble(("✗ ", "red"), report.name, (f"  {report.error}", "red"))
