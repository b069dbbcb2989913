"""The bill's arithmetic, checked by hand-made numbers, and the division of shared processes."""

import pytest

from modelkeel.costs.bill import Used, make
from modelkeel.costs.meter import _Reading, divide, used
from modelkeel.costs.models import DEFAULT, GIB, MONTH_SECONDS, Prices, StoredPrices
from modelkeel.monitoring.totals import Answered
from modelkeel.pipelines.models import RunUsage
from modelkeel.registry.models import ModelVersion
from modelkeel.tracking.durations import Duration
from modelkeel.tracking.models import ArtifactOwner

PRICES = StoredPrices(Prices("EUR", cpu_hour=36.0, gib_hour=3.6, storage_gib_month=2.0), "d", default=False)


def usage(run: str, pipeline: str, cpu: float, gib: float, **saved: float) -> RunUsage:
    spared = {"saved_seconds": 0.0, "saved_cpu_seconds": 0.0, "saved_gib_seconds": 0.0, **saved}
    return RunUsage(
        run_id=run,
        pipeline=pipeline,
        origin="user",
        started=0,
        ended=1,
        seconds=cpu,
        cpu_seconds=cpu,
        gib_seconds=gib,
        cached_steps=2 if saved else 0,
        **spared,
    )


def version(number: int, run: str) -> ModelVersion:
    return ModelVersion(
        "id", "m", number, run, "", "", ArtifactOwner.run(run), "", "0", "d", 1, "", "", 0, 0, "ann", "ann"
    )


USED = Used(
    pipelines=[
        usage("a", "train", 100, 1000),
        usage("b", "train", 10, 0, saved_seconds=90.0, saved_cpu_seconds=80.0, saved_gib_seconds=500.0),
        usage("c", "score", 1, 0),
    ],
    runs=[
        Duration("d", "notebook", 5.0),
        Duration("e", "script", 2.0),
    ],
    versions=[version(1, "a"), version(2, "b"), version(3, "a")],
    answered=[
        Answered("w", "x", "r1", "champion", "m", 1, 3000, 30),
        Answered("w", "x", "r2", "shadow", "m", 2, 1000, 10),
        Answered("w", "x", "r3", "champion", "other", 1, 1000, 10),
    ],
    serving=[("x", 50.0, 100.0, 60.0)],
    storage=(GIB, GIB * MONTH_SECONDS / 2),
)


def test_every_line_is_what_was_used_times_the_price():
    bill = make(PRICES, USED, "now")
    # a cent a CPU second, a tenth of a cent a GiB second
    assert [(line.name, line.count, line.amount) for line in bill.pipelines] == [
        ("score", 1, pytest.approx(0.01)),
        ("train", 2, pytest.approx(2.10)),
    ]
    assert bill.other_runs.amount == pytest.approx(0.07)
    assert bill.endpoints[0].amount == pytest.approx(0.60)
    assert bill.endpoints[0].count == 4000  # a shadow answers nobody
    assert bill.storage.amount == pytest.approx(1.0)
    assert bill.total == pytest.approx(0.01 + 2.10 + 0.07 + 0.60 + 1.0)
    assert [line.id for line in bill.runs] == ["a", "b", "d", "e", "c"]
    assert all(line.how for line in [*bill.pipelines, *bill.runs, *bill.models, *bill.endpoints, bill.storage])


def test_a_model_costs_its_runs_once_and_its_part_of_the_endpoint():
    bill = make(PRICES, USED, "now")
    amounts = {line.name: line.amount for line in bill.models}
    assert amounts["m"] == pytest.approx(2.00 + 0.10 + 0.60 * 4000 / 5000)
    assert amounts["other"] == pytest.approx(0.60 * 1000 / 5000)


def test_a_thousand_predictions_with_and_without_the_training():
    (one,) = make(PRICES, USED, "now").per_1000_predictions
    assert one.serving == pytest.approx(1000 * 0.60 / 4000)
    assert one.with_training == pytest.approx(1000 * (0.60 + 2.00 + 0.10) / 4000)


def test_cached_steps_spare_what_they_used_when_they_ran():
    saved = make(PRICES, USED, "now").savings
    assert (saved.cached_steps, saved.seconds) == (2, 90.0)
    assert saved.amount == pytest.approx(0.80 + 0.50)


def test_an_empty_workspace_owes_nothing_and_says_whose_prices_they_are():
    empty = Used(pipelines=[], runs=[], versions=[], answered=[], serving=[], storage=(0, 0.0))
    bill = make(DEFAULT, empty, "now")
    assert (bill.total, bill.prices.default, bill.per_1000_predictions) == (0, True, [])


def test_shared_processes_are_divided_by_rows_and_idle_time_equally():
    assert divide({("w", "x"): 30, ("w", "y"): 10}) == {("w", "x"): 0.75, ("w", "y"): 0.25}
    assert divide({("w", "x"): 0, ("w", "y"): 0}) == {("w", "x"): 0.5, ("w", "y"): 0.5}
    assert divide({}) == {}


def test_a_process_that_came_or_went_between_two_looks():
    before = _Reading({(1, 0.0): 10.0, (2, 0.0): 5.0})
    after = _Reading({(1, 0.0): 12.0, (2, 9.0): 1.0, (3, 9.0): 0.5})
    assert used(before, after) == pytest.approx(3.5)
