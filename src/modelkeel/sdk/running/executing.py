"""Runs a call until it succeeds or may not be tried again, here or in another process, and tells of each try."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import InvalidInput
from modelkeel.core.hashing import sha256
from modelkeel.sdk import secrets
from modelkeel.sdk.api import Api
from modelkeel.sdk.running import keys, seeds
from modelkeel.sdk.running.calls import Call
from modelkeel.sdk.running.engines import Engine
from modelkeel.sdk.running.perform import Failed, perform, told
from modelkeel.sdk.running.placing import place_of
from modelkeel.sdk.running.printed import Printed, listened
from modelkeel.sdk.running.recorder import Recorder, store_content
from modelkeel.sdk.running.task import Outcome, Place, Task
from modelkeel.sdk.running.tracked import TrackedRun
from modelkeel.sdk.running.usage import Used
from modelkeel.sdk.running.workers import WorkerLost
from modelkeel.sdk.values import Content, Encoded, encode
from modelkeel.wire.pipelines import StepReport
from modelkeel.wire.values import Value

LOST_RETRIES = 2
"""A call whose process died is tried so often again even if its author asked for no retries."""


class Tell:
    """Tells the server and the listeners of a step; may be called from several threads.

    Args:
        recorder: takes reports to the server.
        listeners: hear of each.
    """

    def __init__(self, recorder: Recorder, listeners: list[Callable[[StepReport], None]]) -> None:
        self.recorder = recorder
        self.reports: dict[int, StepReport] = {}
        self._listeners = listeners
        self._lock = threading.Lock()

    def __call__(self, report: StepReport, content: dict[str, Content] | None = None, *, repair: bool = False) -> None:
        """A step began, went on or ended."""
        with self._lock:
            self.reports[report.index] = report
            self.recorder.tell(report, content, repair=repair)
            for listener in self._listeners:
                listener(report)


@dataclass(slots=True)
class Done:
    """A call's result by content; where it was made here also the object, its content and how long it took."""

    value: Value
    result: Any = None
    encoded: Encoded | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class _Try:
    """What one try came to."""

    used: Used
    log: str
    done: Done | None = None
    outcome: Outcome | None = None
    error: BaseException | None = None


