"""What a step hands on comes back as it was, and equal values give equal bytes."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier

from modelkeel.core.errors import Corrupt, InvalidInput
from modelkeel.sdk.values import Encoded, decode, encode
from modelkeel.sdk.values.handlers import artifact


def _fetch(encoded: Encoded) -> Callable[[str], bytes]:
    def fetch(digest: str) -> bytes:
        content = encoded.content[digest]
        return content if isinstance(content, bytes) else content.read_bytes()

    return fetch


def _again(value: Any, folder: Path) -> Any:
    encoded = encode(value)
    assert set(encoded.value.blobs()) <= set(encoded.content)
    return decode(encoded.value, _fetch(encoded), folder)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        2**70,
        -0.0,
        "naïve \ud800 text",
        {"b": [1, 2.5, None], "a": {"deep": "x"}},
        (1, ("two", [3])),
        [(1, 2), b"bytes"],
        {"long": "x" * 5000},
        datetime(2026, 11, 24, 2, 30, 1, 5),  # noqa: DTZ001 - without a zone on purpose
        [datetime(2026, 11, 24, tzinfo=UTC), date(2026, 1, 2), time(3, 4), timedelta(days=2, microseconds=5)],
        (Decimal("1.10"), UUID(int=7)),
    ],
)
def test_plain_values_come_back_with_their_types(value: Any, tmp_path: Path) -> None:
    again = _again(value, tmp_path)
    assert repr(again) == repr(value)


def test_a_float_that_is_not_a_number_comes_back(tmp_path: Path) -> None:
    found = _again({"x": math.nan, "y": -math.inf}, tmp_path)
    assert math.isnan(found["x"])
    assert found["y"] == -math.inf


@pytest.mark.parametrize("value", [np.float32(1.5), np.arange(6).reshape(2, 3), np.asfortranarray(np.eye(3)[:, :2])])
def test_arrays_come_back_with_dtype_and_layout(value: Any, tmp_path: Path) -> None:
    again = _again(value, tmp_path)
    assert again.dtype == value.dtype
    assert np.array_equal(again, value)
    assert np.asarray(again).flags["F_CONTIGUOUS"] == np.asarray(value).flags["F_CONTIGUOUS"]


def test_polars_frames_have_one_form_whatever_their_history() -> None:
    whole = pl.DataFrame({"a": ["x", "yyyyyyyyyyyyyyyyyyyyyy", None], "b": [1.5, None, 2.0]})
    pieces = pl.concat([whole[:1], pl.concat([whole, whole])[4:6]], rechunk=False)
    assert encode(whole).value.digest == encode(pieces).value.digest
    assert encode(whole).value.digest != encode(whole.reverse()).value.digest


def test_polars_frames_come_back(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"t": pl.datetime_range(pl.datetime(2013, 1, 1), pl.datetime(2013, 1, 3), eager=True)[:3], "l": [[1], [], None]}
    )
    assert _again(frame, tmp_path).equals(frame)
    assert _again(frame["t"], tmp_path).equals(frame["t"])


PANDAS = [
    pd.DataFrame({"a": [1, 2], "b": [1.5, np.nan], "c": ["x", None], "d": [True, False]}),
    pd.DataFrame({"a": pd.Series(["x", np.nan], dtype=object)}),
    pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "s": pd.array(["x", None], dtype="string")}),
    pd.DataFrame({"c": pd.Categorical(["u", None, "v"], categories=["v", "u"], ordered=True)}),
    pd.DataFrame({"t": pd.to_datetime(["2013-01-01", "2013-07-02"]).tz_localize("America/New_York")}, index=["p", "q"]),
    pd.DataFrame({"x": np.arange(4, dtype="float32")}, index=pd.MultiIndex.from_product([[1, 2], ["a", "b"]])),
    pd.DataFrame({0: [1, 2], 1: [3, 4]}, index=pd.Index([5, 7], name="key")),
    pd.DataFrame(index=pd.RangeIndex(3)),
    pd.DataFrame({"a": []}),
]


@pytest.mark.parametrize("frame", PANDAS)
def test_pandas_frames_come_back_exactly(frame: pd.DataFrame, tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(_again(frame, tmp_path), frame, check_freq=False)
    assert encode(frame).value.digest == encode(frame.copy()).value.digest


def test_a_large_table_of_which_a_tenth_changed_shares_the_rest(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(300_000, 8))
    changed = numbers.copy()
    changed[:30_000] += 1
    for make in (pl.DataFrame, pd.DataFrame):
        before, after = encode(make(numbers)), encode(make(changed))
        sizes = after.value.blobs()
        assert len(sizes) > 3
        added = sum(size for digest, size in sizes.items() if digest not in before.content)
        assert added < 0.25 * sum(sizes.values())
        assert after.value.digest != before.value.digest
        assert encode(make(numbers)).value == before.value
    texts = pd.DataFrame({"t": pd.Categorical(["a", "b", "c", None] * 75_000), "n": numbers[:, 0]})
    texts.index = pd.Index(np.arange(300_000) * 2, name="row")
    pd.testing.assert_frame_equal(_again(texts, tmp_path), texts)
    long = pl.DataFrame({"text": [f"{one:040d}" for one in range(300_000)], "none": [None] * 300_000})
    assert len(encode(long).value.items) > 1
    assert _again(long, tmp_path).equals(long)


def test_a_pandas_series_comes_back(tmp_path: Path) -> None:
    series = pd.Series([1.0, 2.0], name="y", index=["a", "b"])
    pd.testing.assert_series_equal(_again(series, tmp_path), series)


def test_equal_models_give_equal_bytes_whatever_the_strings_identity(tmp_path: Path) -> None:
    x = pd.DataFrame({"one": np.arange(40.0), "two": np.arange(40.0)[::-1]})
    y = (np.arange(40) % 3 == 0).astype(int)
    first = RandomForestClassifier(5, random_state=0).fit(x, y)
    renamed = x.rename(columns={name: "".join(list(name)) for name in x.columns})
    second = RandomForestClassifier(5, random_state=0).fit(renamed, y)
    encoded = encode(first)
    assert encoded.value.digest == encode(second).value.digest == encode(_again(first, tmp_path)).value.digest
    assert encoded.value.note == "pickle"
    assert encode(RandomForestClassifier(5, random_state=1).fit(x, y)).value.digest != encoded.value.digest


def test_files_and_folders_come_back_as_paths(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b.txt").write_text("b")
    (folder / "a.txt").write_text("a")
    again = _again({"all": folder, "one": folder / "a.txt"}, tmp_path / "cache")
    assert sorted(p.name for p in again["all"].rglob("*.txt")) == ["a.txt", "b.txt"]
    assert again["one"].read_text() == "a"
    assert again["one"].name == "a.txt"


def test_a_changed_blob_is_noticed(tmp_path: Path) -> None:
    encoded = encode(np.arange(10))
    with pytest.raises(Corrupt):
        decode(encoded.value, lambda _: b"something else", tmp_path)


@pytest.mark.parametrize("value", [object(), {1: 2}, np.array([object()]), pd.DataFrame({"a": [1, "x"]}), Path("no")])
def test_what_can_not_be_stored_is_refused_with_advice(value: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        encode(value)
    assert refused.value.message


def test_a_users_own_type_travels_by_its_registered_class(tmp_path: Path) -> None:
    @artifact(save=lambda point: f"{point.x}".encode(), load=lambda content: Point(int(content)))
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    assert _again([Point(3)], tmp_path)[0].x == 3
