"""Calls of steps: each with its place in the run, its name, its inputs by content and its cache key."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelkeel.sdk.code import reached_code
from modelkeel.sdk.running import keys
from modelkeel.sdk.running.options import StepLike
from modelkeel.sdk.values import encode
from modelkeel.wire.pipelines import KeyParts
from modelkeel.wire.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Call:
    """One call of a step.

    Attributes:
        step: which.
        index: its place in the run, from 0.
        name: the step's name, with the nested pipeline before it and the number of the call behind it.
        arguments: as the step takes them, defaults filled in.
        inputs: the same by content.
        parts: of the key.
        key: in the cache; None: never cached.
    """

    step: StepLike
    index: int
    name: str
    arguments: inspect.BoundArguments
    inputs: dict[str, Value]
    parts: KeyParts
    key: str | None


@dataclass(slots=True)
class Calls:
    """Makes the calls of one run.

    Attributes:
        root: the project's folder.
        seed: of the run.
        environment: digest of what is installed.
        python: the interpreter's version.
        known: what an argument is that a step of this run made.
        declared: takes note of a file or folder from outside, and gives what it holds.
    """

    root: Path
    seed: int
    environment: str
    python: str
    known: Callable[[Any], Value | None]
    declared: Callable[[str], Value]
    _count: int = 0
    _names: dict[str, int] = field(default_factory=dict)
    _code: dict[int, dict[str, str]] = field(default_factory=dict)
    _group: tuple[str, ...] = ()

    def make(self, step: StepLike, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Call:
        """The next call of the run."""
        bound = step.signature.bind(*arguments, **named)
        bound.apply_defaults()
        inputs = {name: encode(value, self.known).value for name, value in bound.arguments.items()}
        parts = keys.parts_of(
            code=self._code_of(step),
            inputs=inputs,
            data={name: self.declared(name) for name in step.options.data},
            environment=self.environment,
            python=self.python,
            seed=self.seed,
        )
        key = parts.digest() if step.options.cache else None
        return Call(step, self.next_index(), self.next_name(step.name), bound, inputs, parts, key)

    def next_index(self) -> int:
        """A place in the run that nothing has yet."""
        self._count += 1
        return self._count - 1

    def next_name(self, name: str) -> str:
        """What a call is shown as: `outer/inner` inside a nested pipeline, `name[2]` the second time."""
        full = "/".join((*self._group, name))
        count = self._names[full] = self._names.get(full, 0) + 1
        return full if count == 1 else f"{full}[{count}]"

    @contextmanager
    def group(self, name: str) -> "Iterator[None]":
        """Calls inside belong to a nested pipeline."""
        outer, self._group = self._group, (*self._group, name)
        try:
            yield
        finally:
            self._group = outer

    def _code_of(self, step: StepLike) -> dict[str, str]:
        found = self._code.get(id(step))
        if found is None:
            found = self._code[id(step)] = reached_code(step.function, self.root)
        return found
