"""Searches on a real database: filters, orders and pages give what a plain Python search gives."""

import itertools
import math
import random

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.tracking.models import DatasetInput, Metric, Run


def nobody(_run: Run) -> bool:
    return False


def everybody(_run: Run) -> bool:
    return True


@pytest.fixture
async def runs(keel: Keel, person: Principal) -> list[Run]:
    """Forty runs with metrics, params, tags and inputs, some missing, some NaN."""
    chance = random.Random(4)
    made = []
    for n in range(40):
        run = await keel.tracking.create_run(person, "0", name=f"run-{n}", started=1000 + n // 2)
        metrics = [Metric("auc", chance.choice([math.nan, chance.random()]), 1)] if n % 3 else []
        metrics.append(Metric("loss", float(n % 7), 1))
        params = {"C": str(n % 5)} | ({"long": "x" * 300 + str(n % 2)} if n % 2 else {})
        tags = {"team": chance.choice(["Red", "blue", "a%b_c", "[x]*"])} if n % 4 else {}
        await keel.tracking.log_batch(person, run.id, metrics, params, tags)
        if n % 5 == 0:
            data = DatasetInput(f"d{n}", "1", "local", "{}", tags={"mlflow.data.context": "train"})
            await keel.tracking.log_inputs(person, run.id, [data])
        made.append(await keel.tracking.get_run(person, run.id))
    return made


async def names(keel: Keel, person: Principal, text: str, order: tuple[str, ...] = ()) -> list[str]:
    found, _ = await keel.tracking.list_runs(person, ["0"], text, order)
    return [run.name for run in found]


async def test_filters_find_what_they_say(keel: Keel, person: Principal, runs: list[Run]) -> None:
    def value(run: Run, key: str) -> float | None:
        return run.metrics[key].value if key in run.metrics else None

    expected = {
        "metrics.loss >= 5": lambda r: (value(r, "loss") or 0) >= 5,
        "metrics.auc > 0.5": lambda r: (value(r, "auc") or 0) > 0.5,
        "metrics.auc != 2": lambda r: value(r, "auc") is not None,
        "metrics.unknown > 0": nobody,
        "params.C = '3'": lambda r: r.params["C"] == "3",
        "params.C != '3'": lambda r: r.params["C"] != "3",
        f"params.long = '{'x' * 300}1'": lambda r: r.params.get("long", "").endswith("1"),
        f"params.long = '{'x' * 300}'": nobody,
        "params.long IS NULL": lambda r: "long" not in r.params,
        "tags.team IS NOT NULL": lambda r: "team" in r.tags,
        "tags.team LIKE 'R%'": lambda r: r.tags.get("team") == "Red",
        "tags.team LIKE 'r%'": nobody,
        "tags.team ILIKE 'r%'": lambda r: r.tags.get("team") == "Red",
        "tags.team LIKE 'a_b%'": lambda r: r.tags.get("team") == "a%b_c",
        "tags.team LIKE '[x]%'": lambda r: r.tags.get("team") == "[x]*",
        "tags.team LIKE '%*'": lambda r: r.tags.get("team") == "[x]*",
        "attributes.run_name = 'run-7'": lambda r: r.name == "run-7",
        "run_name LIKE 'run-3%'": lambda r: r.name.startswith("run-3"),
        "start_time < 1004": lambda r: r.started < 1004,
        "status = 'RUNNING'": everybody,
        "status = 'FINISHED'": nobody,
        f"run_id IN ('{runs[0].id}', '{runs[9].id}')": lambda r: r.id in {runs[0].id, runs[9].id},
        f"run_id NOT IN ('{runs[0].id}')": lambda r: r.id != runs[0].id,
        "dataset.name = 'd5'": lambda r: r.name == "run-5",
        "dataset.context = 'train'": lambda r: bool(r.inputs),
        "metrics.loss < 3 AND params.C = '1' AND tags.team != 'Red'": lambda r: (
            r.metrics["loss"].value < 3 and r.params["C"] == "1" and r.tags.get("team", "Red") != "Red"
        ),
    }
    for text, holds in expected.items():
        assert sorted(await names(keel, person, text)) == sorted(r.name for r in runs if holds(r)), text


async def test_orders_put_numbers_first_then_nan_then_what_is_missing(
    keel: Keel, person: Principal, runs: list[Run]
) -> None:
    def rank(run: Run) -> int:
        point = run.metrics.get("auc")
        return 2 if point is None else 1 if math.isnan(point.value) else 0

    def size(run: Run) -> float:
        return run.metrics["auc"].value if rank(run) == 0 else 0.0

    for direction, sign in (("ASC", 1), ("DESC", -1)):
        expected = sorted(runs, key=lambda r: (rank(r), sign * size(r), -r.started, r.id))
        assert await names(keel, person, "", (f"metrics.auc {direction}",)) == [r.name for r in expected]
    by_two = sorted(runs, key=lambda r: (r.params["C"], -r.metrics["loss"].value, -r.started, r.id))
    assert await names(keel, person, "", ("params.C", "metrics.loss DESC")) == [r.name for r in by_two]
    newest = sorted(runs, key=lambda r: (-r.started, r.id))
    assert await names(keel, person, "") == [r.name for r in newest]


@pytest.mark.parametrize("order", [(), ("metrics.auc DESC",), ("tags.team",)])
async def test_pages_join_to_the_whole(keel: Keel, person: Principal, runs: list[Run], order: tuple[str, ...]) -> None:
    whole = await names(keel, person, "", order)
    paged: list[str] = []
    token: str | None = None
    for _ in itertools.count():
        page, token = await keel.tracking.list_runs(person, ["0"], "", order, 7, token)
        paged += [run.name for run in page]
        if token is None:
            break
    assert paged == whole
    assert len(whole) == 40


async def test_experiments_are_found_by_name_tag_and_time(keel: Keel, person: Principal) -> None:
    for name in ("alpha", "Beta", "gamma"):
        identity = await keel.tracking.create_experiment(person, name, {"kind": name[0]})
        assert identity

    async def found(text: str, *order: str) -> list[str]:
        experiments, _ = await keel.tracking.search_experiments(person, filter=text, order_by=list(order))
        return [e.name for e in experiments]

    assert await found("name LIKE '%a'", "name ASC") == ["Beta", "alpha", "gamma"]
    assert await found("name = 'alpha'") == ["alpha"]
    assert await found("tags.kind = 'B'") == ["Beta"]
    assert await found("tags.kind IS NULL") == ["Default"]
    assert await found("creation_time > 0", "name DESC") == ["gamma", "alpha", "Default", "Beta"]
    page, token = await keel.tracking.search_experiments(person, order_by=["name"], limit=3)
    rest, end = await keel.tracking.search_experiments(person, order_by=["name"], limit=3, token=token)
    assert [e.name for e in page + rest] == ["Beta", "Default", "alpha", "gamma"]
    assert end is None
