"""From a stock MLflow server over HTTP, and back to one: what comes over, and what it opens again, is the same."""

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from bench.peers import mlflow_server
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
