"""Worker processes on this machine: each runs one step after another, and is killed when one takes too long."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO

import msgspec

from modelkeel.core.errors import KeelError
from modelkeel.sdk.api import Api
from modelkeel.sdk.running.options import Options
from modelkeel.sdk.running.task import LENGTH, Began, Line, Outcome, Task, send

CHILD = "modelkeel.sdk.running.child"
INSIDE = "MODELKEEL_INSIDE_STEP"
_MESSAGE = msgspec.msgpack.Decoder(Outcome | Line | Began)
START_SECONDS = 60.0
"""How long a process may take to start, to import the step's module and to fetch its arguments."""

_PIECE = 1 << 16
Hear = Callable[[str], None]


class WorkerLost(KeelError):
    """The process that ran a step ended before the step did."""

    code = "WORKER_LOST"


class Workers:
    """Processes beside this one. Every method may be called from several threads.

    Args:
        api: the server that they fetch from and store in.
        slots: how many there are at most; each is started when it is needed.

    Attributes:
        slots: the same.
        closed: whether it takes no more steps.
    """

    def __init__(self, api: Api, slots: int) -> None:
        self.slots = slots
        self._api = api
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._free = threading.Semaphore(slots)
        self._lock = threading.Lock()
        self.closed = False

    def run(self, task: Task, options: Options, hear: Hear) -> Outcome:
        """What became of a step; waits for it.

        Args:
            task: the step.
            options: how it runs.
            hear: gets what it prints.

        Raises:
            WorkerLost: the process that ran it is gone.
            TimeoutError: it took longer than it may.
        """
        with self._free:
            worker = self._take()
            try:
                outcome = worker.run(task, options.timeout, hear)
            except BaseException as error:
                self._drop(worker)
                if self.closed and isinstance(error, WorkerLost):
                    raise _ended() from error
                raise
            with self._lock:
                self._idle.append(worker)
            return outcome

    def close(self) -> None:
        """Ends every worker, at once."""
        with self._lock:
            self.closed = True
            workers = list(self._all)
        for worker in workers:
            self._drop(worker)

    def _take(self) -> "Worker":
        with self._lock:
            if self.closed:
                raise _ended()
            if self._idle:
                return self._idle.pop()
            worker = Worker({**os.environ, "MODELKEEL_URL": self._api.url, **_token(self._api)})
            self._all.add(worker)
            return worker

    def _drop(self, worker: "Worker") -> None:
        worker.kill()
        with self._lock:
            self._all.discard(worker)


class Worker:
    """One process that runs a step at a time.

    Args:
        variables: of the process; they name the server and hold its token.
        python: the interpreter.
        folder: where the process stands.
    """

    def __init__(self, variables: Mapping[str, str], python: str = sys.executable, folder: Path | None = None) -> None:
        self._process = subprocess.Popen(
            [python, "-P", "-m", CHILD],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONHASHSEED": "0", **variables, INSIDE: "1", "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # it is killed with all that it started
        )
        self._buffer = b""

    def run(self, task: Task, timeout: float | None, hear: Hear) -> Outcome:
        """Hands a step in and waits for what becomes of it."""
        deadline = None if timeout is None else time.monotonic() + timeout + START_SECONDS
        try:
            send(_pipe(self._process.stdin), task)
        except OSError as error:
            raise self._lost(task) from error
        while True:
            message = self._next(task, timeout, deadline)
            if isinstance(message, Outcome):
                return message
            if isinstance(message, Line):
                hear(message.text)
            elif timeout is not None:  # the start of the process is not the step's time
                deadline = time.monotonic() + timeout

    def kill(self) -> None:
        """Ends the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                _pipe(stream).close()

    def _next(self, task: Task, timeout: float | None, deadline: float | None) -> Outcome | Line | Began:
        output = _pipe(self._process.stdout).fileno()
        while True:
            if len(self._buffer) >= LENGTH:
                end = LENGTH + int.from_bytes(self._buffer[:LENGTH], "big")
                if len(self._buffer) >= end:
                    content, self._buffer = self._buffer[LENGTH:end], self._buffer[end:]
                    message: Outcome | Line | Began = _MESSAGE.decode(content)
                    return message
            left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            if not wait([output], left):
                raise TimeoutError(f"{task.name} took longer than {timeout:g} s.")
            piece = os.read(output, _PIECE)
            if not piece:
                raise self._lost(task)
            self._buffer += piece

    def _lost(self, task: Task) -> WorkerLost:
        code = self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with the status {code}"
        hint = "Perhaps the machine ran out of memory." if code == -signal.SIGKILL else ""
        return WorkerLost(f"The process that ran {task.name} {how}.", hint=hint)


def _token(api: Api) -> dict[str, str]:
    return {"MODELKEEL_TOKEN": api.token} if api.token else {}


def _ended() -> WorkerLost:
    return WorkerLost("The step was ended with what it was part of.")


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - both are pipes
    return stream
