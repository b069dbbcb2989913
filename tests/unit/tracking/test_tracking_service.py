"""Use cases of experiments, runs and series on a real database and ledger."""

import asyncio
import math

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied
from modelkeel.tracking.models import DatasetInput, Lifecycle, Metric, ModelOutput, Run, RunStatus
from tests.unit.tracking.conftest import Entries


async def new_run(keel: Keel, person: Principal, name: str = "r") -> Run:
    return await keel.tracking.create_run(person, "0", name=name)


async def test_an_experiment_is_created_once_and_its_deletion_frees_the_name(
    keel: Keel, person: Principal, fresh: Entries
) -> None:
    tracking = keel.tracking
    first = await tracking.create_experiment(person, "flights", {"team": "ops"})
    assert len(first) == 18
    assert first.isdigit()
    with pytest.raises(AlreadyExists):
        await tracking.create_experiment(person, "flights")
    await tracking.delete_experiment(person, first)
    with pytest.raises(NotFound):
        await tracking.experiment_named(person, "flights")
    assert (await tracking.experiment(person, first)).lifecycle is Lifecycle.DELETED
    second = await tracking.create_experiment(person, "flights")
    with pytest.raises(AlreadyExists, match="Rename that one"):
        await tracking.restore_experiment(person, first)
    await tracking.rename_experiment(person, second, "other")
    await tracking.restore_experiment(person, first)
    assert (await tracking.experiment_named(person, "flights")).tags == {"team": "ops"}
    kinds = [kind for kind in await fresh() if kind.startswith("experiment")]
    assert kinds == [f"experiment.{w}" for w in ("created", "created", "deleted", "created", "updated", "restored")]


async def test_deleting_an_experiment_hides_its_runs_and_refuses_writes(keel: Keel, person: Principal) -> None:
    tracking = keel.tracking
    experiment = await tracking.create_experiment(person, "x")
    run = await tracking.create_run(person, experiment)
    await tracking.delete_experiment(person, experiment)
    assert (await tracking.list_runs(person, [experiment]))[0] == []
    with pytest.raises(InvalidInput, match="must be in the 'active' state"):
        await tracking.create_run(person, experiment)
    with pytest.raises(InvalidInput, match="must be in the 'active' state"):
        await tracking.log_batch(person, run.id, [Metric("a", 1.0, 0)])
    await tracking.restore_experiment(person, experiment)
    assert [r.id for r in (await tracking.list_runs(person, [experiment]))[0]] == [run.id]


async def test_zero_names_the_default_experiment_of_each_workspace(
    keel: Keel, person: Principal, stranger: Principal
) -> None:
    mine = await keel.tracking.experiment(person, "0")
    theirs = await keel.tracking.experiment(stranger, "0")
    assert mine.name == theirs.name == "Default"
    assert mine.id != theirs.id
    assert "0" not in {mine.id, theirs.id}
    with pytest.raises(InvalidInput, match="can't be deleted"):
        await keel.tracking.delete_experiment(person, "0")
    with pytest.raises(AlreadyExists):
        await keel.tracking.create_experiment(person, "Default")


async def test_nothing_of_another_workspace_is_seen_or_written(
    keel: Keel, person: Principal, stranger: Principal
) -> None:
    tracking = keel.tracking
    experiment = await tracking.create_experiment(person, "secret")
    run = await tracking.create_run(person, experiment)
    for call in (
        tracking.get_run(stranger, run.id),
        tracking.experiment(stranger, experiment),
        tracking.log_batch(stranger, run.id, [Metric("a", 1.0, 0)]),
        tracking.update_run(stranger, run.id, name="x"),
        tracking.delete_run(stranger, run.id),
        tracking.create_run(stranger, experiment),
        tracking.metric_history(stranger, run.id, "a"),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await tracking.list_runs(stranger, [experiment]))[0] == []
    await tracking.create_experiment(stranger, "secret")  # names are unique per workspace


async def test_a_viewer_reads_and_writes_nothing(keel: Keel, person: Principal, viewer: Principal) -> None:
    run = await new_run(keel, person)
    assert (await keel.tracking.get_run(viewer, run.id)).id == run.id
    for call in (
        keel.tracking.create_experiment(viewer, "x"),
        keel.tracking.create_run(viewer, "0"),
        keel.tracking.log_batch(viewer, run.id, [Metric("a", 1.0, 0)]),
        keel.tracking.set_tags(viewer, run.id, {"a": "b"}),
        keel.tracking.update_run(viewer, run.id, status=RunStatus.FINISHED),
    ):
        with pytest.raises(PermissionDenied):
            await call


