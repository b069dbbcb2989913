"""What the author of a step says about how it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Signature
from typing import Any, Protocol

from modelkeel.core.errors import InvalidInput

MOST_RETRIES = 100
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a step runs.

    Attributes:
        cache: whether its result may come from the cache and goes into it.
        expires: a cached result that is older, in seconds, counts as none; None: it never does.
        retries: how often it is tried again after a failure.
        backoff: seconds before the first retry; each further pause is twice as long, up to five minutes.
        retry_on: the exceptions after which it is tried again.
        timeout: seconds that one try may take; None: no limit.
        cpu: processors that it needs.
        memory: bytes that it needs; 0: not said.
        gpu: graphics processors that it needs; only Ray places steps by it.
        data: files and folders from outside that it reads, relative to the project's folder.
        secrets: names of secrets that it may ask for.
    """

    cache: bool = True
    expires: float | None = None
    retries: int = 0
    backoff: float = 1.0
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    timeout: float | None = None
    cpu: float = 1.0
    memory: int = 0
    gpu: float = 0.0
    data: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuses what can't be.

        Raises:
            InvalidInput: a number is out of its range.
        """
        if not 0 <= self.retries <= MOST_RETRIES:
            raise InvalidInput(f"A step has 0 to {MOST_RETRIES} retries, not {self.retries}.")
        if self.backoff < 0 or self.cpu <= 0 or self.gpu < 0:
            raise InvalidInput("backoff and gpu are 0 or more, cpu is more than 0.")

    def at_once(self, workers: int, processors: int, memory: int) -> int:
        """How many such steps run at once on a machine: at least one, at most `workers`.

        Args:
            workers: how many may run.
            processors: that the machine has.
            memory: bytes that it has.
        """
        room = [workers, int(processors / self.cpu)] + ([memory // self.memory] if self.memory else [])
        return max(1, min(room))

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the failed try number `attempt` (from 1)."""
        return min(self.backoff * 2.0 ** (attempt - 1), LONGEST_PAUSE)


class StepLike(Protocol):
    """A step as a run sees it."""

    name: str
    function: Callable[..., Any]
    signature: Signature
    options: Options
