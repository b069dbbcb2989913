"""Series as users read them: histories of several runs, charts, Arrow, and points as they come."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import mlflow
import polars as pl
import pytest
from mlflow.entities import Metric

from tests.conftest import Server

V2 = "/ajax-api/2.0/mlflow"


@pytest.fixture
def client(shared_server: Server) -> Iterator[httpx.Client]:
    with shared_server.client() as opened:
        yield opened


@pytest.fixture
def tracked(shared_server: Server) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(shared_server.url)


def _run(tracked: mlflow.MlflowClient, points: int = 0, start: int = 0) -> str:
    run_id = str(tracked.create_run("0").info.run_id)
    if points:
        tracked.log_batch(run_id, [Metric("loss", 1 / (n + 1), 1000 + n, start + 2 * n) for n in range(points)])
    return run_id


def test_histories_of_several_runs(client: httpx.Client, tracked: mlflow.MlflowClient) -> None:
    runs = sorted([_run(tracked, 30), _run(tracked, 20, start=100), _run(tracked)])
    query: list[tuple[str, Any]] = [("run_id", run) for run in runs] + [("metric_key", "loss")]
    found = client.get(f"{V2}/metrics/get-history-bulk", params=query).json()["metrics"]
    assert len(found) == 50
    assert [m["run_id"] for m in found] == sorted(m["run_id"] for m in found)
    assert set(found[0]) == {"key", "value", "timestamp", "step", "run_id"}
    few = client.get(f"{V2}/metrics/get-history-bulk", params=[*query, ("max_results", "7")]).json()["metrics"]
    assert few == found[:7]


def test_samples_of_several_runs(client: httpx.Client, tracked: mlflow.MlflowClient) -> None:
    runs = [_run(tracked, 300), _run(tracked, 5)]
    query: list[tuple[str, Any]] = [("run_ids", run) for run in runs] + [("metric_key", "loss")]
    at = f"{V2}/metrics/get-history-bulk-interval"
    found = client.get(at, params=[*query, ("max_results", "10")]).json()["metrics"]
    steps = [m["step"] for m in found if m["run_id"] == runs[0]]
    assert len(steps) == 10
    assert (steps[0], steps[-1]) == (0, 598)
    assert len(found) == 15
    part = client.get(at, params=[*query, ("start_step", "4"), ("end_step", "8")]).json()["metrics"]
    assert [m["step"] for m in part] == [4, 6, 8, 4, 6, 8]


@pytest.mark.parametrize(
    ("call", "query"),
    [
        ("get-history-bulk", {"metric_key": "loss"}),
        ("get-history-bulk", {"run_id": "x"}),
        ("get-history-bulk", {"run_id": ["x"] * 101, "metric_key": "loss"}),
        ("get-history-bulk-interval", {"metric_key": "loss"}),
        ("get-history-bulk-interval", {"run_ids": "x", "metric_key": "loss", "start_step": 1}),
        ("get-history-bulk-interval", {"run_ids": "x", "metric_key": "loss", "start_step": 2, "end_step": 1}),
        ("get-history-bulk-interval", {"run_ids": "x", "metric_key": "loss", "max_results": 2501}),
    ],
)
def test_wrong_questions_are_400(client: httpx.Client, call: str, query: dict[str, Any]) -> None:
    answer = client.get(f"{V2}/metrics/{call}", params=query)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_points_as_arrow_and_in_buckets(client: httpx.Client, tracked: mlflow.MlflowClient) -> None:
    run = _run(tracked, 900)
    answer = client.get(f"/api/v1/runs/{run}/metric-points", params={"key": "loss", "first": 10, "last": 13})
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert pl.read_ipc_stream(answer.content)["step"].to_list() == [10, 12]
    drawn = client.get(f"/api/v1/runs/{run}/metric-buckets", params={"key": "loss", "count": 9}).json()
    assert len(drawn) == 9
    assert drawn[0]["high"] == 1.0
    assert sum(bucket["points"] for bucket in drawn) == 900
    assert client.get(f"/api/v1/runs/{'0' * 32}/metric-points", params={"key": "loss"}).status_code == 404


def test_points_come_as_they_are_logged(shared_server: Server, tracked: mlflow.MlflowClient) -> None:
    run = _run(tracked, 3)
    heard: list[tuple[str, dict[str, Any]]] = []
    listening = threading.Event()

    def listen() -> None:
        with (
            shared_server.client() as client,
            client.stream("GET", f"/api/v1/runs/{run}/metric-events", timeout=30) as answer,
        ):
            event = ""
            for line in answer.iter_lines():
                word, _, rest = line.partition(": ")
                if word == "event":
                    event = rest
                elif word == "data":
                    heard.append((event, json.loads(rest)))
                    listening.set()

    listener = threading.Thread(target=listen)
    listener.start()
    assert listening.wait(20)
    assert heard[0][1]["metrics"] == {"loss": [[4, 1002, 1 / 3]]}
    tracked.log_batch(
        run, [Metric("loss", 9.0, 2000, 50), Metric("loss", float("nan"), 2001, 51), Metric("acc", 1, 1, 1)]
    )
    deadline = time.monotonic() + 20
    while len(heard) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert heard[1] == (
        "metrics",
        {"metrics": {"acc": [[1, 1, 1.0]], "loss": [[50, 2000, 9.0], [51, 2001, None]]}, "status": "RUNNING"},
    )
    tracked.set_terminated(run)
    listener.join(30)
    assert not listener.is_alive()
    assert heard[-1] == ("end", {"metrics": {}, "status": "FINISHED"})
