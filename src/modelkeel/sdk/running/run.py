"""A pipeline run in this process: each step's key, its result from the cache or from running it, and its record."""

import inspect
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, Corrupt, InvalidInput, NotFound
from modelkeel.sdk import secrets
from modelkeel.sdk.api import Api
from modelkeel.sdk.capture import environment
from modelkeel.sdk.code import reached_code
from modelkeel.sdk.running import keys, seeds
from modelkeel.sdk.running.lazy import Lazy, unwrap
from modelkeel.sdk.running.recorder import Recorder, patiently, store_content
from modelkeel.sdk.running.results import Results
from modelkeel.sdk.running.tracked import TrackedRun
from modelkeel.sdk.running.usage import Stopwatch, Used
from modelkeel.sdk.values import Content, Encoded, decode, encode
from modelkeel.sdk.values.pickled import forget_run
from modelkeel.wire.pipelines import CachedStep, DataInput, KeyParts, Lookup, StepReport, Value

Listener = Callable[[StepReport], None]
MOST_PINNED = 512 << 20
"""Declared data up to this size, in bytes, is stored so that a rerun can have it back."""


class StepLike(Protocol):
    """A step as a run sees it."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature
    cache: bool
    data: tuple[str, ...]
    secrets: frozenset[str]


@dataclass(slots=True)
class _Call:
    """One call of a step."""

    step: StepLike
    index: int
    name: str
    arguments: inspect.BoundArguments
    inputs: dict[str, Value]
    parts: KeyParts | None
    key: str | None


@dataclass(slots=True)
class RunContext:
    """One run, from its start to its end.

    Attributes:
        api: the server.
        run_id: of the run.
        root: the project's folder.
        seed: of the run.
        cache: whether results may come from the cache.
        known: results that a rerun of the same needs, by key.
        listeners: told of each report.
        restored: declared data of the run that is reproduced, by name.
    """

    api: Api
    run_id: str
    root: Path
    seed: int
    cache: bool
    known: dict[str, CachedStep]
    tracked: TrackedRun
    recorder: Recorder
    listeners: list[Listener] = field(default_factory=list)
    restored: Mapping[str, Value] = field(default_factory=dict)
    data: dict[str, DataInput] = field(default_factory=dict)
    reports: dict[int, StepReport] = field(default_factory=dict)
    inside: bool = False
    seed_now: int = 0
    _count: int = 0
    _names: dict[str, int] = field(default_factory=dict)
    _code: dict[int, dict[str, str]] = field(default_factory=dict)
    _results: Results = field(default_factory=Results)
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="keel")
    )
    _environment: str = field(default_factory=environment.environment_digest)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def call(self, step: StepLike, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A step's result: from the cache if its key is known, else by running it."""
        with self._lock:
            call = self._prepare(step, arguments, named)
            hit = self._hit(call.key) if call.key is not None and self.cache else None
            if hit is not None:
                try:
                    return self._take(call, hit)
                except (Corrupt, NotFound):
                    self.known.pop(hit.key, None)
            return self._run(call)

    def declare(self, name: str, source: Any) -> Any:
        """Declares data from outside, and gives it back: the same, or what a reproduced run had.

        Raises:
            InvalidInput: called inside a step, where the key is fixed already.
        """
        if self.inside:
            raise InvalidInput(
                "keel.data is called in a step.",
                hint="Call it in the pipeline and hand its result in, or declare it with @keel.step(data=[…]).",
            )
        before = self.restored.get(name)
        if before is not None:
            source = decode(before, self.fetch, Path(self._folder.name))
        elif isinstance(source, str):
            source = Path(source)
        value = self._declared(name, source).value
        if not isinstance(source, Path):
            self._results.note(source, value)
        return source

    def sow(self, step: str) -> None:
        """Seeds every generator for a step, or for the pipeline itself (an empty name)."""
        self.seed_now = seeds.seed_of(self.seed, step)
        seeds.set_seeds(self.seed_now)

    def fetch(self, digest: str) -> bytes:
        """A blob's content."""
        return patiently(lambda: self.api.get_bytes(f"/api/v1/blobs/{digest}"))

    def close(self) -> None:
        """Frees what the run held: fetched files among it."""
        self.recorder.close()
        self._folder.cleanup()

    def _prepare(self, step: StepLike, arguments: tuple[Any, ...], named: dict[str, Any]) -> _Call:
        bound = step.signature.bind(*arguments, **named)
        bound.apply_defaults()
        inputs = {name: encode(value, self._results.known).value for name, value in bound.arguments.items()}
        index = self._next_index()
        count = self._names[step.name] = self._names.get(step.name, 0) + 1
        name = step.name if count == 1 else f"{step.name}[{count}]"
        data = {name: self._declared(name, self._source(name)).value for name in step.data}
        parts = keys.parts_of(
            code=self._code_of(step),
            inputs=inputs,
            data=data,
            environment=self._environment,
            python=environment.python_version(),
            seed=self.seed,
        )
        return _Call(step, index, name, bound, inputs, parts, keys.key_of(parts) if step.cache else None)

    def _code_of(self, step: StepLike) -> dict[str, str]:
        found = self._code.get(id(step))
        if found is None:
            found = self._code[id(step)] = reached_code(step.function, self.root)
        return found

    def _hit(self, key: str) -> CachedStep | None:
        if key not in self.known:
            path, asked = "/api/v1/pipelines/cache", Lookup([key])
            for found in patiently(lambda: self.api.post(path, asked, type=list[CachedStep])):
                self.known[found.key] = found
        return self.known.get(key)

    def _take(self, call: _Call, hit: CachedStep) -> Any:
        """The cached result, of which large parts are fetched only when somebody looks at them."""
        value = keys.made_by(hit.output, call.index)
        result = self._stand_in(value, call)
        report = StepReport(
            index=call.index,
            name=call.name,
            status="cached",
            key=call.key,
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

    def _stand_in(self, value: Value, call: _Call) -> Any:
        if value.kind in {"tuple", "list"}:
            items = [self._stand_in(item, call) for item in value.items]
            return tuple(items) if value.kind == "tuple" else items
        if value.kind == "dict":
            return {name: self._stand_in(item, call) for name, item in zip(value.names, value.items, strict=True)}
        if value.kind == "json":
            return self._decoded(value)
        return Lazy(value, lambda: self._fetched(value, call))

    def _fetched(self, value: Value, call: _Call) -> Any:
        """The content of a cached result. If the store lost or damaged it, the step runs again."""
        try:
            return self._decoded(value)
        except (Corrupt, NotFound):
            self._mend(call, value)
            return self._decoded(value)

    def _decoded(self, value: Value) -> Any:
        return decode(value, self.fetch, Path(self._folder.name))

    def _mend(self, call: _Call, value: Value) -> None:
        """Runs a step again whose stored result is lost or damaged, and stores it anew."""
        again = replace(call, index=self._next_index(), name=f"{call.name} (again)")
        _, encoded = self._execute(again, repair=True)
        if value.digest not in encoded.value.blobs():
            raise Conflict(
                f"The stored result of {call.name} is damaged, and running it again gave another.",
                hint="Run the pipeline without the cache.",
            )
        self.recorder.flush()

    def _run(self, call: _Call) -> Any:
        result, encoded = self._execute(call)
        self._results.note(result, keys.made_by(encoded.value, call.index))
        return result

    def _execute(self, call: _Call, *, repair: bool = False) -> tuple[Any, Encoded]:
        """Runs the step and tells of its start and its end, good or bad."""
        arguments = [unwrap(value) for value in call.arguments.args]
        named = {name: unwrap(value) for name, value in call.arguments.kwargs.items()}
        report = StepReport(
            index=call.index,
            name=call.name,
            status="running",
            key=call.key,
            parts=call.parts,
            inputs=call.inputs,
            started=now_ms(),
        )
        self._tell(report)
        if not call.step.cache:
            self.recorder.flush()  # such a step may read what the server knows of this run
        outer, self.inside = self.inside, True
        watch = Stopwatch()
        try:
            self.sow(call.step.name)
            with secrets.within(call.step.name, call.step.secrets):
                result = unwrap(call.step.function(*arguments, **named))
            used = watch.stop()
            encoded = encode(result)
            forget_run(result)
            _keep_in(encoded, call.name)
        except BaseException as error:
            self._tell(_with(report, watch.stop(), status="failed", error=_told(error)[:500]))
            raise
        finally:
            self.inside = outer
        done = _with(report, used, status="finished", output=encoded.value, logged=self.tracked.logged())
        self._tell(done, encoded.content, repair=repair)
        return result, encoded

    def _tell(self, report: StepReport, content: dict[str, Content] | None = None, *, repair: bool = False) -> None:
        self.reports[report.index] = report
        self.recorder.tell(report, content, repair=repair)
        for listener in self.listeners:
            listener(report)

    def _next_index(self) -> int:
        self._count += 1
        return self._count - 1

    def _source(self, name: str) -> Path:
        path = Path(name)
        return path if path.is_absolute() else self.root / path

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


def _told(error: BaseException) -> str:
    return secrets.redact(f"{type(error).__name__}: {error}")


def _keep_in(encoded: Encoded, step: str) -> None:
    """Refuses a result that holds a secret's value: it would be stored."""
    described = msgspec.json.encode(encoded.value)  # small values stand in it
    for item in (described, *encoded.content.values()):
        name = secrets.held_in(item if isinstance(item, bytes) else item.read_bytes())
        if name is not None:
            raise InvalidInput(
                f"The result of {step} holds the value of the secret {name}.", hint="Return what it opens, not the key."
            )


def _with(report: StepReport, used: Used, **changes: Any) -> StepReport:
    """The report with what was used."""
    return msgspec.structs.replace(
        report, wall_us=used.wall_us, cpu_us=used.cpu_us, peak_bytes=used.peak_bytes, **changes
    )


_CURRENT: ContextVar[RunContext | None] = ContextVar("keel_run", default=None)


def current() -> RunContext | None:
    """The run in which this code is, if any."""
    return _CURRENT.get()


@contextmanager
def running(context: RunContext) -> Iterator[RunContext]:
    """Makes a run the current one."""
    secrets.guard(context.api.url)
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)
