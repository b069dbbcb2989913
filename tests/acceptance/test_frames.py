"""`keel.runs`, `keel.metrics` and `keel.get_run` against a real server."""

import math
from collections.abc import Iterator

import mlflow
import pytest
from mlflow.entities import Metric, Param, RunTag

import modelkeel as keel
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.sdk.frames import with_metrics
from tests.conftest import Server


@pytest.fixture(scope="module")
def runs(shared_server: Server) -> list[str]:
    client = mlflow.MlflowClient(shared_server.url)
    experiment = client.create_experiment("frames")
    made = []
    for n in range(4):
        run = client.create_run(experiment, run_name=f"<b>run {n}</b>")
        points = [Metric("accuracy", 0.87 + n / 100, 1000 + step, step) for step in range(5)]
        points.append(Metric("loss", math.nan if n == 2 else n, 5, 0))
        client.log_batch(run.info.run_id, points, [Param("lr", "0.1" if n % 2 else "0.2")], [RunTag("team", "a")])
        made.append(run.info.run_id)
    client.set_terminated(made[0])
    return made


@pytest.fixture
def api(shared_server: Server) -> Iterator[keel.Api]:
    with keel.Api(shared_server.url) as opened:
        yield opened


def test_runs_as_a_frame(api: keel.Api, runs: list[str]) -> None:
    found = keel.runs("accuracy > 0.875 and params.lr = '0.1'", order_by=["metrics.accuracy DESC"], api=api)
    assert found["run_id"].to_list() == [runs[3], runs[1]]
    assert found["metrics.accuracy"].to_list() == [0.9, 0.88]
    assert found["params.lr"].to_list() == ["0.1", "0.1"]
    assert found["tags.team"].to_list() == ["a", "a"]
    assert str(found.schema["start_time"]) == "Datetime(time_unit='ms', time_zone='UTC')"
    every = keel.runs(experiments=["frames"], api=api)
    assert every.height == 4
    assert every["end_time"].null_count() == 3
    assert math.isnan(every.filter(every["run_id"] == runs[2])["metrics.loss"][0])
    assert keel.runs(experiments=["frames"], limit=3, api=api).height == 3
    assert keel.runs("accuracy > 2", api=api).columns[:2] == ["run_id", "name"]


def test_runs_as_pandas(api: keel.Api, runs: list[str]) -> None:
    found = keel.runs("status = 'FINISHED'", experiments=["frames"], frame="pandas", api=api)
    assert list(found["run_id"]) == [runs[0]]
    assert found["end_time"].dt.tz is not None


def test_metrics_as_a_frame(api: keel.Api, runs: list[str]) -> None:
    found = keel.metrics(runs[:2], "accuracy", api=api)
    assert found.height == 10
    assert found.columns == ["run_id", "key", "step", "timestamp", "value"]
    assert found["step"].to_list() == [*range(5), *range(5)]
    assert set(keel.metrics(runs[0], api=api)["key"]) == {"accuracy", "loss"}
    assert keel.metrics(runs[0], "absent", api=api).height == 0
    assert list(keel.metrics(runs[0], ["loss"], frame="pandas", api=api)["value"]) == [0.0]


def test_a_run_is_shown_as_a_card(api: keel.Api, runs: list[str]) -> None:
    card = keel.get_run(runs[2], api=api)
    assert (card.status, card.params, card.tags) == ("RUNNING", {"lr": "0.2"}, {"team": "a"})
    shown = card._repr_html_()
    assert "&lt;b&gt;run 2&lt;/b&gt;" in shown
    assert "<td>NaN</td>" in shown


def test_mistakes_say_what_to_do(api: keel.Api, runs: list[str]) -> None:
    with pytest.raises(InvalidInput, match="no experiment 'nowhere'"):
        keel.runs(experiments=["nowhere"], api=api)
    with pytest.raises(InvalidInput, match="Expected 3 tokens"):
        keel.runs("accuracy >", api=api)
    with pytest.raises(NotFound):
        keel.metrics("0" * 32, "accuracy", api=api)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("accuracy > 0.9", "metrics.accuracy > 0.9"),
        ("status = 'FINISHED' and auc>=1", "status = 'FINISHED' and metrics.auc>=1"),
        ("tags.x = 'a = b' AND start_time < 5", "tags.x = 'a = b' AND start_time < 5"),
        ("params.`a b` = 'it''s loss > 1' and loss != 2", "params.`a b` = 'it''s loss > 1' and metrics.loss != 2"),
        ("run_name LIKE 'x%'", "run_name LIKE 'x%'"),
    ],
)
def test_bare_names_are_metrics(words: str, meant: str) -> None:
    assert with_metrics(words) == meant
