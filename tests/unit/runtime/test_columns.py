"""Values from JSON: what fits a column is taken, anything else is refused by name."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.core.errors import InvalidInput
from modelkeel.runtime.columns import NUMPY, ColumnReader, array, flat, nested
from modelkeel.runtime.loading import difference
from modelkeel.wire.serving import Column, Tensor


def read(dtype: str, json: str, rows: int = 2, shape: tuple[int, ...] = ()) -> list[object]:
    return ColumnReader(Column("x", dtype, shape)).decode(json.encode(), rows)  # type: ignore[arg-type]


def test_flat_and_nested_data_are_the_same():
    assert read("FP64", "[1,2.5]") == read("FP64", "[[1],[2.5]]") == [1.0, 2.5]
    assert read("INT64", "[1.0,2]") == [1, 2]
    assert read("FP32", "[1,2,3,4]", shape=(2,)) == read("FP32", "[[1,2],[3,4]]", shape=(2,)) == [[1, 2], [3, 4]]
    assert math.isnan(array(read("FP64", "[1,null]"), np.float64)[1])


@pytest.mark.parametrize(
    ("dtype", "json"),
    [
        ("INT8", "[1,128]"),
        ("INT8", "[1,-129]"),
        ("UINT8", "[1,-1]"),
        ("UINT8", "[1,256]"),
        ("INT64", "[1,9223372036854775808]"),
        ("INT64", "[1,1.5]"),
        ("INT64", '[1,"2"]'),
        ("INT64", "[1,true]"),
        ("INT64", "[1,null]"),
        ("BOOL", "[1,0]"),
        ("BYTES", "[1,2]"),
        ("BYTES", '["a",null]'),
        ("FP64", '["a","b"]'),
        ("FP64", "[1e999,1]"),
        ("FP64", "[1]"),
        ("FP64", "[1,2,3]"),
        ("FP64", "[[1,2]]x"),
        ("FP64", "{}"),
        ("FP64", "[[[[[[[[[[[[1]]]]]]]]]]]],2]"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(dtype: str, json: str):
    with pytest.raises(InvalidInput, match="'x'"):
        read(dtype, json)


@given(st.sampled_from([d for d in NUMPY if "INT" in d]), st.data())
def test_every_integer_that_is_accepted_fits_its_array(dtype: str, data: st.DataObject):
    info = np.iinfo(NUMPY[dtype])  # type: ignore[type-var]
    value = data.draw(st.integers(int(info.min) - 2, int(info.max) + 2))
    try:
        values = read(dtype, f"[{value}]", 1)
    except InvalidInput:
        assert not int(info.min) <= value <= min(int(info.max), 2**63 - 1)
    else:
        assert array(values, NUMPY[dtype]).tolist() == [value]


@given(st.lists(st.integers(), min_size=24, max_size=24))
def test_flat_undoes_nested(values: list[int]):
    for shape in ((), (2,), (3, 4), (2, 3, 2)):
        assert flat(nested(values, shape), shape) == values


def test_a_difference_is_named_and_the_tolerance_kept():
    column = Column("p", "FP32", (2,))
    logged = Tensor("p", "FP32", (2, 2), [0.25, 0.75, None, 1.0])
    assert difference(column, logged, [[0.25 + 9e-6, 0.75], [math.nan, 1.0]]) == ""
    assert "row 0 was logged as [0.25, 0.75]" in difference(column, logged, [[0.25 + 2e-5, 0.75], [math.nan, 1.0]])
    assert "1 of 2 rows" in difference(column, logged, [[0.25, 0.75], [0.0, 1.0]])
    assert "gave 1" in difference(column, logged, [[0.25, 0.75]])
    assert difference(Column("l", "BYTES"), Tensor("l", "BYTES", (1,), ["a"]), ["b"])


def test_the_sample_file_is_plain_json():
    tensor = msgspec.json.decode(b'{"name":"a","datatype":"FP64","shape":[2,1],"data":[[1],[2]]}', type=Tensor)
    assert ColumnReader(Column("a", "FP64")).convert(tensor.data, 2) == [1.0, 2.0]
