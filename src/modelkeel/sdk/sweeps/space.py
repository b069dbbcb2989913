"""What a sweep may choose from: a range of numbers, a range of whole numbers, or some values."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from modelkeel.core.errors import InvalidInput

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_TEXT = re.compile(r"(uniform|log|int|logint|choice)\((.*)\)", re.DOTALL)
Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Uniform:
    """Numbers from `low` to `high`, both included; with `log` their logarithms are drawn evenly."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Integer:
    """Whole numbers from `low` to `high`, both included, in steps; with `log` their logarithms are drawn evenly."""

    low: int
    high: int
    log: bool = False
    step: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values: texts, numbers, yes or no, nothing."""

    values: tuple[Plain, ...]


Range = Uniform | Integer | Choice
Space = Mapping[str, Range]


def uniform(low: float, high: float, *, log: bool = False) -> Uniform:
    """Numbers from `low` to `high` in a sweep.

    Args:
        low: the least.
        high: the greatest.
        log: whether the logarithm is drawn evenly: for learning rates and the like.

    Raises:
        InvalidInput: nothing lies between, or the logarithm of something that has none is asked for.
    """
    _check(low, high, log=log)
    return Uniform(float(low), float(high), log)


def integer(low: int, high: int, *, log: bool = False, step: int = 1) -> Integer:
    """Whole numbers from `low` to `high` in a sweep.

    Args:
        low: the least.
        high: the greatest.
        log: whether the logarithm is drawn evenly.
        step: from one to the next; 1 with `log`.

    Raises:
        InvalidInput: nothing lies between, or `step` does not fit.
    """
    _check(low, high, log=log)
    if step < 1 or (log and step != 1):
        raise InvalidInput(f"A step is 1 or more, and 1 with log, not {step}.")
    return Integer(int(low), int(high), log, step)


def choice(*values: Plain) -> Choice:
    """One of some values in a sweep.

    Raises:
        InvalidInput: there is none, or one is no plain value.
    """
    if not values:
        raise InvalidInput("A choice has something to choose from.", hint="Write keel.choice('a', 'b').")
    for value in values:
        if not isinstance(value, Plain):
            raise InvalidInput(f"A sweep chooses among plain values, not {value!r}.", hint="Choose its name instead.")
    return Choice(tuple(values))


def check_space(space: Space) -> None:
    """Refuses a space with something else than ranges.

    Raises:
        InvalidInput: it names the parameter.
    """
    if not space:
        raise InvalidInput("A sweep varies at least one parameter.", hint="Write {'lr': keel.uniform(0.001, 0.1)}.")
    for name, given in space.items():
        if not isinstance(given, Range):
            raise InvalidInput(
                f"{name!r} is no range: {given!r}.", hint="Write keel.uniform, keel.integer or keel.choice."
            )


def distributions(space: Space) -> "dict[str, BaseDistribution]":
    """The space in Optuna's terms."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, given in space.items():
        if isinstance(given, Uniform):
            found[name] = FloatDistribution(given.low, given.high, log=given.log)
        elif isinstance(given, Integer):
            high = given.low + (given.high - given.low) // given.step * given.step
            found[name] = IntDistribution(given.low, high, log=given.log, step=given.step)
        else:
            found[name] = CategoricalDistribution(given.values)
    return found


def read_range(name: str, text: str) -> Range:
    """A range as the command line has it: `uniform(0,1)`, `log(1e-5,0.1)`, `int(1,9)`, `logint(1,512)`, `choice(a,b)`.

    Raises:
        InvalidInput: another form; it names the parameter.
    """
    found = _TEXT.fullmatch(text.strip())
    parts = [part.strip() for part in found[2].split(",")] if found else []
    try:
        if found is None or not all(parts):
            raise ValueError
        if found[1] == "choice":
            return choice(*(_plain(part) for part in parts))
        low, high = parts
        if found[1] in {"int", "logint"}:
            return integer(int(low), int(high), log=found[1] == "logint")
        return uniform(float(low), float(high), log=found[1] == "log")
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is no range for {name!r}.",
            hint="Write uniform(0,1), log(1e-5,0.1), int(1,9), logint(1,512) or choice(a,b).",
        ) from error


def _plain(text: str) -> Plain:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, Plain) else text


def _check(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise InvalidInput(f"Nothing lies between {low} and {high}.", hint="Give the least first, then the greatest.")
    if log and low <= 0:
        raise InvalidInput(f"{low} has no logarithm.", hint="Begin above 0, or leave log out.")


def told(space: Space) -> dict[str, Any]:
    """The space as plain JSON, for the record."""
    return {name: {"kind": type(given).__name__.lower(), **_fields(given)} for name, given in space.items()}


def _fields(given: Range) -> dict[str, Any]:
    return {name: getattr(given, name) for name in given.__slots__}
