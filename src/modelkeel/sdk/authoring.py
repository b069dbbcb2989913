"""`@keel.step` and `@keel.pipeline`: plain typed functions that also know how to be run, cached and recorded."""

import functools
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints, overload

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.core.quantities import seconds, size
from modelkeel.core.secrets import check_name
from modelkeel.sdk.running.mapping import rows
from modelkeel.sdk.running.options import Options
from modelkeel.sdk.running.run import current, is_inside_step
from modelkeel.wire.pipelines import Approval

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A function that is a step of pipelines. Called outside a run, it is the plain function.

    Attributes:
        name: the function's name.
        function: the plain function.
        signature: of the function.
        options: how it runs.
    """

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        functools.update_wrapper(self, function)
        self.name = function.__name__
        self.function = function
        self.signature = inspect.signature(function)
        self.options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        run = current()
        if run is None or run.inside:
            return self.function(*args, **kwargs)
        result: R = run.call(self, args, kwargs)
        return result

    def map(self, *items: Iterable[Any], workers: int | None = None, **same: Any) -> list[R]:
        """The step over many items, as `map` does it: each is a call with its own result in the cache.

        A first item runs in this process. Where the rest promises to take more than a second, it runs in worker
        processes, as many at once as the run has. Outside a run this is a plain loop.

        Args:
            items: a list for each positional argument, all of one length.
            workers: how many items run at once, each in a process of its own; the run's own number by default.
            same: further arguments, the same for every item.

        Returns:
            The results in the order of the items.

        Raises:
            InvalidInput: no list, or lists of different length.
        """
        run = current()
        if run is None or run.inside:
            function: Callable[..., R] = self.function
            return [function(*row, **same) for row in rows(self.name, items)]
        return run.map(self, items, same, workers)


class Pipeline(Generic[P, R]):
    """A function that calls steps. Called by itself, it is the plain function; `keel.run` runs it for the record.

    Attributes:
        name: of the pipeline.
        function: the plain function.
        signature: of the function.
    """

    def __init__(self, function: Callable[P, R], name: str | None) -> None:
        functools.update_wrapper(self, function)
        self.name = name or function.__name__
        self.function = function
        self.signature = inspect.signature(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        run = current()
        if run is None or run.inside:
            return self.function(*args, **kwargs)
        with run.calls.group(self.name):  # a pipeline within a pipeline: its steps go by its name
            return self.function(*args, **kwargs)

    def params(self, given: dict[str, Any]) -> dict[str, Any]:
        """All parameters, checked against the annotations; texts are read as what is annotated.

        Raises:
            InvalidInput: one is unknown, missing or of another type; the message names it.
        """
        known = self.signature.parameters
        strange = sorted(given.keys() - known.keys())
        if strange:
            names = ", ".join(known) or "none"
            raise InvalidInput(f"{self.name} has no parameter {strange[0]!r}.", hint=f"It has {names}.")
        hints = _hints(self.function)
        found = {}
        for name, parameter in known.items():
            if name in given:
                found[name] = _read(self.name, name, given[name], hints.get(name))
            elif parameter.default is inspect.Parameter.empty:
                raise InvalidInput(f"{self.name} wants a value for {name!r}.", hint=f"Give it with -p {name}=VALUE.")
            else:
                found[name] = parameter.default
        return found


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    cache: bool = True,
    expires: str | float | None = None,
    retries: int = 0,
    backoff: float = 1.0,
    retry_on: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    timeout: str | float | None = None,
    cpu: float = 1.0,
    memory: str | int | None = None,
    gpu: float = 0.0,
    data: Iterable[str | Path] = (),
    secrets: Iterable[str] = (),
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    cache: bool = True,
    expires: str | float | None = None,
    retries: int = 0,
    backoff: float = 1.0,
    retry_on: type[BaseException] | tuple[type[BaseException], ...] = Exception,
    timeout: str | float | None = None,
    cpu: float = 1.0,
    memory: str | int | None = None,
    gpu: float = 0.0,
    data: Iterable[str | Path] = (),
    secrets: Iterable[str] = (),
) -> Any:
    """Makes a function a step.

    Args:
        function: when used without arguments.
        cache: whether its result may come from the cache and goes into it.
        expires: a cached result that is older counts as none: `12h`, `7d`, or seconds.
        retries: how often it is tried again after a failure.
        backoff: seconds before the first retry; each further pause is twice as long, up to five minutes.
        retry_on: the exceptions after which it is tried again.
        timeout: how long one try may take: `90s`, `2h`, or seconds. The step runs in a process of its own, which is
            killed then; one that is defined in a notebook runs here and is interrupted.
        cpu: processors that it needs: of a map, only as many items run at once as the machine has processors for.
        memory: memory that it needs, `2GiB` or bytes; likewise. Nothing ends a step that takes more.
        gpu: graphics processors that it needs. On this machine nothing counts them; on Ray a step waits for them.
        data: files and folders from outside that it reads, relative to the project's folder: their content is part
            of the cache key, and is stored with the run.
        secrets: names of secrets that it may ask for with `keel.secret`.

    Raises:
        InvalidInput: one of the secrets' names is none, or a number is out of its range.
    """
    options = Options(
        cache=cache,
        expires=None if expires is None else seconds(expires),
        retries=retries,
        backoff=backoff,
        retry_on=retry_on if isinstance(retry_on, tuple) else (retry_on,),
        timeout=None if timeout is None else seconds(timeout),
        cpu=cpu,
        memory=0 if memory is None else size(memory),
        gpu=gpu,
        data=tuple(str(path) for path in data),
        secrets=frozenset(secrets),
    )
    for name in options.secrets:
        check_name(name)
    return Step(function, options) if function is not None else lambda function: Step(function, options)


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...
@overload
def pipeline(*, name: str) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...
def pipeline(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Makes a function a pipeline.

    Args:
        function: when used without arguments.
        name: of the pipeline; the function's name by default.
    """
    if function is not None:
        return Pipeline(function, name)
    return lambda function: Pipeline(function, name)


