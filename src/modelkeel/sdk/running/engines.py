"""What can run steps outside of the run's own process: worker processes on this machine, or Ray."""

from collections.abc import Callable
from typing import Protocol

from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.running.options import Options
from modelkeel.sdk.running.task import Outcome, Task


class Engine(Protocol):
    """Runs steps elsewhere. Every method may be called from several threads.

    Attributes:
        slots: how many steps it is given at once.
        closed: whether it takes no more.
    """

    slots: int
    closed: bool

    def run(self, task: Task, options: Options, hear: Callable[[str], None]) -> Outcome:
        """What became of a step; waits for it.

        Args:
            task: the step.
            options: how it runs.
            hear: gets what it prints.

        Raises:
            WorkerLost: what ran it is gone.
            TimeoutError: it took longer than it may.
        """

    def close(self) -> None:
        """Ends every step that it runs, at once."""


def check_engine(name: str | None) -> str | None:
    """The engine that is meant: none for local processes, `ray`, or the address of a Ray cluster.

    Raises:
        InvalidInput: another name.
    """
    if name in {None, "local"}:
        return None
    if name == "ray" or (name is not None and name.startswith("ray://")):
        return name
    raise InvalidInput(
        f"There is no engine {name!r}.",
        hint="Write `local`, `ray` (one on this machine, or the cluster that RAY_ADDRESS names), or ray://HOST:PORT.",
    )
