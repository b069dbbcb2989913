"""Who may call a prediction address of a server without the loopback exception."""

import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import requests
from sklearn.linear_model import LogisticRegression

from tests.conftest import start_server


def test_tokens_with_predict_open_a_prediction_address_and_nothing_else_does(home: Path, monkeypatch):
    server = start_server(home, "--no-anonymous")
    try:
        draw = np.random.default_rng(0)
        frame = pd.DataFrame({"x": draw.normal(size=100).astype("float32")})
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        mlflow.set_tracking_uri(server.url)
        mlflow.set_experiment("Default")
        fitted = LogisticRegression().fit(frame, (frame["x"] > 0).astype(int))
        with mlflow.start_run():
            signature = mlflow.models.infer_signature(frame, fitted.predict(frame))
            mlflow.sklearn.log_model(
                fitted,
                name="model",
                input_example=frame.head(9),
                signature=signature,
                registered_model_name="churn",
                serialization_format="cloudpickle",
            )
        with server.client(server.token) as owner:
            owner.put("/api/v1/endpoints/churn", json={"model": "churn/1"}).raise_for_status()
            deadline = time.monotonic() + 90
            while (at := owner.get("/api/v1/endpoints/churn").json())["rollout"]["state"] != "completed":
                assert time.monotonic() < deadline, at
                time.sleep(0.1)
        body = {"dataframe_split": {"columns": ["x"], "data": [[2.0]]}}

        def call(token: str | None) -> requests.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return requests.post(f"{at['url']}/invocations", json=body, headers=headers, timeout=10)

        _becomes(lambda: call(None).status_code, 401)  # a rollout may be complete a moment before its address is open
        refused = call(None)
        assert "key" in refused.json()["error"]
        assert call("mk_wrong").status_code == 401
        answer = call(server.token)
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"] == [1]

        app = server.user("app", "maintainer")
        assert _becomes(lambda: call(app).status_code, 200) < 2
        denial = {"to": "app", "kind": "endpoint", "id": at["id"], "permissions": ["predict"], "effect": "deny"}
        with server.client(server.token) as owner:
            owner.put("/api/v1/grants", json=denial).raise_for_status()
        assert _becomes(lambda: call(app).status_code, 401) < 2
        assert call(server.token).status_code == 200
        server.kill()
        assert call(server.token).status_code == 200, "the last table holds for some minutes"
        assert call(app).status_code == 401
    finally:
        server.stop()


def _becomes(look: Callable[[], int], wanted: int) -> float:
    """Seconds until `look` gives `wanted`."""
    start = time.monotonic()
    while look() != wanted:
        assert time.monotonic() < start + 20
        time.sleep(0.02)
    return time.monotonic() - start
