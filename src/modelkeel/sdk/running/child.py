"""`python -m modelkeel.sdk.running.child`: a process that runs steps, one after another, until its input ends.

Tasks come in by its input and outcomes leave by its output; what the step itself prints, from whatever language, goes
through a pipe and leaves as lines. When the input ends, because the run ended or died, so does this process.
"""

import codecs
import inspect
import os
import pickle
import queue
import secrets as randomness
import signal
import sys
import tempfile
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from modelkeel.sdk import secrets
from modelkeel.sdk.api import Api
from modelkeel.sdk.running import seeds
from modelkeel.sdk.running.imports import ImportWatch
from modelkeel.sdk.running.perform import Failed, perform, told
from modelkeel.sdk.running.placing import find_step
from modelkeel.sdk.running.printed import Printed
from modelkeel.sdk.running.recorder import patiently, store_content
from modelkeel.sdk.running.run import inside_step
from modelkeel.sdk.running.task import Began, Line, Outcome, Task, receive, send
from modelkeel.sdk.running.tracked import TrackedRun
from modelkeel.sdk.values import decode

MOST_KEPT = 256 << 20
"""Bytes of fetched content that are kept for the next step: items of a map share most of their arguments."""


def main() -> None:
    """Takes tasks until the input ends."""
    given, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    prints = _Prints(answers)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_take_in, args=(given, tasks), daemon=True).start()
    child = Child(Api.from_environment())
    while True:
        task = tasks.get()
        prints.start()
        outcome = child.run(task, lambda: prints.send(Began()))
        prints.send(msgspec.structs.replace(outcome, log=secrets.redact(prints.stop())))


def _take_in(given: BinaryIO, tasks: "queue.SimpleQueue[Task]") -> None:
    decoder = msgspec.msgpack.Decoder(Task)
    while (content := receive(given)) is not None:
        tasks.put(decoder.decode(content))
    os.killpg(0, signal.SIGKILL)  # nobody waits for an answer; what the step started goes too


class _Prints:
    """Turns what is written to the outputs into lines for the run, and keeps the end of it."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._seen = threading.Event()
        self._mark = randomness.token_hex(16)
        self._printed = Printed()
        read, self._write = os.pipe()
        os.dup2(self._write, 1)
        os.dup2(self._write, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        threading.Thread(target=self._listen, args=(read,), daemon=True).start()

    def start(self) -> None:
        """A step begins."""
        self._printed = Printed(lambda text: self.send(Line(secrets.redact(text))))

    def stop(self) -> str:
        """What the step printed; all of it was passed on."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self._seen.clear()
        os.write(self._write, self._mark.encode())
        self._seen.wait()
        return self._printed.text()

    def send(self, message: Any) -> None:
        """Answers."""
        with self._lock:
            send(self._answers, message)

    def _listen(self, read: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        while piece := os.read(read, 1 << 16):
            text = rest + decoder.decode(piece)
            before, found, after = text.partition(self._mark)
            cut = len(before) if found else before.rfind("\n") + 1  # a line goes out whole, so that no secret is cut
            if before[:cut]:
                self._printed.add(before[:cut])
            rest = after if found else before[cut:]
            if found:
                self._seen.set()


class Child:
    """Runs tasks in this process.

    Args:
        api: the server.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._tracked: dict[str, TrackedRun] = {}
        self._seed = 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._watch = ImportWatch(
            {name: lambda name=name: seeds.seed_library(name, self._seed) for name in ("numpy", "torch")}  # type: ignore[misc]
        )
        self._watch.start()
        secrets.guard(api.url)

    def run(self, task: Task, began: Callable[[], None]) -> Outcome:
        """Runs one step; whatever happens is the outcome. `began` is told when the step itself begins."""
        with tempfile.TemporaryDirectory(prefix="keel-step") as folder:
            try:
                return self._run(task, Path(folder), began)
            except Failed as failed:
                cause = failed.__cause__ or failed
                used = failed.used
                outcome = _outcome_of(cause)
                return msgspec.structs.replace(
                    outcome, wall_us=used.wall_us, cpu_us=used.cpu_us, peak_bytes=used.peak_bytes
                )
            except BaseException as error:  # noqa: BLE001 - the run decides what a failure means
                return _outcome_of(error)

    def _run(self, task: Task, folder: Path, began: Callable[[], None]) -> Outcome:
        tracked = self._tracking(task.run_id)
        with inside_step():
            step = find_step(task.place)
            given = {name: decode(value, self._fetch, folder) for name, value in task.inputs.items()}
            bound = inspect.BoundArguments(step.signature, OrderedDict(given))
            self._seed = task.seed
            began()
            done = perform(step, task.name, bound, lambda _: seeds.set_seeds(task.seed))
            store_content(self._api, done.encoded.content)
        used = done.used
        return Outcome(done.encoded.value, used.wall_us, used.cpu_us, used.peak_bytes, tracked.logged())

    def _tracking(self, run_id: str) -> TrackedRun:
        tracked = self._tracked.get(run_id)
        if tracked is None:
            tracked = self._tracked[run_id] = TrackedRun(self._api, run_id, shared=True)
            tracked.point()
            ImportWatch({"mlflow": tracked.attach}).start()
        tracked.look()
        return tracked

    def _fetch(self, digest: str) -> bytes:
        content = self._kept.pop(digest, None)
        if content is None:
            content = patiently(lambda: self._api.get_bytes(f"/api/v1/blobs/{digest}"))
        self._kept[digest] = content
        while sum(map(len, self._kept.values())) > MOST_KEPT and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return content


def _outcome_of(error: BaseException) -> Outcome:
    try:
        failure = pickle.dumps(error)
        pickle.loads(failure)  # noqa: S301  # nosec B301 - our own bytes: many exceptions can be written and not read
    except Exception:  # noqa: BLE001 - whatever their class does
        failure = b""
    if secrets.held_in(failure) is not None:
        failure = b""
    trace = "".join(traceback.format_exception(error, limit=-12))
    return Outcome(error=told(error), failure=failure, trace=secrets.redact(trace)[-8000:])


if __name__ == "__main__":
    main()
