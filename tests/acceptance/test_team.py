"""The team size: Postgres and an object store behind the same commands and the same client."""

import mlflow
from mlflow import MlflowClient

from tests.conftest import start_server


def test_the_mlflow_client_over_postgres_and_a_restart(home, postgres_database, tmp_path):
    server = start_server(home, "--database", postgres_database)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("Default")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_metrics({"auc": 0.7, "loss": float("nan")}, step=3)
        (tmp_path / "a.txt").write_text("content")
        mlflow.log_artifact(str(tmp_path / "a.txt"))
    server.kill()
    again = start_server(home, "--database", postgres_database)
    mlflow.set_tracking_uri(again.url)
    found = MlflowClient().search_runs(["0"], "metrics.auc > 0.5 AND params.lr = '0.1'")
    assert [r.info.run_id for r in found] == [run.info.run_id]
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "content"
    with again.client(again.token) as owner:
        types = [e["type"] for e in owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]]
    again.stop()
    assert types.count("run.created") == 1
    assert types.count("artifact.logged") == 1
