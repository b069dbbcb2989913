"""The cache key of a step: the digest of everything that its result depends on, kept in parts."""

from collections.abc import Mapping

import msgspec

from modelkeel.wire.pipelines import KeyParts
from modelkeel.wire.values import Value


def parts_of(
    *,
    code: dict[str, str],
    inputs: Mapping[str, Value],
    data: Mapping[str, Value],
    environment: str,
    python: str,
    seed: int,
) -> KeyParts:
    """Sorts arguments into inputs (made by steps, declared as data, or too rich for a parameter) and params."""
    params = {name: value for name, value in inputs.items() if value.kind == "json" and not from_step(value)}
    return KeyParts(
        code=code,
        inputs={name: _content(value) for name, value in inputs.items() if name not in params},
        params={name: _content(value) for name, value in params.items()},
        data={name: _content(value) for name, value in data.items()},
        environment=environment,
        python=python,
        seed=seed,
    )


def from_step(value: Value) -> bool:
    """Whether a step of this run made the value or a part of it."""
    return value.step is not None or any(from_step(item) for item in value.items)


def made_by(value: Value, step: int | None) -> Value:
    """The value with the step that made it noted on it and on its parts; None: noted nowhere."""
    items = [made_by(item, step) for item in value.items]
    return msgspec.structs.replace(value, step=step, items=items)


def _content(value: Value) -> str:
    return f"{value.kind}:{value.digest}"
