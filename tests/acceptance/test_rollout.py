"""A second version takes over by shadow and steps under live requests; none fails, and every state is an entry."""

import threading
import time

import httpx
import mlflow
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from tests.conftest import Server


def _log(frame: pd.DataFrame, strength: float) -> None:
    fitted = LogisticRegression(C=strength).fit(frame, (frame["x"] > 0).astype(int))
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            fitted,
            name="model",
            input_example=frame.head(20),
            registered_model_name="m",
            serialization_format="cloudpickle",
        )


def _wait(client: httpx.Client, state: str) -> dict:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        endpoint = client.get("/api/v1/endpoints/m").json()
        if endpoint["rollout"]["state"] == state:
            return endpoint
        assert endpoint["rollout"]["state"] != "aborted", endpoint["rollout"]["note"]
        time.sleep(0.05)
    raise AssertionError(endpoint["rollout"])


def test_shadow_steps_and_all_traffic_without_a_failed_request(server: Server):
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("Default")
    frame = pd.DataFrame({"x": np.linspace(-1, 1, 200).astype("float32")})
    _log(frame, 1.0)
    _log(frame, 0.1)
    failures: list[str] = []
    stop = threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(timeout=30) as caller:
            while not stop.is_set():
                answer = caller.post(f"{url}/invocations", json={"inputs": {"x": [0.5, -0.5]}})
                if answer.status_code != 200:
                    failures.append(answer.text)
                time.sleep(0.002)

    with server.client(server.token) as owner:
        policy = {"shadow_rows": 60, "steps": [20, 50], "rows_per_step": 40}
        owner.put("/api/v1/rollouts/policy/m", json=policy).raise_for_status()
        owner.put("/api/v1/endpoints/m", json={"model": "m/1"}).raise_for_status()
        url = _wait(owner, "completed")["url"]
        callers = [threading.Thread(target=ask, args=(url,)) for _ in range(3)]
        for caller in callers:
            caller.start()
        owner.put("/api/v1/endpoints/m", json={"model": "m/2"}).raise_for_status()
        second = owner.put("/api/v1/endpoints/m", json={"model": "m/2"})
        assert second.status_code == 409  # one rollout at a time
        endpoint = _wait(owner, "completed")
        stop.set()
        for caller in callers:
            caller.join()
        entries = owner.get("/api/v1/ledger/entries?limit=1000&types=rollout.advanced,traffic.shifted").json()[
            "entries"
        ]
    assert failures == []
    assert [r["version"] for r in endpoint["revisions"] if r["id"] == endpoint["routes"][0]["revision"]] == [2]
    states = [e["data"]["state"] for e in reversed(entries) if e["type"] == "rollout.advanced"]
    assert states == ["shadow", "stepping", "stepping"]
    assert sum(e["type"] == "traffic.shifted" for e in entries) == 5  # first, shadow, 20 %, 50 %, all