async def test_metrics_are_measurements_and_the_latest_is_greatest_by_step_time_value(
    keel: Keel, person: Principal, fresh: Entries
) -> None:
    run = await new_run(keel, person)
    await fresh()
    points = [
        Metric("auc", 0.1, 5, 1),
        Metric("auc", 0.9, 1, 2),
        Metric("auc", 0.5, 2, 2),
        Metric("auc", 0.4, 2, 2),
        Metric("auc", 0.99, 99, 0),
    ]
    await keel.tracking.log_batch(person, run.id, points)
    await keel.tracking.log_batch(person, run.id, points[:2])  # duplicates change nothing
    assert await fresh() == []
    found = (await keel.tracking.get_run(person, run.id)).metrics["auc"]
    assert (found.value, found.timestamp, found.step) == (0.5, 2, 2)
    history, token = await keel.tracking.metric_history(person, run.id, "auc")
    assert token is None
    assert [(p.timestamp, p.step, p.value) for p in history] == sorted((p.timestamp, p.step, p.value) for p in points)


async def test_later_batches_move_the_latest_only_forward(keel: Keel, person: Principal) -> None:
    run = await new_run(keel, person)
    for step in (3, 1, 2):
        await keel.tracking.log_batch(person, run.id, [Metric("a", float(step), step, step)])
    assert (await keel.tracking.get_run(person, run.id)).metrics["a"].value == 3.0


async def test_nan_and_infinities(keel: Keel, person: Principal) -> None:
    run = await new_run(keel, person)
    await keel.tracking.log_batch(
        person, run.id, [Metric("n", math.nan, 1), Metric("p", math.inf, 1), Metric("m", -math.inf, 1)]
    )
    found = (await keel.tracking.get_run(person, run.id)).metrics
    assert math.isnan(found["n"].value)
    assert (found["p"].value, found["m"].value) == (1.7976931348623157e308, -1.7976931348623157e308)

    async def count(text: str) -> int:
        return len((await keel.tracking.list_runs(person, ["0"], text))[0])

    assert await count("metrics.n = 0") == 0
    assert await count("metrics.n < 1") == 0
    assert await count("metrics.n != 0") == 1


async def test_history_pages(keel: Keel, person: Principal) -> None:
    run = await new_run(keel, person)
    await keel.tracking.log_batch(person, run.id, [Metric("a", float(n), n, n) for n in range(10)])
    values: list[float] = []
    token: str | None = None
    pages = 0
    while True:
        page, token = await keel.tracking.metric_history(person, run.id, "a", limit=4, token=token)
        values += [point.value for point in page]
        pages += 1
        if token is None:
            break
    assert (values, pages) == ([float(n) for n in range(10)], 3)
    assert await keel.tracking.metric_history(person, run.id, "unknown") == ([], None)
    with pytest.raises(InvalidInput):
        await keel.tracking.metric_history(person, run.id, "a", limit=0)


async def test_buckets_hold_first_last_low_and_high_of_their_steps(keel: Keel, person: Principal) -> None:
    run = await new_run(keel, person)
    values = [math.sin(n) for n in range(-50, 950)]
    points = [Metric("a", value, 1000 + at, at - 50) for at, value in enumerate(values)]
    await keel.tracking.log_batch(person, run.id, points)
    await keel.tracking.log_batch(person, run.id, [Metric("a", math.nan, 5000, 950)])
    buckets = await keel.tracking.metric_buckets(person, run.id, "a", 7)
    assert len(buckets) == 7
    assert sum(bucket.points for bucket in buckets) == 1001
    for bucket in buckets[:-1]:
        part = values[bucket.step + 50 : bucket.end + 51]
        assert (bucket.points, bucket.low, bucket.high, bucket.last) == (len(part), min(part), max(part), part[-1])
    assert buckets[-1].last is None  # the last point is NaN
    assert buckets[-1].end == 950


async def test_params_are_written_once_and_a_refused_batch_leaves_nothing(keel: Keel, person: Principal) -> None:
    run = await new_run(keel, person)
    await keel.tracking.log_batch(person, run.id, params={"C": "1", "depth": "3"})
    await keel.tracking.log_batch(person, run.id, params={"C": "1", "trees": "9"})
    with pytest.raises(InvalidInput, match="Changing param values is not allowed"):
        await keel.tracking.log_batch(person, run.id, [Metric("a", 1.0, 0)], {"C": "2", "new": "x"}, {"tag": "y"})
    found = await keel.tracking.get_run(person, run.id)
    assert found.params == {"C": "1", "depth": "3", "trees": "9"}
    assert found.metrics == {}
    assert "tag" not in found.tags


