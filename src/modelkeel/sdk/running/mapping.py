"""Fan-out: one step over many items, first here, then in worker processes where that is quicker."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.running.calls import Call
from modelkeel.sdk.running.engines import Engine
from modelkeel.sdk.running.executing import Done

CHUNK = 500
"""Items whose calls are made, and looked up, at once: the rest of a long list waits."""

WORTH_SECONDS = 1.0
"""Work of so many seconds that is left is worth the start of worker processes."""

WORTH_EACH = 0.005
"""Seconds that an item takes to be worth the way to another process and back."""


def rows(step: str, columns: Sequence[Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """The items, one from each column.

    Raises:
        InvalidInput: no column, or columns of different length.
    """
    if not columns:
        raise InvalidInput(f"{step}.map wants a list.", hint=f"Write {step}.map(items), further arguments by name.")
    try:
        yield from zip(*columns, strict=True)
    except ValueError as error:
        raise InvalidInput(f"The lists given to {step}.map differ in length.") from error


def chunks(items: Iterable[tuple[Any, ...]], count: int = CHUNK) -> Iterator[list[tuple[Any, ...]]]:
    """The items in lists of at most `count`."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, count)):
        yield chunk


class Spread:
    """Runs calls of one step, and decides where.

    Args:
        total: how many items there are; 0: not known.
        workers: makes what runs them elsewhere; None: everything runs here.
        always: whether nothing runs here.
    """

    def __init__(self, total: int, workers: Callable[[], Engine] | None, *, always: bool) -> None:
        self._left = total
        self._workers = workers
        self._apart = always
        self._spent = 0.0
        self._ran = 0

    def run(
        self, calls: Mapping[int, Call], here: Callable[[Call], Done], apart: Callable[[Call, Engine], Done]
    ) -> Iterator[tuple[int, Done]]:
        """Results as they come, each by the place of its call. The first failure ends it."""
        waiting = iter(calls.items())
        for place, call in waiting:
            if self._apart or self._worth():
                self._apart = True
                assert self._workers is not None  # noqa: S101 - `_worth` says so, and `always` needs one
                yield from _in_threads(itertools.chain([(place, call)], waiting), self._workers(), apart)
                return
            done = here(call)
            self._spent += done.seconds
            self._ran += 1
            self._left -= 1
            yield place, done

    def passed(self, count: int) -> None:
        """So many items needed no run."""
        self._left -= count

    def _worth(self) -> bool:
        if self._workers is None or not self._ran or self._left < 2:
            return False
        each = self._spent / self._ran
        return each > WORTH_EACH and each * self._left > WORTH_SECONDS


def _in_threads(
    waiting: Iterator[tuple[int, Call]], workers: Engine, run: Callable[[Call, Engine], Done]
) -> Iterator[tuple[int, Done]]:
    """A thread for each slot; each waits for one call after another."""
    threads = ThreadPoolExecutor(workers.slots, thread_name_prefix="keel-map")
    under_way: dict[Future[Done], int] = {}
    try:
        while True:
            for place, call in itertools.islice(waiting, workers.slots - len(under_way)):
                under_way[threads.submit(run, call, workers)] = place
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()
    except BaseException:
        for future in under_way:
            future.cancel()
        workers.close()
        raise
    finally:
        threads.shutdown(wait=True)
