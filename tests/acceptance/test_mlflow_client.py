"""The unmodified `mlflow` client against a real server: what a data scientist's script does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import Server

LIFE = """
import json, mlflow, numpy as np, pandas as pd
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

mlflow.set_experiment("flights")
mlflow.sklearn.autolog()
rows = pd.DataFrame({"delay": np.arange(200.0), "distance": np.arange(200.0) % 17})
late = (rows["delay"] > 100).astype(int)
with mlflow.start_run(run_name="first") as run:
    model = LogisticRegression(C=0.5).fit(rows, late)
    mlflow.log_metric("auc", 0.91, step=3)
    info = mlflow.sklearn.log_model(
        model, name="classifier", input_example=rows.head(2), registered_model_name="flights",
        serialization_format="cloudpickle",
    )
client = MlflowClient()
client.set_registered_model_alias("flights", "champion", 1)
expected = model.predict(rows)
run_id = run.info.run_id
uris = ["models:/flights@champion", "models:/flights/1", "models:/flights/latest", f"runs:/{run_id}/model",
        f"runs:/{run_id}/classifier", info.model_uri]
found = client.get_run(run_id)
version = client.get_model_version_by_alias("flights", "champion")
query = "metrics.auc > 0.9 and params.C = '0.5'"
print("ANSWER" + json.dumps({
    "status": found.info.status,
    "C": found.data.params["C"],
    "auc": found.data.metrics["auc"],
    "score": [found.data.metrics["training_score"], model.score(rows, late)],
    "inputs": sorted([i.dataset.name, i.tags[0].value] for i in found.inputs.dataset_inputs),
    "outputs": len(found.outputs.model_outputs),
    "version": [version.version, version.run_id == run_id, list(version.aliases), version.status],
    "search": [r.info.run_name for r in client.search_runs([run.info.experiment_id], query)],
    "loads": {uri: bool((mlflow.pyfunc.load_model(uri).predict(rows) == expected).all()) for uri in uris},
}))
"""


def run_client(server: Server, script: str, folder: Path) -> Any:
    """Runs a script as a user would, in another process with only the address set; returns what it answers."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**keep, "MLFLOW_TRACKING_URI": server.url, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.partition("ANSWER")[2])


def test_autolog_register_and_load(server: Server, tmp_path: Path) -> None:
    answer = run_client(server, LIFE, tmp_path)
    assert answer.pop("version") == ["1", True, ["champion"], "READY"]
    assert answer.pop("search") == ["first"]
    assert answer.pop("inputs") == [["dataset", "eval"], ["dataset", "train"]]
    assert answer.pop("outputs") == 2
    logged, computed = answer.pop("score")
    assert logged == computed
    loads = answer.pop("loads")
    assert len(loads) == 6
    assert all(loads.values()), loads
    assert answer == {"status": "FINISHED", "C": "0.5", "auc": 0.91}


def test_every_call_of_a_users_life(server: Server, tmp_path: Path) -> None:
    script = (Path(__file__).parent / "mlflow_lifecycle.py").read_text()
    assert run_client(server, script, tmp_path) == "done"