def data(source: Any, *, name: str | None = None) -> Any:
    """Declares data from outside that a pipeline reads, and gives it back.

    Its content is known by digest, and stored, so that a rerun has the same. Outside a run nothing happens.

    Args:
        source: a path (a text is one), bytes, a table or an array.
        name: under which it is known; a path's own text by default.

    Raises:
        InvalidInput: no name is given for something that is no path, or it is called in a step, whose key is fixed.
    """
    if is_inside_step():
        raise InvalidInput(
            "keel.data is called in a step.",
            hint="Call it in the pipeline and hand its result in, or declare it with @keel.step(data=[…]).",
        )
    if name is None and not isinstance(source, str | Path):
        raise InvalidInput("Data that is no path needs a name.", hint="Write keel.data(table, name='…').")
    run = current()
    if run is not None:
        return run.declare(name or str(source), source)
    return Path(source) if isinstance(source, str) else source


def approval(question: str, *, show: Any = None, own: bool = False) -> Approval:
    """Waits until a person approves.

    Who may: everybody with the permission to approve, but not the one who started the run. They see the question and
    what is shown on the run's page, and answer there or by `modelkeel step approve`. A resumed run does not ask again
    what was approved for the same question and the same content. Outside a run nobody is asked.

    Args:
        question: what is to be approved, in a sentence.
        show: what they should see: JSON values, a table, a result of a step. It is stored with the run.
        own: whether the one who started the run may answer too.

    Returns:
        Who approved, when, and what they said.

    Raises:
        Refused: somebody rejected it.
        InvalidInput: it is called in a step, or asks nothing.
    """
    if is_inside_step():
        raise InvalidInput("keel.approval is called in a step.", hint="Call it in the pipeline, between steps.")
    if not question.strip():
        raise InvalidInput("An approval asks something.", hint="Write keel.approval('May this go live?').")
    run = current()
    if run is None:
        return Approval(question, own, "approved")
    return run.ask(question, show, own)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError):
        return {}


def _read(pipeline_name: str, name: str, value: Any, hint: Any) -> Any:
    if hint is None or hint is Any:
        return value
    if hint is bool and isinstance(value, str) and value.lower() in {"yes", "no", "on", "off"}:
        return value.lower() in {"yes", "on"}
    try:
        return msgspec.convert(value, hint, strict=not isinstance(value, str))
    except msgspec.ValidationError as error:
        shown = getattr(hint, "__name__", str(hint))
        raise InvalidInput(f"{pipeline_name} wants {shown} for {name!r}, not {value!r}.", hint=str(error)) from error
    except TypeError:
        return value  # an annotation that says nothing of plain values
