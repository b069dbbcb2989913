"""From a stock MLflow server over HTTP, and back to one: what comes over, and what it opens again, is the same."""

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from bench.peers import environment, mlflow_server
from tests.acceptance.moving_kit import command, fill, forget_repositories, picture, registry
from tests.acceptance.moving_traces_kit import datasets_of
from tests.conftest import Server

pytestmark = pytest.mark.compat


def _imported(server: Server, source: str) -> dict[str, Any]:
    done = command("import", "mlflow", source, "--json", home=server.home)
    return dict(json.loads(done.stdout)["report"])


def test_a_stock_server_comes_over_by_http_and_another_one_opens_the_export(server: Server, tmp_path: Path):
    target, files = f"sqlite:///{tmp_path}/out.db", tmp_path / "out"
    with mlflow_server() as url:
        fill(url, tmp_path)
        report = _imported(server, url)
        assert report["differences"] == []
        assert report["counts"]["verified"] == 4 + 3 + 4 + 1  # runs, logged models, traces and data sets
        stock, ours = MlflowClient(url), MlflowClient(server.url)
        assert picture(ours) == picture(stock)
        assert registry(ours) == registry(stock)
        assert datasets_of(ours) == datasets_of(stock)
        again = _imported(server, url)
        assert again["counts"].get("made", 0) == again["counts"].get("changed", 0) == 0
        # what a stock server adds by itself, such as its own marks in traces, came over with the rest
        command("export", "mlflow", target, "--artifacts", str(files), home=server.home)
        with mlflow_server(target, files) as second:
            back = MlflowClient(second)
            assert picture(back) == picture(stock)
            assert registry(back) == registry(stock)
            assert datasets_of(back) == datasets_of(stock)
            mlflow.set_tracking_uri(second)
            champion = Path(mlflow.artifacts.download_artifacts("models:/churn@champion", dst_path=str(tmp_path / "c")))
            assert (champion / "weights.bin").read_bytes() == bytes(range(256)) * 100
            run = back.search_runs([back.get_experiment_by_name("churn").experiment_id])[0].info  # it can be written to
            back.log_metric(run.run_id, "later", 1.0)
            assert [point.value for point in back.get_metric_history(run.run_id, "later")] == [1.0]
            forget_repositories()
            back.log_text(run.run_id, "new", "new.txt")
            assert Path(back.download_artifacts(run.run_id, "new.txt", str(tmp_path))).read_text() == "new"


def test_a_server_from_before_mlflow_3_comes_over_by_http(server: Server):
    old = environment("mlflow-2.9", "mlflow==2.9.2", "sqlalchemy<2.1", "setuptools<80")
    with mlflow_server(python=old) as url:
        stock = MlflowClient(url)
        experiment = stock.create_experiment("old")
        run = stock.create_run(experiment).info
        stock.log_batch(run.run_id, [Metric("loss", 1 / (step + 1), step, step) for step in range(10)])
        stock.log_text(run.run_id, "flavors: {}", "model/MLmodel")
        stock.set_terminated(run.run_id)
        stock.create_registered_model("old", description="who leaves")
        registered = stock._get_registry_client().store
        registered.create_model_version("old", f"{run.artifact_uri}/model", run.run_id)
        stock.set_registered_model_alias("old", "champion", "1")
        assert _imported(server, url)["differences"] == []
        ours = MlflowClient(server.url)
        assert [m.value for m in ours.get_metric_history(run.run_id, "loss")] == [1 / (step + 1) for step in range(10)]
        assert ours.get_model_version_by_alias("old", "champion").run_id == run.run_id
        forget_repositories()
        assert Path(ours.download_artifacts(run.run_id, "model/MLmodel")).read_text() == "flavors: {}"
