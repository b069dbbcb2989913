"""A pipeline run in this process: each step's result from the cache or from running it, and its record."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, Corrupt, InvalidInput, NotFound
from modelkeel.sdk import secrets
from modelkeel.sdk.api import Api
from modelkeel.sdk.capture import environment
from modelkeel.sdk.running import asking, keys, mapping, seeds
from modelkeel.sdk.running.calls import Call, Calls
from modelkeel.sdk.running.engines import Engine
from modelkeel.sdk.running.executing import Done, Runner, Tell
from modelkeel.sdk.running.hits import Hits
from modelkeel.sdk.running.lazy import Lazy
from modelkeel.sdk.running.options import StepLike
from modelkeel.sdk.running.placing import place_of
from modelkeel.sdk.running.recorder import Recorder, patiently, store_content
from modelkeel.sdk.running.results import Results
from modelkeel.sdk.running.tracked import TrackedRun
from modelkeel.sdk.running.workers import Workers
from modelkeel.sdk.values import Encoded, decode, encode
from modelkeel.wire.captures import DataInput
from modelkeel.wire.pipelines import Approval, CachedStep, StepReport
from modelkeel.wire.values import Value

Listener = Callable[[StepReport], None]
Hear = Callable[[str, str], None]
MOST_PINNED = 512 << 20
"""Declared data up to this size, in bytes, is stored so that a rerun can have it back."""


@dataclass(slots=True)
class Setting:
    """What a run is told once, at its start.

    Attributes:
        api: the server.
        run_id: of the run.
        root: the project's folder.
        seed: of the run.
        hits: results that need not be computed.
        tracked: the MLflow side of the run.
        workers: how many steps of a map run at once; 1: all of them here.
        listeners: told of each report.
        hear: gets what a step prints in another process, with its name.
        restored: declared data of the run that is reproduced, by name.
        engine: makes what runs every step elsewhere; None: this machine runs them.
    """

    api: Api
    run_id: str
    root: Path
    seed: int
    hits: Hits
    tracked: TrackedRun
    workers: int = 1
    listeners: list[Listener] = field(default_factory=list)
    hear: Hear = lambda _name, _text: None
    restored: Mapping[str, Value] = field(default_factory=dict)
    engine: Callable[[], Engine] | None = None


class RunContext:
    """One run, from its start to its end.

    Args:
        setting: what it is told.

    Attributes:
        data: what it declared from outside.
        seed_now: the generators' seed at this moment.
    """

    def __init__(self, setting: Setting) -> None:
        self.data: dict[str, DataInput] = {}
        self.seed_now = 0
        self.api, self.run_id, self.tracked = setting.api, setting.run_id, setting.tracked
        self._setting = setting
        self._results = Results()
        self._folder = tempfile.TemporaryDirectory(prefix="keel")
        self._lock = threading.RLock()
        self._pools: dict[int, Workers] = {}
        self._elsewhere: Engine | None = None
        self.recorder = Recorder(setting.api, setting.run_id)
        self._tell = Tell(self.recorder, setting.listeners)
        self.calls = Calls(
            setting.root,
            setting.seed,
            environment.environment_digest(),
            environment.python_version(),
            self._results.known,
            lambda name: self._declared(name, self._source(name)).value,
        )
        self._runner = Runner(
            setting.api, setting.run_id, setting.seed, self._tell, setting.tracked, self.sow, setting.hear
        )

    @property
    def inside(self) -> bool:
        """Whether a step runs in this process."""
        return self._runner.inside

    @property
    def reports(self) -> dict[int, StepReport]:
        """The last report of each step."""
        return self._tell.reports

    def call(self, step: StepLike, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A step's result: from the cache if its key is known, else by running it."""
        with self._lock:
            call = self.calls.make(step, arguments, named)
            found, result = self._from_hit(call, self._setting.hits.find([call]))
            return result if found else self._given(call, self._runner.run(call, self._engine_of(step)))

    def map(
        self, step: StepLike, columns: tuple[Iterable[Any], ...], named: dict[str, Any], workers: int | None
    ) -> list[Any]:
        """A step's results over many items, in their order."""
        with self._lock:
            results: list[Any] = []
            for spread, items in self._chunks(step, columns, workers):
                calls = [self.calls.make(step, item, named) for item in items]
                hits, misses = self._setting.hits.find(calls), {}
                start = len(results)
                results.extend([None] * len(calls))
                for at, call in enumerate(calls, start):
                    found, results[at] = self._from_hit(call, hits)
                    if not found:
                        misses[at] = call
                spread.passed(len(calls) - len(misses))
                for at, done in spread.run(misses, self._runner.run, self._runner.run):
                    results[at] = self._given(misses[at], done)
            return results

    def declare(self, name: str, source: Any) -> Any:
        """Declares data from outside, and gives it back: the same, or what a reproduced run had."""
        before = self._setting.restored.get(name)
        if before is not None:
            source = decode(before, self.fetch, Path(self._folder.name))
        elif isinstance(source, str):
            source = Path(source)
        value = self._declared(name, source).value
        if not isinstance(source, Path):
            self._results.note(source, value)
        return source

    def ask(self, question: str, show: Any, own: bool) -> Approval:
        """A person's answer: of the run that this one resumes, or awaited."""
        with self._lock:
            call = asking.question_call(self.calls, question, show)
            found, answer = self._from_hit(call, self._setting.hits.find([call]))
            if not found:
                store_content(self.api, encode(show, self._results.known).content)
                self.recorder.flush()
                asked = Approval(question, own)
                answer = decode(asking.wait_for(self.api, self.run_id, call, asked, self._tell), self.fetch, Path())
            return msgspec.convert(answer, Approval)

    def sow(self, step: str) -> None:
        """Seeds every generator for a step, or for the pipeline itself (an empty name)."""
        self.seed_now = seeds.seed_of(self._setting.seed, step)
        seeds.set_seeds(self.seed_now)

    def fetch(self, digest: str) -> bytes:
        """A blob's content."""
        return patiently(lambda: self.api.get_bytes(f"/api/v1/blobs/{digest}"))

    def close(self) -> None:
        """Frees what the run held: worker processes and fetched files among it."""
        for workers in self._pools.values():
            workers.close()
        if self._elsewhere is not None:
            self._elsewhere.close()
        self.recorder.close()
        self._folder.cleanup()

    def _chunks(
        self, step: StepLike, columns: tuple[Iterable[Any], ...], workers: int | None
    ) -> Iterator[tuple[mapping.Spread, list[tuple[Any, ...]]]]:
        total = min((len(column) for column in columns if isinstance(column, Sized)), default=0)
        engine, always = self._where(step, workers)
        spread = mapping.Spread(total, engine, always=always)
        for items in mapping.chunks(mapping.rows(step.name, columns)):
            yield spread, items

    def _where(self, step: StepLike, workers: int | None) -> tuple[Callable[[], Engine] | None, bool]:
        """What runs items of a map in other processes, and whether all of them."""
        engine = self._engine_of(step)
        if engine is not None:
            return (lambda: engine), True
        wanted = self._setting.workers if workers is None else workers
        if wanted < 1:
            raise InvalidInput(f"{step.name}.map runs with at least one worker, not {wanted}.")
        if wanted == 1 or place_of(step) is None:
            return None, False
        slots = step.options.at_once(wanted, len(os.sched_getaffinity(0)), _memory()) if workers is None else wanted
        return (lambda: self._pool(slots)), workers is not None

    def _engine_of(self, step: StepLike) -> Engine | None:
        """The run's own engine; worker processes for a step that can be ended in time only there."""
        if self._setting.engine is not None and place_of(step) is not None:
            if self._elsewhere is None or self._elsewhere.closed:  # a failed map closes what ran it
                self._elsewhere = self._setting.engine()
            return self._elsewhere
        if step.options.timeout is not None and place_of(step) is not None:
            return self._pool(self._setting.workers)
        return None

    def _pool(self, slots: int) -> Workers:
        known = self._pools.get(slots)
        if known is None or known.closed:  # a failed map closes what ran it
            known = self._pools[slots] = Workers(self.api, slots)
        return known

    def _from_hit(self, call: Call, hits: dict[int, CachedStep]) -> tuple[bool, Any]:
        hit = hits.get(call.index)
        if hit is not None:
            try:
                return True, self._take(call, hit)
            except (Corrupt, NotFound):
                self._setting.hits.forget(hit)
        return False, None

    def _take(self, call: Call, hit: CachedStep) -> Any:
        """The cached result, of which large parts are fetched only when somebody looks at them."""
        value = keys.made_by(hit.output, call.index)
        result = self._stand_in(value, call)
        report = StepReport(
            index=call.index,
            name=call.name,
            status="cached",
            key=hit.key,
            parts=call.parts,
            inputs=call.inputs,
            output=hit.output,
            started=now_ms(),
            paid_by=hit.run_id,
            paid_step=hit.step,
            saved_us=hit.wall_us,
        )
        self.tracked.give(hit.logged, now_ms())
        self._results.note(result, value)
        self._tell(report)
        return result

    def _given(self, call: Call, done: Done) -> Any:
        """What the caller gets of a call that ran: the object, or what stands for one that was made elsewhere."""
        value = keys.made_by(done.value, call.index)
        result = done.result if done.encoded is not None else self._stand_in(value, call)
        self._results.note(result, value)
        return result

    def _stand_in(self, value: Value, call: Call) -> Any:
        if value.kind in {"tuple", "list"}:
            items = [self._stand_in(item, call) for item in value.items]
            return tuple(items) if value.kind == "tuple" else items
        if value.kind == "dict":
            return {name: self._stand_in(item, call) for name, item in zip(value.names, value.items, strict=True)}
        if value.kind == "json":
            return self._decoded(value)
        return Lazy(value, lambda: self._fetched(value, call))

    def _fetched(self, value: Value, call: Call) -> Any:
        """The content of a cached result. If the store lost or damaged it, the step runs again."""
        try:
            return self._decoded(value)
        except (Corrupt, NotFound):
            self._mend(call, value)
            return self._decoded(value)

    def _decoded(self, value: Value) -> Any:
        return decode(value, self.fetch, Path(self._folder.name))

    def _mend(self, call: Call, value: Value) -> None:
        """Runs a step again whose stored result is lost or damaged, and stores it anew."""
        again = replace(call, index=self.calls.next_index(), name=f"{call.name} (again)")
        done = self._runner.run(again, repair=True)
        if value.digest not in done.value.blobs():
            raise Conflict(
                f"The stored result of {call.name} is damaged, and running it again gave another.",
                hint="Run the pipeline without the cache.",
            )
        self.recorder.flush()

    def _source(self, name: str) -> Path:
        path = Path(name)
        return path if path.is_absolute() else self._setting.root / path

    def _declared(self, name: str, source: Any) -> Encoded:
        """Describes declared data and stores it where it is not too large."""
        encoded = encode(source)
        before = self.data.get(name)
        if before is None or before.value.digest != encoded.value.digest:
            pinned = encoded.value.size <= MOST_PINNED
            if pinned:
                store_content(self.api, encoded.content)
            self.data[name] = DataInput(name, encoded.value, pinned)
        return encoded


_CURRENT: ContextVar[RunContext | None] = ContextVar("keel_run", default=None)
_INSIDE: ContextVar[bool] = ContextVar("keel_inside_step", default=False)


def current() -> RunContext | None:
    """The run in which this code is, if any; in a worker process there is none to talk to."""
    return _CURRENT.get()


def is_inside_step() -> bool:
    """Whether this code is in a step, here or in a worker process."""
    run = _CURRENT.get()
    return _INSIDE.get() or (run is not None and run.inside)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def inside_step() -> Iterator[None]:
    """A worker process runs a step."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


@contextmanager
def running(context: RunContext) -> Iterator[RunContext]:
    """Makes a run the current one."""
    secrets.guard(context.api.url)
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)
