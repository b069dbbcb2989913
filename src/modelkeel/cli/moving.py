"""What the commands that move things show: counts as they grow, and the report at the end."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.markup import escape

from modelkeel.cli.output import print_json
from modelkeel.wire.moving import ImportView

_SHOWN = (
    "experiments",
    "runs",
    "points",
    "files",
    "logged_models",
    "traces",
    "spans",
    "evaluation_datasets",
    "records",
    "models",
    "versions",
)
_WORDS = {"logged_models": "logged models", "evaluation_datasets": "evaluation data sets"}
MOST = 50


@contextmanager
def counting(verb: str, *, quiet: bool) -> Iterator[Callable[[Counter[str]], None]]:
    """A line on standard error that says how much was moved so far."""
    console = Console(stderr=True, quiet=quiet)
    with console.status(f"{verb} …") as status:
        yield lambda counts: status.update(f"{verb}: {listed(counts)}")


def listed(counts: dict[str, int]) -> str:
    """Counts in words."""
    return ", ".join(f"{counts[name]:,} {_WORDS.get(name, name)}" for name in _SHOWN if counts.get(name)) or "nothing"


def print_report(view: ImportView, *, json: bool) -> None:
    """An import's report, for people or as JSON."""
    if json:
        print_json(msgspec.to_builtins(view))
        return
    report, console = view.report, Console(highlight=False)
    if report is None:
        console.print("The import has no report.")
        return
    counts = report.counts
    console.print(f"Moved from {escape(view.source)}: {listed(counts)}; {counts.get('bytes', 0):,} bytes of files.")
    console.print(
        f"{counts.get('made', 0):,} made, {counts.get('changed', 0):,} changed,"
        f" {counts.get('same', 0):,} had not changed,"
        f" {counts.get('verified', 0):,} compared by counts and SHA-256."
    )
    if report.ids:
        console.print("Ids that are other here than at the source:")
        for theirs, ours in sorted(report.ids.items())[:MOST]:
            console.print(f"  {escape(theirs)}  →  {escape(ours)}")
        if len(report.ids) > MOST:
            console.print(f"  … and {len(report.ids) - MOST} more: see --json")
    for difference in report.differences[:MOST]:
        console.print(f"  [yellow]{escape(difference)}[/]")
    if len(report.differences) > MOST:
        console.print(f"  … and {len(report.differences) - MOST} more: see --json")
    if report.complete:
        console.print(f"[green]Everything is here and the same.[/] Report: import {view.id}")
    else:
        console.print(f"[yellow]{len(report.differences)} things differ.[/] Report: import {view.id}")
