"""Canonical JSON (RFC 8785), the form in which everything that is hashed or signed is written."""

import math
from typing import Any

import rfc8785

_SAFE = 2**53 - 1


def jsonable(value: Any) -> Any:
    """`value` with what canonical JSON can't hold made text: integers beyond 2⁵³ and non-finite floats."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -_SAFE <= value <= _SAFE else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of `value` after `jsonable`."""
    return rfc8785.dumps(jsonable(value))
