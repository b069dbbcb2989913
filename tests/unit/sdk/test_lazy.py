"""A cached result that nobody fetched behaves as the value itself."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from modelkeel.sdk.running.lazy import Lazy, described, is_lazy, unwrap
from modelkeel.wire.values import Value

VALUE = Value("x", "0" * 64)


def _lazy(value: Any) -> Any:
    return Lazy(VALUE, lambda: value)


def test_it_is_not_fetched_until_somebody_looks() -> None:
    def load() -> Any:
        raise AssertionError("fetched")

    lazy = Lazy(VALUE, load)
    assert is_lazy(lazy)
    assert described(lazy) is VALUE
    with pytest.raises(AssertionError):
        len(lazy)  # type: ignore[arg-type]


def test_it_behaves_as_the_value() -> None:
    frame = _lazy(pl.DataFrame({"a": [1, 2]}))
    assert isinstance(frame, pl.DataFrame)
    assert frame.height == 2
    assert len(frame) == 2
    assert frame["a"].sum() == 3
    array = _lazy(np.arange(3))
    assert (array + 1).tolist() == [1, 2, 3]
    assert (array + _lazy(np.ones(3))).tolist() == [1.0, 2.0, 3.0]
    assert np.asarray(array).sum() == 3
    number = _lazy(3.5)
    assert number > 3
    assert f"{number:.2f}" == "3.50"
    assert bool(_lazy([])) is False
    assert list(_lazy({"k": 1})) == ["k"]


def test_unwrapping_reaches_into_containers() -> None:
    found = unwrap({"a": [_lazy(1), (_lazy("x"), 2)]})
    assert found == {"a": [1, ("x", 2)]}
    assert not is_lazy(found["a"][0])
