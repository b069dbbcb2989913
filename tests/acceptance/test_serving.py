"""From a model that the real `mlflow` client logged to answers over HTTP, a swap and a rollback."""

import time

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tests.conftest import Server


@pytest.fixture
def frame() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    return pd.DataFrame({"x": draw.normal(size=300).astype("float32"), "stops (n)": draw.integers(0, 9, 300)})


def _log(server: Server, frame: pd.DataFrame, strength: float) -> int:
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("Default")
    fitted = LogisticRegression(C=strength).fit(frame, (frame["x"] * 3 + frame["stops (n)"] > 4).astype(int))
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            fitted,
            name="model",
            input_example=frame.head(50),
            signature=mlflow.models.infer_signature(frame, fitted.predict(frame)),
            registered_model_name="churn",
            serialization_format="cloudpickle",
        )
    assert info.registered_model_version is not None
    return int(info.registered_model_version)


def _settled(client: httpx.Client, name: str) -> dict:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        endpoint = client.get(f"/api/v1/endpoints/{name}").json()
        if endpoint["rollout"]["state"] in {"completed", "aborted"}:
            return endpoint
        time.sleep(0.05)
    raise AssertionError(endpoint)


def test_deploy_predict_swap_and_roll_back(server: Server, frame: pd.DataFrame):
    first, second = _log(server, frame, 1.0), _log(server, frame, 0.01)
    with server.client(server.token) as owner:
        owner.put("/api/v1/endpoints/churn", json={"model": f"churn/{first}"}).raise_for_status()
        endpoint = _settled(owner, "churn")
        assert endpoint["rollout"]["state"] == "completed", endpoint
        revision = endpoint["revisions"][0]
        assert (revision["kind"], revision["state"]) == ("onnx", "ready"), revision
        body = {"dataframe_split": frame.head(20).to_dict(orient="split", index=False)}
        answer = httpx.post(f"{endpoint['url']}/invocations", json=body).raise_for_status().json()
        native = mlflow.sklearn.load_model(f"models:/churn/{first}")
        assert answer["predictions"] == native.predict(frame.head(20)).tolist()
        owner.put("/api/v1/endpoints/churn", json={"model": f"churn/{second}"}).raise_for_status()
        endpoint = _settled(owner, "churn")
        assert endpoint["routes"] == [{"revision": endpoint["revisions"][0]["id"], "weight": 100.0}]
        assert endpoint["revisions"][0]["version"] == second
        back = owner.post("/api/v1/endpoints/churn/rollback").raise_for_status().json()
        assert back["routes"][0]["revision"] == revision["id"]
        types = [e["type"] for e in owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]]
    assert types.count("traffic.shifted") == 3
    assert types.count("revision.ready") == 2


def test_a_model_that_can_not_be_served_says_why_and_the_old_one_goes_on(server: Server, frame: pd.DataFrame):
    good = _log(server, frame, 1.0)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("Default")
    with mlflow.start_run():
        model = LogisticRegression().fit(frame, frame["stops (n)"] > 4)
        mlflow.sklearn.log_model(model, name="model", registered_model_name="churn", serialization_format="cloudpickle")
    with server.client(server.token) as owner:
        owner.put("/api/v1/endpoints/churn", json={"model": f"churn/{good}"}).raise_for_status()
        before = _settled(owner, "churn")
        owner.put("/api/v1/endpoints/churn", json={"model": f"churn/{good + 1}"}).raise_for_status()
        after = _settled(owner, "churn")
    assert after["rollout"]["state"] == "aborted"
    assert "signature" in after["rollout"]["note"]
    assert after["routes"] == before["routes"]
