"""Keys, values and paths: what is let in, in MLflow's words."""

import math

import pytest

from modelkeel.core.errors import InvalidInput
from modelkeel.tracking import rules
from modelkeel.tracking.models import Metric


@pytest.mark.parametrize("key", ["auc", "val/auc", "a b.c-d:e_f", "läuft"])
def test_keys_that_are_fine(key: str) -> None:
    rules.check_name(key)


@pytest.mark.parametrize("key", ["", "a\\b", "a$", "../up", "/root", "a//b", "a/../b", ".", "a/", "new\nline"])
def test_keys_that_are_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        rules.check_name(key)


def test_batch_limits_name_what_is_too_much() -> None:
    rules.check_batch(1000, 0, 0)
    rules.check_batch(800, 100, 100)
    for counts, what in (((1001, 0, 0), "metrics"), ((0, 101, 0), "params"), ((0, 0, 101), "tags")):
        with pytest.raises(InvalidInput, match=rf"at most \d+ {what}"):
            rules.check_batch(*counts)
    with pytest.raises(InvalidInput, match="metrics, params, and tags"):
        rules.check_batch(900, 100, 1)


def test_lengths() -> None:
    rules.check_param("k" * 250, "v" * 6000)
    rules.check_tag("k", "v" * 8000)
    with pytest.raises(InvalidInput, match="exceeds the maximum length of 250"):
        rules.check_param("k" * 251, "")
    with pytest.raises(InvalidInput, match="exceeds the maximum length of 6000"):
        rules.check_param("k", "v" * 6001)
    with pytest.raises(InvalidInput, match="exceeds the maximum length of 8000"):
        rules.check_tag("k", "v" * 8001)


@pytest.mark.parametrize(("timestamp", "step"), [(-1, 0), (2**63, 0), (0, 2**63), (0, -(2**63) - 1)])
def test_times_and_steps_are_64_bits(timestamp: int, step: int) -> None:
    rules.check_metrics([Metric("m", 1.0, 0, -(2**63)), Metric("m", 1.0, 2**63 - 1, 2**63 - 1)])
    with pytest.raises(InvalidInput, match=r"metrics\[1\]"):
        rules.check_metrics([Metric("m", 1.0, 0), Metric("m", 1.0, timestamp, step)])


def test_values_that_a_database_can_hold() -> None:
    assert rules.stored_value(1.5) == (1.5, 0)
    assert rules.stored_value(math.nan) == (0.0, 1)
    assert rules.stored_value(math.inf) == (rules.LARGEST, 0)
    assert rules.stored_value(-math.inf) == (-rules.LARGEST, 0)
