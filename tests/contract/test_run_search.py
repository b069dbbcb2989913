"""Whatever plan the search for runs takes, its pages joined are what filtering and sorting everything gives."""

import math
import operator
import random
from typing import Any

import pytest
import sqlalchemy as sa

from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import Lifecycle
from modelkeel.tracking.search import RUNS, parse_filter, parse_order
from modelkeel.tracking.store import run_search
from modelkeel.tracking.store.tables import metric_key, metric_latest, param, run, tag

RUN_COUNT = 2500
EXPERIMENTS = ("1" * 18, "2" * 18)
LONG = "x" * 300
COMPARE = {"=": operator.eq, "!=": operator.ne, ">": operator.gt, ">=": operator.ge, "<": operator.lt}


@pytest.fixture
def rows(database: Database) -> list[dict[str, Any]]:
    """Runs with a metric that ties, is NaN or is missing, a dense and a rare param, and a tag with long values."""
    chance = random.Random(7)
    made = [_row(chance, n) for n in range(1, RUN_COUNT + 1)]

    def work(tx: Tx) -> None:
        tx.run(
            sa.insert(metric_key), [{"id": 1, "workspace": "w", "key": "m"}, {"id": 2, "workspace": "w", "key": "u"}]
        )
        heads = [{name: r[name] for name in ("seq", "id", "experiment", "started", "lifecycle")} for r in made]
        rest = {
            "workspace": "w",
            "name": "r",
            "user": "u",
            "actor": "a",
            "status": "RUNNING",
            "created": 0,
            "revision": 0,
        }
        tx.run(sa.insert(run), [head | rest for head in heads])
        points = [(r["seq"], 1, r["m"]) for r in made if r["m"] is not None] + [(r["seq"], 2, r["u"]) for r in made]
        latest = [
            {
                "run": seq,
                "key": k,
                "step": 0,
                "ts": 0,
                "value": 0.0 if math.isnan(v) else v,
                "is_nan": int(math.isnan(v)),
            }
            for seq, k, v in points
        ]
        tx.run(sa.insert(metric_latest), latest)
        tx.run(sa.insert(param), [{"run": r["seq"], "key": key, "value": r[key]} for r in made for key in ("p", "q")])
        tx.run(sa.insert(tag), [{"run": r["seq"], "key": "t", "value": r["t"]} for r in made])

    database.write_now(work)
    return made


def _row(chance: random.Random, n: int) -> dict[str, Any]:
    value = chance.choice([None, math.nan, *(float(k) for k in range(-5, 5))])
    return {
        "seq": n,
        "id": f"{chance.getrandbits(128):032x}",
        "experiment": chance.choice(EXPERIMENTS),
        "started": chance.randrange(50),
        "lifecycle": "active" if chance.random() < 0.9 else "deleted",
        "m": value,
        "u": chance.random(),
        "p": str(n % 3),
        "q": str(n % 500),
        "t": LONG + str(n % 40),
    }


def _meets(row: dict[str, Any], key: str, name: str, value: Any) -> bool:
    held = row[key]
    return held is not None and bool(COMPARE[name](held, value))


CASES: list[tuple[list[tuple[str, str, Any]], str, bool]] = [
    ([], "", True),
    ([], "m", True),
    ([], "m", False),
    ([("m", ">", 2.0)], "m", False),
    ([("m", "!=", 2.0)], "m", True),
    ([("p", "=", "1")], "m", True),
    ([("p", "=", "1"), ("m", ">=", 0.0)], "m", False),
    ([("p", "=", "1"), ("u", "<", 0.9)], "m", False),
    ([("q", "=", "7")], "m", True),
    ([("q", "=", "7"), ("t", "=", LONG + "7")], "m", False),
    ([("t", "=", LONG)], "", True),
    ([("u", ">", 0.99), ("q", "=", "7")], "", True),
    ([("u", ">", 0.98), ("m", "<", 0.0)], "m", True),
    ([("m", "=", 0.0)], "", True),
    ([("p", "=", "absent")], "m", True),
    ([("p", "!=", "1")], "q", True),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_pages_joined_are_everything_in_order(database: Database, rows: list[dict[str, Any]], case: int) -> None:
    conditions, order, ascending = CASES[case]
    entity = {"m": "metrics", "u": "metrics", "p": "params", "q": "params", "t": "tags"}
    words = [f"{entity[k]}.{k} {name} " + (f"'{v}'" if isinstance(v, str) else str(v)) for k, name, v in conditions]
    parsed = parse_filter(" AND ".join(words), RUNS)
    orders = parse_order([f"{entity[order]}.{order} {'ASC' if ascending else 'DESC'}"] if order else [], RUNS)
    expected = [r for r in rows if r["lifecycle"] == "active" and all(_meets(r, *c) for c in conditions)]
    expected.sort(key=lambda r: (-r["started"], r["id"]))
    if order:
        expected.sort(key=lambda r: _sort_key(r[order], ascending))

    def work(tx: Tx) -> list[str]:
        found: list[str] = []
        for offset in range(0, RUN_COUNT + 1, 389):
            page = run_search.runs(tx, "w", EXPERIMENTS, [Lifecycle.ACTIVE], parsed, orders, limit=389, offset=offset)
            found += [row.id for row in page]
        return found

    assert database.read_now(work) == [r["id"] for r in expected]


def _sort_key(value: Any, ascending: bool) -> tuple[int, Any]:
    if value is None:
        return 2, 0
    if isinstance(value, str):
        return 0, value
    return (1, 0) if math.isnan(value) else (0, value if ascending else -value)
