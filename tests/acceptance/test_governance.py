"""From a model that the real `mlflow` client logged to the answer who stands behind one of its predictions."""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

from tests.conftest import Server

TOML = """
[gates.churn]
alias = "champion"
metrics = [{ metric = "auc", min = 0.6 }]
schema = true
approvals = 1

[rollouts.churn]
max_error_rate = 0.05

[prices]
currency = "EUR"
cpu_hour = 36
gib_hour = 3.6
storage_gib_month = 0.02
"""


def _keel(server: Server, *arguments: str, token: str | None = None, fails: bool = False) -> Any:
    """The command as a person runs it."""
    secret = token or server.token
    environment = {**os.environ, "MODELKEEL_URL": server.url, "MODELKEEL_TOKEN": secret, "NO_COLOR": "1"}
    command = [sys.executable, "-m", "modelkeel", *arguments]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    if fails:
        return done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def _log(server: Server, auc: float) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"x": draw.normal(size=200).astype("float32"), "n": draw.integers(0, 9, 200)})
    fitted = LogisticRegression().fit(frame, (frame["x"] * 3 + frame["n"] > 4).astype(int))
    mlflow.set_tracking_uri(server.url)
    with mlflow.start_run():
        mlflow.log_metric("auc", auc)
        mlflow.log_input(mlflow.data.from_pandas(frame, name="customers"), context="training")
        mlflow.sklearn.log_model(
            fitted,
            name="model",
            input_example=frame.head(50),
            signature=mlflow.models.infer_signature(frame, fitted.predict(frame)),
            registered_model_name="churn",
            serialization_format="cloudpickle",
            pip_requirements=[f"{name}=={version(name)}" for name in ("scikit-learn", "numpy", "pandas")],
        )
    return frame


def _prediction(server: Server, url: str, frame: pd.DataFrame, event_time: int) -> str:
    """Asks for one prediction of the past and returns its id once the log has it."""
    inputs = {"x": [float(frame["x"][0])], "n": [int(frame["n"][0])]}
    body = {"inputs": inputs, "parameters": {"event_times": [event_time]}}
    answer = httpx.post(f"{url}/invocations", json=body).raise_for_status().json()
    identity = f"{answer['prediction_id']}.0"
    with server.client(server.token) as owner:
        deadline = time.monotonic() + 20
        while owner.get(f"/api/v1/predictions/{identity}").status_code != 200:
            assert time.monotonic() < deadline, "the prediction log is late"
            time.sleep(0.1)
    return identity


@pytest.fixture
def project(tmp_path: Path) -> Path:
    file = tmp_path / "modelkeel.toml"
    file.write_text(TOML)
    return file


def test_policy_promotion_deployment_trace_and_bill(server: Server, project: Path):
    applied = _keel(server, "apply", str(project), "--json")
    assert {one["section"]: one["changed"] for one in applied} == {
        "gates.churn": True,
        "rollouts.churn": None,
        "prices": True,
    }
    again = _keel(server, "apply", str(project))
    assert again.count("unchanged") == 2
    _keel(server, "users", "add", "vera", "--role", "approver")
    vera = _keel(server, "token", "new", "vera").strip()
    frame = _log(server, 0.7)
    _log(server, 0.5)

    with pytest.raises(MlflowException, match="PERMISSION_DENIED") as refused:
        MlflowClient().set_registered_model_alias("churn", "champion", "1")
    assert "gate policy" in str(refused.value)
    assert "auc 0.5 is not at least 0.6." in _keel(server, "promote", "churn/2", fails=True) + _keel(
        server, "promote", "churn/2", "--json", fails=True
    )
    assert "Waits for 1 approver" in _keel(server, "promote", "churn/1")
    (waiting,) = _keel(server, "approvals", "--json")
    assert "asks for a promotion" in _keel(server, "approve", waiting["id"], fails=True)
    done = _keel(server, "approve", waiting["id"], "--reason", "fine", "--json", token=vera)
    assert done["status"] == "committed"
    assert MlflowClient().get_model_version_by_alias("churn", "champion").version == "1"

    endpoint = _keel(server, "deploy", "churn@champion", "--name", "churn", "--simulated", "--json")
    past = 1_400_000_000_000
    identity = _prediction(server, endpoint["url"], frame, past)
    trace = _keel(server, "trace", identity, "--json")
    assert trace["origin"]["version"]["version"] == 1
    assert trace["origin"]["approved_by"] == ["vera"]
    assert trace["origin"]["run"]["metrics"] == {"auc": 0.7}
    assert [d["name"] for d in trace["origin"]["run"]["datasets"]] == ["customers"]
    with server.client(server.token) as owner:
        kinds = {e["index"]: e["type"] for e in owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]}
    assert [kinds[i] for i in trace["prediction"]["entries"]] == ["segment.sealed"]
    assert [kinds[i] for i in trace["revision"]["entries"]] == ["revision.created", "revision.ready"]
    assert kinds[trace["origin"]["promotions"][0]["entries"]["committed"]] == "promotion.committed"
    told = _keel(server, "trace", identity)
    assert "approved by vera" in told
    assert "churn/1" in told
    assert "1 rows answered" in _keel(server, "trace", "churn/1")

    at = "2014-06-01T00:00:00Z"
    then = _keel(server, "served", "churn", "--at", at, "--clock", "event", "--json")
    assert (then["clock"], then["prediction"]) == ("event", identity)
    assert [(one["version"], one["approved_by"]) for one in then["served"]] == [(1, ["vera"])]
    assert _keel(server, "served", "churn", "--at", at, "--json")["served"] == []  # by the server's clock: not yet
    assert "churn/1" in _keel(server, "served", "churn", "--at", "2099-01-01T00:00:00Z")
    assert (
        _keel(server, "served", "churn", "--at", "2014-05-01T00:00:00Z", "--clock", "event", "--json")["served"] == []
    )

    time.sleep(6)  # the meter looks every five seconds
    bill = _keel(server, "costs", "--json")
    assert bill["currency"] == "EUR"
    assert bill["other_runs"]["count"] == 2
    (line,) = bill["endpoints"]
    assert (line["name"], line["count"]) == ("churn", 1)
    assert line["gib_seconds"] > 0
    assert line["amount"] == pytest.approx(line["cpu_seconds"] * 0.01 + line["gib_seconds"] * 0.001)
    assert bill["per_1000_predictions"][0]["serving"] == pytest.approx(line["amount"] * 1000)
    assert bill["storage"]["count"] > 0
    assert "total" in _keel(server, "costs")


def test_a_mistake_in_the_project_file_changes_nothing(server: Server, project: Path):
    project.write_text(TOML + "\n[gates.other]\nmetrcs = []\n")
    assert "metrcs" in _keel(server, "apply", str(project), fails=True)
    project.write_text(TOML + "\n[gatez.other]\n")
    assert "gatez" in _keel(server, "apply", str(project), fails=True)
    with server.client(server.token) as owner:
        assert owner.get("/api/v1/policies").json() == []
        assert owner.get("/api/v1/prices").json()["default"] is True
