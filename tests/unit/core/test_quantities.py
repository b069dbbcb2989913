"""Durations and sizes as people write them."""

import pytest

from modelkeel.core.errors import InvalidInput
from modelkeel.core.quantities import seconds, size
from modelkeel.sdk.running.options import Options


@pytest.mark.parametrize(("text", "found"), [("90s", 90), ("250ms", 0.25), ("2h", 7200), ("1.5m", 90), (3, 3)])
def test_durations(text: str | float, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize(("text", "found"), [("2GiB", 2 << 30), ("1.5MB", 1_500_000), ("100K", 100_000), (7, 7)])
def test_sizes(text: str | int, found: int) -> None:
    assert size(text) == found


@pytest.mark.parametrize("wrong", ["", "7", "7 days", "-1s", "0s", 0, -2])
def test_wrong_durations_are_refused(wrong: str | float) -> None:
    with pytest.raises(InvalidInput):
        seconds(wrong)


@pytest.mark.parametrize("wrong", ["", "GB", "-1K", "0", 0, "2PB"])
def test_wrong_sizes_are_refused(wrong: str | int) -> None:
    with pytest.raises(InvalidInput):
        size(wrong)


def test_what_a_step_needs_bounds_how_many_run_at_once() -> None:
    assert Options(cpu=2).at_once(8, processors=4, memory=1 << 30) == 2
    assert Options(memory=600 << 20).at_once(8, processors=4, memory=1 << 30) == 1
    assert Options(cpu=16).at_once(8, processors=4, memory=1 << 30) == 1
    assert Options().at_once(3, processors=4, memory=1 << 30) == 3