async def test_a_refused_batch_spoils_nothing_of_others_in_its_group(keel: Keel, person: Principal) -> None:
    runs = [await new_run(keel, person, f"r{n}") for n in range(20)]
    await keel.tracking.log_batch(person, runs[7].id, params={"C": "0"})
    batches = [
        keel.tracking.log_batch(person, run.id, [Metric(f"key{n}", float(n), 1)], {"C": str(n)})
        for n, run in enumerate(runs)
    ]
    done = await asyncio.gather(*batches, return_exceptions=True)
    assert [n for n, each in enumerate(done) if each is not None] == [7]
    for n, run in enumerate(runs):
        found = await keel.tracking.get_run(person, run.id)
        assert ([m.value for m in found.metrics.values()], found.params["C"]) == (
            ([], "0") if n == 7 else ([float(n)], str(n))
        )


async def test_tags_are_recorded_in_one_entry_and_the_run_name_is_a_tag(
    keel: Keel, person: Principal, fresh: Entries
) -> None:
    run = await new_run(keel, person)
    await fresh()
    await keel.tracking.set_tags(person, run.id, {"a": "1", "b": "2"})
    await keel.tracking.set_tags(person, run.id, {"a": "1"})
    await keel.tracking.log_batch(person, run.id, tags={"mlflow.runName": "renamed"})
    await keel.tracking.delete_tag(person, run.id, "a")
    with pytest.raises(NotFound):
        await keel.tracking.delete_tag(person, run.id, "a")
    assert await fresh() == ["run.tagged"] * 3
    found = await keel.tracking.get_run(person, run.id)
    assert (found.name, found.tags) == ("renamed", {"b": "2", "mlflow.runName": "renamed"})


async def test_names_given_twice_must_agree(keel: Keel, person: Principal) -> None:
    run = await keel.tracking.create_run(person, "0", tags={"mlflow.runName": "x"})
    assert run.name == "x"
    with pytest.raises(InvalidInput, match="different values"):
        await keel.tracking.create_run(person, "0", name="a", tags={"mlflow.runName": "b"})
    assert (await keel.tracking.create_run(person, "0")).name


async def test_a_run_ends_once_and_may_be_resumed(keel: Keel, person: Principal, fresh: Entries) -> None:
    run = await new_run(keel, person)
    await fresh()
    await keel.tracking.update_run(person, run.id, status=RunStatus.FINISHED, ended=17)
    await keel.tracking.update_run(person, run.id, status=RunStatus.FINISHED, ended=17)
    await keel.tracking.update_run(person, run.id, status=RunStatus.RUNNING)
    await keel.tracking.update_run(person, run.id, name="again")
    await keel.tracking.end_run(person, run.id, RunStatus.FAILED)
    assert await fresh() == ["run.ended", "run.updated", "run.updated", "run.ended"]
    found = await keel.tracking.get_run(person, run.id)
    assert (found.status, found.name, found.tags["mlflow.runName"]) == (RunStatus.FAILED, "again", "again")


async def test_deleting_and_restoring_a_run_are_recorded_once(keel: Keel, person: Principal, fresh: Entries) -> None:
    run = await new_run(keel, person)
    await fresh()
    for _ in range(2):
        await keel.tracking.delete_run(person, run.id)
    with pytest.raises(InvalidInput, match="must be in the 'active' state"):
        await keel.tracking.set_tags(person, run.id, {"a": "b"})
    deleted, _ = await keel.tracking.list_runs(person, ["0"], lifecycles=[Lifecycle.DELETED])
    assert [r.id for r in deleted] == [run.id]
    for _ in range(2):
        await keel.tracking.restore_run(person, run.id)
    assert await fresh() == ["run.deleted", "run.restored"]


async def test_inputs_and_outputs_are_linked_once(keel: Keel, person: Principal, fresh: Entries) -> None:
    run = await new_run(keel, person)
    model = await keel.tracking.create_logged_model(person, "0", name="m", source_run=run.id)
    await fresh()
    data = DatasetInput("flights", "abc", "local", "{}", '{"x": 1}', None, {"mlflow.data.context": "train"})
    for _ in range(2):
        await keel.tracking.log_inputs(person, run.id, [data], [model.id])
        await keel.tracking.log_outputs(person, run.id, [ModelOutput(model.id, 3)])
    assert await fresh() == ["inputs.logged", "run.updated"]
    found = await keel.tracking.get_run(person, run.id)
    assert found.inputs == [data]
    assert (found.model_inputs, found.model_outputs) == ([model.id], [ModelOutput(model.id, 3)])
    with pytest.raises(NotFound):
        await keel.tracking.log_outputs(person, run.id, [ModelOutput("m-" + "0" * 32)])