class Runner:
    """Runs the calls of one run.

    Args:
        api: the server.
        run_id: of the run.
        seed: of the run.
        tell: hears of each try.
        tracked: the MLflow side of the run.
        sow: seeds the generators of this process for a step.
        hear: gets what a step prints in another process.
    """

    def __init__(
        self,
        api: Api,
        run_id: str,
        seed: int,
        tell: Tell,
        tracked: TrackedRun,
        sow: Callable[[str], None],
        hear: Callable[[str, str], None],
    ) -> None:
        self.inside = False
        self._api = api
        self._run_id = run_id
        self._seed = seed
        self._tell = tell
        self._tracked = tracked
        self._sow = sow
        self._hear = hear
        self._sent: set[str] = set()

    def run(self, call: Call, workers: Engine | None = None, *, repair: bool = False) -> Done:
        """Runs a call, again after failures as its options say, and tells of its start and its end.

        Args:
            call: which.
            workers: where to run it; None: here.
            repair: whether the server must look at the content that it has instead of trusting it.
        """
        options = call.step.options
        report = _report(call)
        attempt = 1
        if workers is not None and any(keys.from_step(value) and value.blobs() for value in call.inputs.values()):
            self._tell.recorder.flush()  # the other process fetches what earlier steps made
        while True:
            self._tell(report)
            if not options.cache:
                self._tell.recorder.flush()  # such a step may read what the server knows of this run
            tried = self._here(call) if workers is None else self._apart(call, workers)
            log = self._log(tried)
            report = msgspec.structs.replace(
                report,
                wall_us=tried.used.wall_us,
                cpu_us=tried.used.cpu_us,
                peak_bytes=tried.used.peak_bytes,
                log=next(iter(log), None),
            )
            if tried.done is not None:
                logged = tried.outcome.logged if tried.outcome is not None else self._tracked.logged()
                content = tried.done.encoded.content if tried.done.encoded is not None else {}
                end = msgspec.structs.replace(report, status="finished", output=tried.done.value, logged=logged)
                self._tell(end, content | log, repair=repair)
                return tried.done
            error = tried.error
            assert error is not None  # noqa: S101 - a try without a result has one
            line = told(error)
            allowed = LOST_RETRIES if isinstance(error, WorkerLost) else 0
            if isinstance(error, options.retry_on):
                allowed = max(allowed, options.retries)
            if workers is not None and workers.closed:
                allowed = 0  # another item of the map failed, or the run was ended
            if attempt > allowed:
                self._tell(msgspec.structs.replace(report, status="failed", error=line), log)
                raise error
            pause = options.pause(attempt)
            attempt += 1
            report = msgspec.structs.replace(report, attempt=attempt, error=line)
            self._tell(report, log)
            time.sleep(pause)

    def _place(self, call: Call) -> Place:
        """Where another process finds the step.

        Raises:
            InvalidInput: only this process has it.
        """
        found = place_of(call.step)
        if found is None:
            raise InvalidInput(
                f"Another process can't import the step {call.step.name}.",
                hint="Define it at the top of a .py file, not in a function, a prompt or a notebook.",
            )
        return found

    def _here(self, call: Call) -> _Try:
        """One try in this process."""
        outer, self.inside = self.inside, True
        printed = Printed()
        try:
            with listened(printed), _alarm(call):
                done = perform(call.step, call.name, call.arguments, self._sow)
            made = Done(done.encoded.value, done.result, done.encoded, done.used.wall_us / 1e6)
            return _Try(done.used, printed.text(), made)
        except Failed as failed:
            return _Try(failed.used, printed.text(), error=failed.__cause__)
        finally:
            self.inside = outer

    def _apart(self, call: Call, workers: Engine) -> _Try:
        """One try in another process, which fetches the arguments from the server and stores the result there."""
        task = Task(
            self._run_id,
            call.index,
            call.name,
            self._place(call),
            self._handed_in(call),
            seeds.seed_of(self._seed, call.step.name),
        )
        begun = time.perf_counter()
        try:
            outcome = workers.run(task, call.step.options, lambda text: self._hear(call.name, text))
        except (WorkerLost, TimeoutError) as error:
            return _Try(Used(round((time.perf_counter() - begun) * 1e6), 0, 0), "", error=error)
        used = Used(outcome.wall_us, outcome.cpu_us, outcome.peak_bytes)
        if outcome.value is None:
            return _Try(used, outcome.log, outcome=outcome, error=outcome.exception())
        return _Try(used, outcome.log, Done(outcome.value), outcome)

    def _handed_in(self, call: Call) -> dict[str, Value]:
        """The arguments by content, which the server has from now on."""
        missing = [
            name for name, value in call.inputs.items() if any(digest not in self._sent for digest in unmade(value))
        ]
        for name in missing:
            encoded = encode(call.arguments.arguments[name])
            store_content(self._api, encoded.content)
            self._sent.update(encoded.content)
        return call.inputs

    def _log(self, tried: _Try) -> dict[str, Content]:
        """What a step printed, as a blob; nothing if it printed nothing."""
        text = secrets.redact(tried.log)
        if tried.error is not None and tried.outcome is not None and tried.outcome.trace:
            text = f"{text}\n{tried.outcome.trace}".lstrip("\n")
        content = text.encode()
        return {sha256(content): content} if content else {}


def unmade(value: Value) -> set[str]:
    """Digests of the blobs in a value that no step of this run made: the server may lack them."""
    if value.step is not None:
        return set()
    if value.items:
        return {digest for item in value.items for digest in unmade(item)}
    return set(value.blobs())


def _report(call: Call) -> StepReport:
    return StepReport(
        index=call.index,
        name=call.name,
        status="running",
        key=call.key,
        parts=call.parts,
        inputs=call.inputs,
        started=now_ms(),
    )


@contextmanager
def _alarm(call: Call) -> Iterator[None]:
    """Ends a step that takes too long where it runs in this process: only the main thread can be told (signal(7))."""
    timeout = call.step.options.timeout
    if timeout is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"{call.name} took longer than {timeout:g} s.")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
