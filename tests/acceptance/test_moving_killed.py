"""An import that is killed is taken up again: nothing is lost, nothing is doubled."""

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from tests.acceptance.moving_forks import Running, fork, surroundings
from tests.acceptance.moving_kit import command, picture, registry
from tests.acceptance.moving_traces_kit import datasets_of, fill_datasets, fill_traces
from tests.conftest import Server, start_server

RUNS = 6


def _filled(uri: str, files: Path) -> MlflowClient:
    """Runs with points and files, traces, records and versions: enough that a kill falls into the midst of each."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.create_experiment("big", artifact_location=str(files))
    client.create_registered_model("big", description="some")
    for number in range(RUNS):
        run = client.create_run(experiment, run_name=f"run {number}", start_time=number).info
        points = [Metric("loss", float(step), step, step) for step in range(500)]
        client.log_batch(run.run_id, points, [Param("n", str(number))])
        client.log_text(run.run_id, "x" * 300_000 + str(number), "big.txt")
        client.log_text(run.run_id, "flavors: {}", "model/MLmodel")
        client.set_terminated(run.run_id)
        client.create_model_version("big", f"{run.artifact_uri}/model", run.run_id)
    fill_traces(client, experiment, run.run_id)
    fill_datasets(client, experiment)
    return client


def _types(server: Server) -> Counter[str]:
    with server.client(server.token) as client:
        entries = client.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
    return Counter(entry["type"] for entry in entries)


def _killed_at(server: Server, running: Running, kind: str, count: int) -> bool:
    """Kills an import once so many entries of a type are there; whether it was still at it."""
    until = time.monotonic() + 30
    while _types(server)[kind] < count and time.monotonic() < until:
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    return running.wait() == -signal.SIGKILL


def test_killed_at_several_points_it_is_taken_up_again(server: Server, tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    stock = _filled(uri, tmp_path / "files")
    words = ("import", "mlflow", uri, "--json")
    points = [("import.started", 1), ("run.created", 2), ("artifact.imported", 3), ("trace.imported", 1)]
    points += [("version.created", 2)]
    killed = [_killed_at(server, fork(words, surroundings(server.home)), *point) for point in points]
    assert sum(killed) >= len(points) // 2  # a quick one may have ended before it was killed
    server.kill()  # and the server at last
    again = start_server(server.home, "--port", server.url.rpartition(":")[2])
    try:
        report: dict[str, Any] = json.loads(command(*words, "--again", home=again.home).stdout)["report"]
        assert report["differences"] == []
        ours = MlflowClient(again.url)
        assert picture(ours, ("big",)) == picture(stock, ("big",))
        assert registry(ours) == registry(stock)
        assert datasets_of(ours) == datasets_of(stock)
        types = _types(again)
        assert [types[kind] for kind in ("run.created", "version.created", "trace.imported")] == [RUNS, RUNS, 3]
        assert types["evaluation_dataset.created"] == 1
        with again.client(again.token) as client:
            assert all(one["ended"] for one in client.get("/api/v1/imports").json())
    finally:
        again.stop()
