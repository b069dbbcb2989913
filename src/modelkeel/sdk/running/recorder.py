"""Tells the server what happens, from a thread of its own, so that steps do not wait for it.

Reports leave in order, several at once where they gather. The content behind a result leaves before its report: the
server never knows of a result that it lacks. A server that is away for a while (a restart) is waited for.
"""

import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from modelkeel.core.errors import Conflict, KeelError, Unavailable
from modelkeel.sdk.api import Api
from modelkeel.sdk.values import Content
from modelkeel.wire.pipelines import Held, Reports, StepReport

R = TypeVar("R")
BEAT_SECONDS = 3.0
"""So soon a run hears that somebody cancelled it."""
GATHER_SECONDS = 0.02
"""So long a report waits for others, unless somebody waits for it: each message is a durable commit of the server."""
AT_ONCE = 500
"""Reports in one message."""
PATIENCE_SECONDS = 60.0
ASK_FIRST = 64 << 10
PIECE = 1 << 20


class Recorder:
    """Reports the steps of one run.

    Args:
        api: the server.
        run_id: of the run.

    Attributes:
        ended: what the server said when it no longer took reports: somebody ended the run.
    """

    def __init__(self, api: Api, run_id: str) -> None:
        self._api = api
        self._run_id = run_id
        self._waiting: list[tuple[StepReport, dict[str, Content], bool]] = []
        self._busy = False
        self._flushing = 0
        self._closed = False
        self._error: KeelError | None = None
        self.ended: Conflict | None = None
        self._changed = threading.Condition()
        self._owner = threading.current_thread()
        self._thread = threading.Thread(target=self._work, name="keel-record", daemon=True)
        self._thread.start()

    def tell(self, report: StepReport, content: dict[str, Content] | None = None, *, repair: bool = False) -> None:
        """Queues a report, and the content that must be stored before it.

        Raises:
            KeelError: an earlier report was refused.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            self._waiting.append((report, content or {}, repair))
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until the server knows everything.

        Raises:
            KeelError: a report was refused.
        """
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error is not None or not (self._waiting or self._busy))
            self._flushing -= 1
            if self._error is not None:
                raise self._error

    def close(self) -> None:
        """Ends the thread; what waits is dropped, so flush first."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed, BEAT_SECONDS)
                if self._waiting:
                    self._changed.wait_for(lambda: self._flushing or self._closed, GATHER_SECONDS)
                if self._closed:
                    return
                batch, self._waiting = self._waiting, []
                self._busy = True
            try:
                self._send(batch)
            except KeelError as error:
                with self._changed:
                    self._error = error
                if isinstance(error, Conflict):
                    self._end(error)
                    return

    def _send(self, batch: list[tuple[StepReport, dict[str, Content], bool]]) -> None:
        for _, content, repair in batch:
            store_content(self._api, content, repair=repair)
        last = {report.index: report for report, _, _ in batch}  # who ended meanwhile need not be told of as running
        reports, path = list(last.values()), f"/api/v1/pipelines/runs/{self._run_id}/steps"
        for start in range(0, max(len(reports), 1), AT_ONCE):
            body = Reports(reports[start : start + AT_ONCE])
            patiently(functools.partial(self._api.post, path, body))

    def _end(self, error: Conflict) -> None:
        """The run was ended from outside: what runs in the main thread is interrupted, whatever it waits for."""
        self.ended = error
        if self._owner is threading.main_thread() and self._owner.ident is not None:
            signal.pthread_kill(self._owner.ident, signal.SIGINT)


def store_content(api: Api, content: dict[str, Content], *, repair: bool = False) -> None:
    """Stores blobs that the server lacks. Large ones are asked about first.

    Args:
        api: the server.
        content: digest → bytes or file.
        repair: whether the server must look at what it has instead of trusting that it is whole.
    """
    large = [digest for digest, item in content.items() if _size(item) > ASK_FIRST]
    known: set[str] = set()
    if large and not repair:
        known = set(patiently(lambda: api.post("/api/v1/blobs/held", Held(large), type=Held)).digests)
    for digest, item in content.items():
        if digest in known:
            continue
        stored = patiently(functools.partial(_put, api, item, repair))
        if stored["digest"] != digest:
            raise Unavailable("A file changed while it was stored.", hint="Run it again.")


def patiently(call: Callable[[], R], seconds: float = PATIENCE_SECONDS) -> R:
    """Calls the server again while it is away, with growing pauses.

    Raises:
        Unavailable: it stayed away for `seconds`.
    """
    deadline, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)


def _put(api: Api, content: Content, repair: bool) -> Any:
    return api.put_bytes("/api/v1/blobs", _pieces(content), {"repair": repair or None})


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _pieces(content: Content) -> bytes | Iterator[bytes]:
    return content if isinstance(content, bytes) else _read(content)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
