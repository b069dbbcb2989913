"""Policies as code: what can be written, and that a policy's name is the name of its words."""

import pytest

from modelkeel.core.errors import InvalidInput
from modelkeel.core.hashing import digest_of
from modelkeel.governance.policy import ApprovalRule, GatePolicy, parse

FULL = {
    "alias": "champion",
    "metrics": [{"metric": "auc", "min": 0.62}],
    "schema": True,
    "approvals": 1,
    "better_than_champion": {"metric": "auc", "evidence": "challenge", "min_gain": 0.01},
}


def test_the_documented_table_is_read():
    found = parse(FULL)
    assert found.metrics[0].min == 0.62
    assert found.approval == ApprovalRule(1)
    assert found.better_than_champion is not None
    assert found.better_than_champion.direction == "higher"


def test_the_digest_names_the_words_and_nothing_else():
    assert parse(FULL).digest == parse(dict(reversed(FULL.items()))).digest
    assert parse({"alias": "champion"}).digest == GatePolicy().digest
    assert parse({**FULL, "approvals": 2}).digest != parse(FULL).digest
    assert parse({**FULL, "metrics": [{"metric": "auc", "min": 0.63}]}).digest != parse(FULL).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrcs": []}, "metrcs"),
        ({"metrics": [{"metric": "auc", "least": 1}]}, "least"),
        ({"metrics": [{"metric": "auc"}]}, "no limit"),
        ({"metrics": [{"metric": "auc", "min": 2, "max": 1}]}, "at least 2"),
        ({"approvals": -1}, r"\$.approvals"),
        ({"approvals": {"count": 1, "roles": ["king"]}}, "king"),
        ({"better_than_champion": {"metric": "auc", "direction": "sideways"}}, "sideways"),
        ({"alias": ""}, "alias"),
    ],
)
def test_a_mistake_is_named(change: dict, message: str):
    with pytest.raises(InvalidInput, match=message):
        parse({**FULL, **change})


def test_the_digest_is_frozen():
    """A policy's name stands in ledger entries for ever."""
    assert parse(FULL).digest == "1ae0442013a42673b69909aa2545619ebbb24ae830debd7ce1b9eedac0f2becd"
    assert parse({}).digest == digest_of({})
