"""From a Postgres that may only be read, and from a registry that is elsewhere than the tracking."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import mlflow
import psycopg
from mlflow import MlflowClient

from tests.acceptance.moving_kit import command, picture, registry
from tests.acceptance.moving_traces_kit import datasets_of, fill_datasets, fill_traces
from tests.conftest import Server


def test_a_postgres_and_a_registry_elsewhere(server: Server, postgres_database: str, tmp_path: Path):
    uri = postgres_database.replace("postgresql://", "postgresql+psycopg://", 1)
    elsewhere = f"sqlite:///{tmp_path}/registry.db"
    mlflow.set_tracking_uri(uri)
    stock = MlflowClient(uri, elsewhere)
    experiment = stock.create_experiment("churn", artifact_location=str(tmp_path / "files"))
    run = stock.create_run(experiment, run_name="one").info
    stock.log_metric(run.run_id, "loss", float("nan"), 1, 1)
    stock.log_metric(run.run_id, "loss", 0.5, 2, 2)
    stock.log_text(run.run_id, "flavors: {}", "model/MLmodel")
    stock.set_terminated(run.run_id)
    fill_traces(stock, experiment, run.run_id)
    fill_datasets(stock, experiment)
    stock.create_registered_model("churn", description="who leaves")
    stock.create_model_version("churn", f"{run.artifact_uri}/model", run.run_id, description="first")
    stock.set_registered_model_alias("churn", "champion", "1")

    words = ("import", "mlflow", _only_read(postgres_database), "--registry-uri", elsewhere, "--json")
    report: dict[str, Any] = json.loads(command(*words, home=server.home).stdout)["report"]
    assert report["differences"] == []
    ours = MlflowClient(server.url)
    assert picture(ours, ("churn",)) == picture(stock, ("churn",))
    assert registry(ours) == registry(stock)
    assert datasets_of(ours) == datasets_of(stock)
    assert ours.get_model_version_by_alias("churn", "champion").run_id == run.run_id
    again = json.loads(command(*words, home=server.home).stdout)["report"]["counts"]
    assert again.get("made", 0) == again.get("changed", 0) == 0


def _only_read(address: str) -> str:
    """The address for somebody who may read everything and write nothing."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'r' IN ROLE pg_read_all_data")
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=f"reader:r@{parts.netloc.rpartition('@')[2]}"))
