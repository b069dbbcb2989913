"""Columns of values: typed decoding of what a caller sent, numpy arrays for a model, lists for an answer.

Between socket and model a column is a plain list with one entry a row (nested lists for columns with a shape), so
requests are joined by joining lists and the arrays are built once a batch.
"""

import math
import types
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from modelkeel.core.errors import InvalidInput
from modelkeel.wire.serving import Column

Columns = list[list[Any]]
Array = npt.NDArray[Any]

NUMPY: dict[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}
_INTEGERS = frozenset(name for name in NUMPY if "INT" in name)
_FLOATS = frozenset({"FP32", "FP64"})
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def accepts(column: str, sent: str) -> bool:
    """Whether values sent as datatype `sent` may go into a column of datatype `column` without losing their meaning."""
    if column == sent or (column in _FLOATS and sent in _INTEGERS | _FLOATS):
        return True
    return column in _INTEGERS and sent in _INTEGERS


def _element(dtype: str) -> Any:
    if dtype == "BOOL":
        return bool
    if dtype == "BYTES":
        return str
    if dtype in _FLOATS:
        return float | None  # JSON has no NaN: null stands for it
    low = 0 if dtype.startswith("U") else -(2 ** (int(dtype[3:]) - 1))
    high = 2 ** int(dtype[4:]) - 1 if dtype.startswith("U") else -low - 1
    return Annotated[int, msgspec.Meta(ge=low, le=min(high, 2**63 - 1))]


class ColumnReader:
    """Reads one column's values out of JSON or out of decoded values; every error names the column.

    Args:
        column: what the model expects.
    """

    __slots__ = ("_convert", "_decoder", "column", "name", "width")

    def __init__(self, column: Column) -> None:
        self.column = column
        self.name = column.name
        self.width = math.prod(column.shape)
        flat = types.GenericAlias(list, (_element(column.dtype),))
        self._decoder = msgspec.json.Decoder(flat)
        self._convert: Callable[[Any], list[Any]] = lambda values: msgspec.convert(values, flat)

    def decode(self, raw: bytes | memoryview | msgspec.Raw, rows: int) -> list[Any]:
        """The values of `rows` rows from a JSON array, flat or nested.

        Raises:
            InvalidInput: they are of another type, or not as many as `rows` need.
        """
        try:
            values = self._decoder.decode(raw)
        except DECODE_ERRORS as error:
            values = self._slowly(raw, error)
        return self._shaped(values, rows)

    def convert(self, values: Sequence[Any], rows: int) -> list[Any]:
        """The same for values that are decoded already."""
        return self._shaped(self._typed(_flatten(list(values))), rows)

    def _slowly(self, raw: bytes | memoryview | msgspec.Raw, error: Exception) -> list[Any]:
        try:
            anything = msgspec.json.decode(raw)
        except DECODE_ERRORS:
            raise InvalidInput(f"Input {self.name!r}: {error}.") from error
        if not isinstance(anything, list):
            raise InvalidInput(f"Input {self.name!r}: its data must be an array.")
        return self._typed(_flatten(anything))

    def _typed(self, values: list[Any]) -> list[Any]:
        if self.column.dtype in _INTEGERS:
            values = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
        try:
            return self._convert(values)
        except DECODE_ERRORS as error:
            raise InvalidInput(f"Input {self.name!r} is {self.column.dtype}: {error}.") from error

    def _shaped(self, values: list[Any], rows: int) -> list[Any]:
        if len(values) != rows * self.width:
            raise InvalidInput(
                f"Input {self.name!r} has {len(values)} values, but its shape needs {rows * self.width}.",
            )
        return nested(values, self.column.shape) if self.column.shape else values


def _flatten(values: list[Any], depth: int = 0) -> list[Any]:
    if depth < 8 and any(isinstance(v, list) for v in values):
        return _flatten(list(chain.from_iterable(v if isinstance(v, list) else [v] for v in values)), depth + 1)
    return values


def nested(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Flat values as one nested list a row, each of `shape`; an empty shape means one value a row."""
    for size in reversed(shape):
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values


def flat(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """The inverse of `nested`."""
    for _ in shape:
        values = list(chain.from_iterable(values))
    return values


def array(values: list[Any], dtype: type[np.generic]) -> Array:
    """One numpy array for a column's values; None becomes NaN.

    Raises:
        InvalidInput: a value doesn't fit the type that the model computes with.
    """
    try:
        return np.array(values, dtype=dtype)
    except (OverflowError, ValueError, TypeError) as error:
        raise InvalidInput(f"A value doesn't fit {np.dtype(dtype).name}: {error}.") from error
