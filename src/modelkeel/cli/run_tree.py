"""What a run shows in the terminal: a live tree of its steps, or a line for each where nobody watches."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from modelkeel.sdk.running.run import Hear, Listener
    from modelkeel.wire.pipelines import StepReport

MOST_LINES = 12
"""Calls of one step that get a line each; more of them are summed up."""
_CALL = re.compile(r"\[\d+\]$")


@dataclass(slots=True)
class _Group:
    """The calls of one step."""

    name: str
    last: dict[int, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    saved: float = 0.0

    def add(self, report: "StepReport") -> bool:
        """Takes a report; whether its call still gets a line of its own."""
        before = self.last.get(report.index)
        self.last[report.index] = report.status
        self.counts[report.status] += 1
        if before is not None:
            self.counts[before] -= 1
        if report.status == "cached":
            self.saved += report.saved_us / 1e6
        elif report.status in {"finished", "failed"}:
            self.seconds += report.wall_us / 1e6
        return report.status == "failed" or len(self.last) <= MOST_LINES

    def label(self) -> "Text":
        """All calls in one line."""
        from rich.text import Text

        told = ", ".join(f"{count:,} {status}" for status, count in self.counts.items() if count)
        saved = f", {self.saved:.2f} s saved" if self.saved else ""
        return Text.assemble(("∑ ", "blue"), self.name, (f"  {told}  {self.seconds:.2f} s{saved}", "dim"))


class _Groups:
    """The steps of a run by name."""

    def __init__(self) -> None:
        self.known: dict[str, _Group] = {}

    def of(self, report: "StepReport") -> _Group:
        """The group of a call."""
        name = _CALL.sub("", report.name)
        return self.known.setdefault(name, _Group(name))


@contextlib.contextmanager
def shown(title: str, console: "Console") -> Iterator[tuple["Listener", "Hear"]]:
    """Shows steps while they run.

    Args:
        title: of the tree.
        console: where.

    Yields:
        What hears of starts and ends, and what hears what steps print in other processes.
    """
    groups = _Groups()

    def hear(name: str, text: str) -> None:
        from rich.text import Text

        for line in text.splitlines():
            console.print(Text.assemble((f"{name} │ ", "dim"), line), soft_wrap=True)

    if not console.is_terminal:

        def tell(report: "StepReport") -> None:
            if groups.of(report).add(report) and report.status != "running":
                console.print(_label(report), soft_wrap=True)

        yield tell, hear
        for group in groups.known.values():
            if len(group.last) > MOST_LINES:
                console.print(group.label(), soft_wrap=True)
        return
    yield from _live(title, console, groups, hear)


def _live(title: str, console: "Console", groups: _Groups, hear: "Hear") -> Iterator[tuple["Listener", "Hear"]]:
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(title, style="bold"))
    nodes: dict[object, Tree] = {}

    def tell(report: "StepReport") -> None:
        group = groups.of(report)
        lines = group.add(report)
        if len(group.last) > MOST_LINES:
            node = nodes.get(group.name)
            if node is None:
                node = nodes[group.name] = tree.add("")
            node.label = group.label()
        if not lines and report.index not in nodes:
            return
        node = nodes.get(report.index)
        if node is None:
            node = nodes[report.index] = tree.add("")
        running = report.status in {"running", "waiting"}
        node.label = Spinner("dots", _label(report)) if running else _label(report)

    with Live(tree, console=console, refresh_per_second=8):
        yield tell, hear


def _label(report: "StepReport") -> "Text":
    """A step in one line."""
    from rich.text import Text

    tries = f", {report.attempt} tries" if report.attempt > 1 else ""
    if report.status == "cached":
        told = f"  cached, {report.saved_us / 1e6:.2f} s saved (paid by {(report.paid_by or '')[:8]})"
        return Text.assemble(("↺ ", "cyan"), report.name, (told, "dim"))
    if report.status == "finished":
        told = f"  {report.wall_us / 1e6:.2f} s, {report.peak_bytes / 2**20:.0f} MiB{tries}"
        return Text.assemble(("✓ ", "green"), report.name, (told, "dim"))
    if report.status == "waiting":
        asked = report.approval.question if report.approval is not None else ""
        return Text.assemble(("? ", "yellow"), report.name, f"  {asked}", ("  waits for an approval", "dim"))
    if report.status == "running":
        again = f"  try {report.attempt} after {report.error}" if report.attempt > 1 else ""
        return Text.assemble(f" {report.name}", (again, "yellow"))
    return Text.assemble(("✗ ", "red"), report.name, (f"  {report.error}{tries}", "red"))
