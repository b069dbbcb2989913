"""Traces and evaluation data sets that come over from MLflow, and go back, are the same."""

import json
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from tests.acceptance.moving_kit import command
from tests.acceptance.moving_traces_kit import datasets_of, fill_datasets, fill_traces, traces_of
from tests.conftest import Server


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, MlflowClient, str]:
    folder = tmp_path_factory.mktemp("traces")
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.create_experiment("agent", artifact_location=str(folder / "files"))
    run = client.create_run(experiment).info.run_id
    client.set_terminated(run)
    fill_traces(client, experiment, run)
    fill_datasets(client, experiment)
    return uri, client, experiment


def _imported(server: Server, source: str, *more: str) -> dict[str, Any]:
    done = command("import", "mlflow", source, "--json", *more, home=server.home)
    return dict(json.loads(done.stdout)["report"])


def test_a_database_with_traces_comes_over(shared_server: Server, stock: tuple[str, MlflowClient, str]) -> None:
    uri, client, experiment = stock
    report = _imported(shared_server, uri)
    assert report["differences"] == []
    counts = report["counts"]
    assert [counts[name] for name in ("traces", "spans", "evaluation_datasets", "records")] == [3, 6, 1, 4]
    ours = MlflowClient(shared_server.url)
    assert traces_of(ours, experiment) == traces_of(client, experiment)
    assert datasets_of(ours) == datasets_of(client)
