"""A cached result that is fetched only when somebody looks at it."""

import operator
from collections.abc import Callable
from typing import Any

from modelkeel.wire.values import Value

_UNSET = object()
_BUILTIN: tuple[Callable[..., Any], ...] = (bool, str, repr, hash, len, iter, float, int, format, dir, abs)
_OPERATORS = (
    "add sub mul truediv floordiv mod pow matmul neg and_ or_ xor invert",
    "eq ne lt le gt ge index contains getitem setitem",
)
_OWN = "call radd rsub rmul rtruediv fspath array dataframe enter exit"


class Lazy:
    """Stands for a stored value; behaves as that value in everything that Python code can do with it.

    Handed to another step it is never fetched unless that step really runs, which then gets the value itself.
    """

    __slots__ = ("_keel_found", "_keel_load", "_keel_value")

    def __init__(self, value: Value, load: Callable[[], Any]) -> None:
        object.__setattr__(self, "_keel_value", value)
        object.__setattr__(self, "_keel_load", load)
        object.__setattr__(self, "_keel_found", _UNSET)

    def __getattribute__(self, name: str) -> Any:
        if name in Lazy.__slots__:
            return object.__getattribute__(self, name)
        return getattr(found(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(found(self), name, value)


def found(lazy: Lazy) -> Any:
    """The value itself, fetched at the first call."""
    value = lazy._keel_found
    if value is _UNSET:
        value = lazy._keel_load()
        object.__setattr__(lazy, "_keel_found", value)
    return value


def described(lazy: Lazy) -> Value:
    """What the value is, without fetching it."""
    value: Value = lazy._keel_value
    return value


def is_lazy(value: Any) -> bool:
    """Whether a value is such a stand-in. `isinstance` can't tell: it sees the value's own class."""
    return type(value) is Lazy


def unwrap(value: Any) -> Any:
    """The value with every stand-in in it replaced by what it stands for."""
    if is_lazy(value):
        return found(value)
    if type(value) in {list, tuple}:
        return type(value)(unwrap(item) for item in value)
    if type(value) is dict:
        return {name: unwrap(item) for name, item in value.items()}
    return value


def _through(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Lazy, *arguments: Any) -> Any:
        return function(found(self), *(unwrap(argument) for argument in arguments))

    return method


def _own(name: str) -> Callable[..., Any]:
    def method(self: Lazy, *arguments: Any, **named: Any) -> Any:
        return getattr(found(self), name)(*(unwrap(argument) for argument in arguments), **named)

    return method


for _function in (*_BUILTIN, *(getattr(operator, name) for group in _OPERATORS for name in group.split())):
    setattr(Lazy, f"__{_function.__name__.rstrip('_')}__", _through(_function))
for _name in _OWN.split():
    setattr(Lazy, f"__{_name}__", _own(f"__{_name}__"))
