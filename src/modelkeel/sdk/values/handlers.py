"""Which types a step may return, one handler each. A foreign library is imported only when a value of its appears."""

import importlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from modelkeel.core.errors import InvalidInput

T = TypeVar("T", bound=type)


@dataclass(frozen=True, slots=True)
class Handler:
    """Turns values of one kind into bytes and back.

    Attributes:
        kind: stands in the stored value.
        handles: whether a value is of this kind.
        save: its bytes, in parts where that lets values share some; equal values give equal bytes.
        load: the value, from what `save` gave.
        steady: whether nobody changes such a value in place, so that its digest holds.
        note: what a reader should know; `pickle` marks content that only the user's own processes may load.
    """

    kind: str
    handles: Callable[[Any], bool]
    save: Callable[[Any], bytes | list[bytes]]
    load: Callable[[Any], Any]
    steady: bool = False
    note: str = ""


def handler_for(value: Any) -> Handler:
    """The handler of a value.

    Raises:
        InvalidInput: no handler knows its type.
    """
    for handler in _HANDLERS:
        if handler.handles(value):
            return handler
    kind = type(value)
    raise InvalidInput(
        f"A step can't hand on a {kind.__module__}.{kind.__qualname__}.",
        hint="Return a table, an array, a model, JSON values or a path, or register the type with keel.artifact.",
    )


def handler_of(kind: str) -> Handler:
    """The handler of a stored kind.

    Raises:
        InvalidInput: it is unknown here, for instance a user's own type whose module is not imported.
    """
    for handler in _HANDLERS:
        if handler.kind == kind:
            return handler
    module, _, _ = kind.partition(":")
    if ":" in kind and module not in sys.modules:
        importlib.import_module(module)
        return handler_of(kind)
    raise InvalidInput(f"Nothing here reads artifacts of the kind {kind!r}.")


def artifact(*, save: Callable[[Any], bytes], load: Callable[[bytes], Any]) -> Callable[[T], T]:
    """Registers a class of the user's, so that steps may hand on its instances.

    Args:
        save: the bytes of an instance; equal instances must give equal bytes.
        load: the instance again.

    Returns:
        A class decorator.
    """

    def register(cls: T) -> T:
        kind = f"{cls.__module__}:{cls.__qualname__}"
        _HANDLERS[:] = [h for h in _HANDLERS if h.kind != kind]
        _HANDLERS.insert(0, Handler(kind, lambda value: type(value) is cls, save, load))
        return cls

    return register


def _of_library(value: Any, library: str) -> bool:
    return any(base.__module__.partition(".")[0] == library for base in type(value).__mro__)


def _is(library: str, name: str) -> Callable[[Any], bool]:
    """Whether a value is an instance of a library's class, without importing the library."""

    def check(value: Any) -> bool:
        module = sys.modules.get(library)
        return module is not None and isinstance(value, getattr(module, name))

    return check


def _save_npy(value: Any) -> bytes:
    import numpy as np

    array = np.asanyarray(value)
    if array.dtype.hasobject:
        raise InvalidInput("A step can't hand on an array of Python objects.", hint="Give the array a fixed dtype.")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(3, 0), allow_pickle=False)
    return buffer.getvalue()


def _load_npy(content: bytes) -> Any:
    import numpy as np

    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array[()] if array.ndim == 0 else array


def _frames(name: str) -> Callable[[Any], Any]:
    """A function of the module `frames`, found when it is first called."""

    def call(value: Any) -> Any:
        return getattr(importlib.import_module("modelkeel.sdk.values.frames"), name)(value)

    return call


def _pickled(name: str) -> Callable[[Any], Any]:
    """A function of the module `pickled`, found when it is first called."""

    def call(value: Any) -> Any:
        return getattr(importlib.import_module("modelkeel.sdk.values.pickled"), name)(value)

    return call


def _is_model(value: Any) -> bool:
    return any(_of_library(value, library) for library in ("sklearn", "xgboost", "lightgbm", "imblearn"))


def _is_numpy(value: Any) -> bool:
    return _is("numpy", "ndarray")(value) or _is("numpy", "generic")(value)


def _plain(kind: type) -> Handler:
    """A plain type of Python's own that JSON has no word for, as a JSON text: RFC 3339, ISO 8601, decimal digits."""
    return Handler(
        kind.__name__,
        lambda value: type(value) is kind,
        msgspec.json.encode,
        lambda content: msgspec.json.decode(content, type=kind),
        steady=True,
    )


_HANDLERS: list[Handler] = [
    *(_plain(kind) for kind in (datetime, date, time, timedelta, Decimal, UUID)),
    Handler("bytes", lambda value: type(value) is bytes, bytes, bytes, steady=True),
    Handler("numpy", _is_numpy, _save_npy, _load_npy),
    Handler("polars", _is("polars", "DataFrame"), _frames("save_polars"), _frames("load_polars"), steady=True),
    Handler("polars_series", _is("polars", "Series"), _frames("save_series"), _frames("load_series"), steady=True),
    Handler("pandas", _is("pandas", "DataFrame"), _frames("save_pandas"), _frames("load_pandas")),
    Handler("pandas_series", _is("pandas", "Series"), _frames("save_pandas_series"), _frames("load_pandas_series")),
    Handler("model", _is_model, _pickled("save"), _pickled("load"), note="pickle"),
]
