"""MLflow's filter and order grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeel.core.errors import InvalidInput
from modelkeel.tracking.search import (
    EXPERIMENTS,
    RUNS,
    Condition,
    Kind,
    Order,
    page_offset,
    page_token,
    parse_filter,
    parse_order,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("metrics.auc > 0.9", [Condition(Kind.METRIC, "auc", ">", 0.9)]),
        ("metric.loss<=-1e-3", [Condition(Kind.METRIC, "loss", "<=", -1e-3)]),
        ("params.C = '0.5'", [Condition(Kind.PARAM, "C", "=", "0.5")]),
        ('param."my key" != "x"', [Condition(Kind.PARAM, "my key", "!=", "x")]),
        ("tags.`mlflow.runName` LIKE 'a%'", [Condition(Kind.TAG, "mlflow.runName", "LIKE", "a%")]),
        ("tags.mlflow.user ilike '%X%'", [Condition(Kind.TAG, "mlflow.user", "ILIKE", "%X%")]),
        ("tags.team IS NULL", [Condition(Kind.TAG, "team", "IS NULL", None)]),
        ("params.x is not null", [Condition(Kind.PARAM, "x", "IS NOT NULL", None)]),
        ("attributes.status = 'FINISHED'", [Condition(Kind.ATTRIBUTE, "status", "=", "FINISHED")]),
        ("status = 'RUNNING'", [Condition(Kind.ATTRIBUTE, "status", "=", "RUNNING")]),
        ("attr.start_time >= 17", [Condition(Kind.ATTRIBUTE, "start_time", ">=", 17)]),
        ("created > 17", [Condition(Kind.ATTRIBUTE, "start_time", ">", 17)]),
        ("run.`Run name` = 'x'", [Condition(Kind.ATTRIBUTE, "run_name", "=", "x")]),
        ("run_id IN ('a', 'b')", [Condition(Kind.ATTRIBUTE, "run_id", "IN", ("a", "b"))]),
        ("attributes.run_id NOT IN ('a')", [Condition(Kind.ATTRIBUTE, "run_id", "NOT IN", ("a",))]),
        ("dataset.name IN ('x')", [Condition(Kind.DATASET, "name", "IN", ("x",))]),
        ("datasets.context = 'train'", [Condition(Kind.DATASET, "context", "=", "train")]),
        ("tags.x = 'it''s'", [Condition(Kind.TAG, "x", "=", "it's")]),
        (r"tags.x = 'it\'s'", [Condition(Kind.TAG, "x", "=", "it's")]),
        ("tags.x = 'AND OR ('", [Condition(Kind.TAG, "x", "=", "AND OR (")]),
        (
            "metrics.a > 1 AND params.b = '2' and tags.c != '3'",
            [
                Condition(Kind.METRIC, "a", ">", 1.0),
                Condition(Kind.PARAM, "b", "=", "2"),
                Condition(Kind.TAG, "c", "!=", "3"),
            ],
        ),
        ("metrics.`val/auc` = 1", [Condition(Kind.METRIC, "val/auc", "=", 1.0)]),
        ("metrics.val/auc-2 = 1", [Condition(Kind.METRIC, "val/auc-2", "=", 1.0)]),
    ],
)
def test_filters(text: str, expected: list[Condition]) -> None:
    assert parse_filter(text, RUNS) == expected


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a > 1 OR metrics.b > 2",
        "metrics.a > 'x'",
        "metrics.a LIKE '1'",
        "metrics.a IS NULL",
        "params.a = 1",
        "params.a > '1'",
        "params.a IN ('1')",
        "tags.a",
        "tags.a =",
        "= 'x'",
        "nonsense.a = 'x'",
        "attribute.nonsense = 'x'",
        "start_time = 'x'",
        "status IN ('a')",
        "run_id IN ()",
        "run_id IN ('a',)",
        "run_id IN 'a'",
        "dataset.nonsense = 'x'",
        "tags.a = 'x' tags.b = 'y'",
        "tags.a = 'x' AND",
        "tags.a = 'unclosed",
        "; DROP TABLE run",
        "(tags.a = 'x')",
    ],
)
def test_filters_that_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_filter(text, RUNS)


def test_what_may_be_searched_depends_on_the_grammar() -> None:
    assert parse_filter("name LIKE 'x%' AND tags.a = 'b'", EXPERIMENTS)
    with pytest.raises(InvalidInput, match="Invalid entity type 'metrics'"):
        parse_filter("metrics.a > 1", EXPERIMENTS)


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ("metrics.auc DESC", Order(Kind.METRIC, "auc", False)),
        ("params.`a b` asc", Order(Kind.PARAM, "a b", True)),
        ("attribute.start_time", Order(Kind.ATTRIBUTE, "start_time", True)),
        ("start_time desc", Order(Kind.ATTRIBUTE, "start_time", False)),
        ("Created DESC", Order(Kind.ATTRIBUTE, "start_time", False)),
        ("tags.mlflow.runName", Order(Kind.TAG, "mlflow.runName", True)),
    ],
)
def test_orders(clause: str, expected: Order) -> None:
    assert parse_order([clause], RUNS) == [expected]


@pytest.mark.parametrize("clauses", [["metrics.a sideways"], ["a b c"], [""], ["'x'"], ["dataset.name"], ["x.y"]])
def test_orders_that_are_refused(clauses: list[str]) -> None:
    with pytest.raises(InvalidInput):
        parse_order(clauses, RUNS)


def test_a_key_can_order_once() -> None:
    with pytest.raises(InvalidInput, match="duplicate"):
        parse_order(["metrics.a", "metrics.a DESC"], RUNS)


def test_page_tokens() -> None:
    assert page_offset(page_token(1000)) == 1000
    assert page_token(2) == "eyJvZmZzZXQiOiAyfQ=="  # base64 of {"offset":2}
    assert page_offset(None) == 0
    for bad in ("x", "e30=", "eyJvZmZzZXQiOi0xfQ==", "bm9uc2Vuc2U="):
        with pytest.raises(InvalidInput):
            page_offset(bad)


@given(st.text(max_size=80))
def test_any_text_parses_or_is_refused_as_invalid(text: str) -> None:
    try:
        parse_filter(text, RUNS)
        parse_order([text], RUNS)
    except InvalidInput:
        pass
