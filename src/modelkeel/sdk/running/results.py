"""Results of this run's steps, by the object: so that an argument is known as a result, and by which step."""

import weakref
from collections.abc import Callable
from typing import Any

from modelkeel.sdk.running.lazy import Lazy, described, is_lazy
from modelkeel.sdk.values import encode
from modelkeel.sdk.values.codec import is_steady
from modelkeel.wire.values import Value

_SMALL = (bool, int, str, bytes, type(None))


class Results:
    """Which objects are results. Objects are not kept alive where Python can do without."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Callable[[], Any], Value]] = {}

    def note(self, result: Any, value: Value) -> None:
        """Notes a result and the parts of it."""
        if is_lazy(result) or isinstance(result, _SMALL):
            return
        try:
            reference: Callable[[], Any] = weakref.ref(result)
        except TypeError:

            def reference(kept: Any = result) -> Any:
                return kept

        self._by_id[id(result)] = (reference, value)
        if type(result) in {list, tuple} and len(result) == len(value.items):
            for item, part in zip(result, value.items, strict=True):
                self.note(item, part)
        elif type(result) is dict and value.kind == "dict":
            for item, part in zip(result.values(), value.items, strict=True):
                self.note(item, part)

    def known(self, argument: Any) -> Value | None:
        """What an argument is, if it is a result that nobody changed since."""
        if is_lazy(argument):
            return _of_lazy(argument)
        found = self._by_id.get(id(argument))
        if found is None or found[0]() is not argument:
            return None
        value = found[1]
        if is_steady(argument) or encode(argument, _of_lazy).value.digest == value.digest:
            return value
        return None


def _of_lazy(value: Any) -> Value | None:
    lazy: Lazy | None = value if is_lazy(value) else None
    return None if lazy is None else described(lazy)
