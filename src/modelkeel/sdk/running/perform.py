"""Runs one step in this process: seeded, measured, with the secrets that it may have, its result as content."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.sdk import secrets
from modelkeel.sdk.running.lazy import unwrap
from modelkeel.sdk.running.options import StepLike
from modelkeel.sdk.running.usage import Stopwatch, Used
from modelkeel.sdk.values import Encoded, encode
from modelkeel.sdk.values.pickled import forget_run


class Failed(Exception):
    """The step failed; the cause is its own exception.

    Args:
        used: until then.
    """

    def __init__(self, used: Used) -> None:
        super().__init__()
        self.used = used


@dataclass(frozen=True, slots=True)
class Performed:
    """A step's result, what it is by content, and what it used."""

    result: Any
    encoded: Encoded
    used: Used


def perform(step: StepLike, name: str, bound: inspect.BoundArguments, sow: Callable[[str], None]) -> Performed:
    """Runs a step.

    Args:
        step: which.
        name: as which the call is shown.
        bound: its arguments.
        sow: seeds the generators for a step.

    Raises:
        Failed: the step did, or its result can't be stored.
    """
    arguments = [unwrap(value) for value in bound.args]
    named = {key: unwrap(value) for key, value in bound.kwargs.items()}
    watch = Stopwatch()
    try:
        sow(step.name)
        with secrets.within(step.name, step.options.secrets):
            result = unwrap(step.function(*arguments, **named))
        used = watch.stop()
        encoded = encode(result)
        forget_run(result)
        _keep_in(encoded, name)
    except BaseException as error:
        raise Failed(watch.stop()) from error
    return Performed(result, encoded, used)


def told(error: BaseException) -> str:
    """A failure in one line, without secrets."""
    return secrets.redact(f"{type(error).__name__}: {error}")[:500]


def _keep_in(encoded: Encoded, step: str) -> None:
    """Refuses a result that holds a secret's value: it would be stored."""
    if not secrets.looked_up():
        return
    described = msgspec.json.encode(encoded.value)  # small values stand in it
    for item in (described, *encoded.content.values()):
        name = secrets.held_in(item if isinstance(item, bytes) else item.read_bytes())
        if name is not None:
            raise InvalidInput(
                f"The result of {step} holds the value of the secret {name}.", hint="Return what it opens, not the key."
            )
