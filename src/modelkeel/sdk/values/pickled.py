"""Fitted models as pickles whose bytes depend on the content alone.

An ordinary pickle also holds what is no content: which equal texts and dtypes are one object (that changes with the
history of the process: interning, what was loaded from where), the padding bytes of structured arrays (a decision
tree's nodes), which nobody sets, and autolog's note of the run that fitted it. Here equal texts and dtypes are always
one object, padding is zero and the note is left out, so an equal model gives equal bytes. Such a pickle is loaded only
in the user's own processes: the server never does.
"""

import io
import pickle
import sys
from typing import Any

PROTOCOL = 5
NOTE = "_mlflow_run_id"


def forget_run(result: Any) -> None:
    """Takes autolog's note off models that leave a step, so that they go on as they are stored: as their content."""
    for item in result if isinstance(result, list | tuple) else [result]:
        getattr(item, "__dict__", {}).pop(NOTE, None)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=PROTOCOL)
        self._same: dict[Any, Any] = {}
        self._numpy = sys.modules.get("numpy")

    def persistent_id(self, obj: Any) -> Any:
        """Texts and dtypes travel as the first equal one, so that equal ones share one place."""
        if type(obj) is str or (self._numpy is not None and isinstance(obj, self._numpy.dtype)):
            return self._same.setdefault((type(obj), obj), obj)
        return None

    def reducer_override(self, obj: Any) -> Any:
        """A structured array travels with its padding zeroed, a model without autolog's note."""
        if NOTE in getattr(obj, "__dict__", ()) and not isinstance(obj, type):
            made, arguments, state, *rest = obj.__reduce_ex__(PROTOCOL)
            return (made, arguments, {name: value for name, value in state.items() if name != NOTE}, *rest)
        if self._numpy is None or type(obj) is not self._numpy.ndarray or not _padded(obj.dtype):
            return NotImplemented
        clean = self._numpy.zeros(obj.shape, obj.dtype)
        for name in obj.dtype.names:
            clean[name] = obj[name]
        return clean.__reduce__()


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        return pid


def _padded(dtype: Any) -> bool:
    return bool(dtype.names) and sum(dtype.fields[name][0].itemsize for name in dtype.names) < dtype.itemsize


def save(model: Any) -> bytes:
    """The model's bytes."""
    buffer = io.BytesIO()
    _Pickler(buffer).dump(model)
    return buffer.getvalue()


def load(content: bytes) -> Any:
    """The model again. Runs code that the content names: only for content of the user's own."""
    return _Unpickler(io.BytesIO(content)).load()
