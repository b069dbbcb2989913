"""Whether two results that differ in bytes are the same in meaning, or close. Runs in the user's own process."""

import io
import math
import pickle
import tempfile
from pathlib import Path
from typing import Any

from modelkeel.sdk.api import Api
from modelkeel.sdk.values import decode
from modelkeel.wire.values import Value

SAME, CLOSE, OTHER = "same", "close", "other"
_LOWEST_ADDRESS = 1 << 32
_DEEP = 60


def compare_values(api: Api, was: Value, now: Value, tolerance: float) -> str:
    """`same`, `close` (numbers within a relative tolerance) or `other` for two stored results."""
    if was.kind != now.kind:
        return OTHER

    def fetch(digest: str) -> bytes:
        return api.get_bytes(f"/api/v1/blobs/{digest}")

    with tempfile.TemporaryDirectory() as folder:
        return compare(decode(was, fetch, Path(folder) / "was"), decode(now, fetch, Path(folder) / "now"), tolerance)


def compare_pickles(was: bytes, now: bytes, tolerance: float) -> str:
    """`same`, `close` or `other` for two pickled models of the user's own."""
    try:
        return compare(_unpickled(was), _unpickled(now), tolerance)
    except Exception:  # noqa: BLE001 - a pickle can raise anything; what can't be loaded can't be called equal
        return OTHER


def compare(was: Any, now: Any, tolerance: float) -> str:
    """`same` if every part is equal, `close` if numbers differ within the tolerance, else `other`."""
    return _Comparison(tolerance).of(was, now, 0)


class _Comparison:
    """One comparison, part by part. It keeps what it has seen, so that loops end and no id is used twice."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._seen: dict[int, Any] = {}

    def of(self, was: Any, now: Any, deep: int) -> str:
        """The verdict on two values."""
        if was is now or id(was) in self._seen:
            return SAME
        if type(was) is not type(now) or deep > _DEEP:
            return OTHER
        if isinstance(was, float):
            return self._numbers(was, now)
        if isinstance(was, str | bytes | int) or was is None:
            return SAME if was == now else OTHER
        self._seen[id(was)] = was
        if hasattr(was, "dtype") and hasattr(was, "shape") and hasattr(was, "tobytes"):
            return self._arrays(was, now, deep)
        return self._parts(_parts(was), _parts(now), deep)

    def _parts(self, was: dict[str, Any], now: dict[str, Any], deep: int) -> str:
        if was.keys() != now.keys():
            return OTHER
        verdicts = set()
        for name, part in was.items():
            if _is_address(name, part) and _is_address(name, now[name]):
                continue  # scikit-learn's text vectorizers keep one (`_stop_words_id`), other in each process
            verdicts.add(self.of(part, now[name], deep + 1))
            if OTHER in verdicts:
                return OTHER
        return CLOSE if CLOSE in verdicts else SAME

    def _numbers(self, was: float, now: float) -> str:
        if was == now or (math.isnan(was) and math.isnan(now)):
            return SAME
        return CLOSE if math.isclose(was, now, rel_tol=self._tolerance) else OTHER

    def _arrays(self, was: Any, now: Any, deep: int) -> str:
        import numpy as np

        if was.dtype != now.dtype or was.shape != now.shape:
            return OTHER
        if was.dtype.names:
            names = was.dtype.names
            return self._parts({name: was[name] for name in names}, {name: now[name] for name in names}, deep)
        if was.dtype == object:
            return self.of(was.tolist(), now.tolist(), deep)
        real = was.dtype.kind in "fc"
        if np.array_equal(was, now, equal_nan=real):
            return SAME
        return CLOSE if real and np.allclose(was, now, rtol=self._tolerance, atol=0, equal_nan=True) else OTHER


def _is_address(name: str, value: Any) -> bool:
    """Whether a private attribute holds where an object lay in memory: what CPython's `id()` gives on 64 bits."""
    attribute = name.rpartition(":")[2].strip("'")
    private = attribute.startswith("_") and attribute.endswith("_id")
    return private and type(value) is int and value > _LOWEST_ADDRESS and value % 16 == 0


def _parts(value: Any) -> dict[str, Any]:
    """What a value consists of, by name."""
    if isinstance(value, dict):
        return {f"{type(key).__name__}:{key!r}": item for key, item in value.items()}
    if isinstance(value, list | tuple):
        return {str(index): item for index, item in enumerate(value)}
    if isinstance(value, Path):
        return dict(_tree(value))
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        found = {f"column {name}": value[name].to_numpy() for name in value.columns}
        return found | ({"index": value.index.to_numpy()} if hasattr(value, "index") else {})
    return {"values": value.to_numpy()} if hasattr(value, "to_numpy") else _state(value)


def _state(value: Any) -> dict[str, Any]:
    reduced = value.__reduce_ex__(4)
    return {"": reduced} if isinstance(reduced, str) else {str(index): part for index, part in enumerate(reduced[1:3])}


def _tree(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def _unpickled(content: bytes) -> Any:
    return pickle.load(io.BytesIO(content))  # noqa: S301 - this user's own model  # nosec B301
