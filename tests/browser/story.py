"""A small true story on a real server: runs, a model with gates, an endpoint with traffic, labels, a pipeline run."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import polars as pl
from sklearn.linear_model import LogisticRegression

import modelkeel as keel
from tests.conftest import Server

WEEK = 7 * 86_400_000
START = 1_357_516_800_000  # Monday, 7 January 2013
COLUMNS = ["dep_delay", "wind_speed"]
ROWS = 1_000
WEEKS = 5
SHIFTED = ROWS * 2 // WEEKS  # from the third week on, the delays are others and the model is wrong about them


@dataclass(frozen=True)
class Story:
    """What the pages are about."""

    server: Server
    experiment: str
    run: str
    other: str
    waiting: str
    approver: str
    prediction: str
    pipeline: str
    alert: str
    incident: str

    def pages(self) -> dict[str, str]:
        """Every page: its address and its heading."""
        return {
            "/": "Home",
            "/experiments": "Experiments",
            f"/experiments/{self.experiment}": "delays",
            f"/runs/{self.run}": "long run",
            f"/runs/{self.run}?tab=charts": "long run",
            f"/runs/{self.run}?tab=artifacts&folder=report&file=report/summary.md": "long run",
            f"/compare?runs={self.run},{self.other}": "Compare runs",
            "/pipelines": "Pipelines",
            "/datasets": "Data sets",
            "/datasets/flights": "flights",
            f"/pipelines/{self.pipeline}": "delays",
            f"/pipelines/{self.pipeline}?step=1": "delays",
            "/models": "Models",
            "/models/delays": "delays",
            "/models/delays/1": "delays 1",
            "/endpoints": "Endpoints",
            "/endpoints/delays": "delays",
            "/endpoints/delays?tab=watch": "delays",
            "/endpoints/delays?tab=revisions": "delays",
            "/endpoints/canary": "canary",
            "/alerts": "Alerts",
            f"/alerts/{self.alert}": "auc fell",
            f"/alerts/incidents/{self.incident}": "Incident at delays",
            "/approvals": "Approvals",
            f"/approvals/{self.waiting}": "delays 2 → @champion",
            "/predictions": "Trace",
            f"/predictions/{self.prediction}": "Prediction",
            "/ledger": "Ledger",
            "/ledger/1": "Entry 1",
            "/costs": "Costs",
            "/members": "Members",
            "/members?tab=grants": "Members",
        }


def tell(server: Server) -> Story:
    """Fills a fresh server through the `mlflow` client and the API."""
    mlflow.set_tracking_uri(server.url)
    draw = np.random.default_rng(0)
    frame, late = _flights(draw)
    experiment = mlflow.set_experiment("delays").experiment_id
    long_run = _long_run(experiment, "long run", 500)
    other = _long_run(experiment, "quick run", 100)
    model = LogisticRegression().fit(frame, late)
    _register(model, frame, late)
    approver = server.user("mara", "approver")
    with server.client(server.token) as owner:
        _ok(owner.put("/api/v1/policies/delays", json={"metrics": [{"metric": "auc", "min": 0.6}], "approvals": 1}))
        first, waiting = [
            _ok(owner.post("/api/v1/promotions", json={"model": "delays", "version": version, "alias": "champion"}))
            for version in (1, 2)
        ]
        with server.client(approver) as mara:
            _ok(mara.post(f"/api/v1/promotions/{first['id']}/approve", json={"reason": "the numbers hold"}))
        prediction = _serve(owner, *_shifted(*_flights(draw)))
        waiting = _ok(owner.post("/api/v1/promotions", json={"model": "delays", "version": 2, "alias": "champion"}))
        pipeline = _pipeline(owner)
        _keep(server, frame)
        _roll_out(owner)
        alert, incident = _alerted(owner)
    return Story(server, experiment, long_run, other, waiting["id"], approver, prediction, pipeline, alert, incident)


def _keep(server: Server, frame: pd.DataFrame) -> None:
    """Two versions of a data set."""
    with keel.Api(server.url, server.token) as api:
        for rows in (ROWS // 2, ROWS):
            table = pl.DataFrame({name: frame[name].to_numpy()[:rows] for name in frame.columns})
            keel.save_dataset("flights", table, source="the airport", description="Delays by flight.", api=api)


def _flights(draw: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    frame = pd.DataFrame({name: draw.normal(size=ROWS) for name in COLUMNS})
    return frame, (frame["dep_delay"] * 2 + draw.normal(size=ROWS) > 0).astype(int)


def _shifted(frame: pd.DataFrame, late: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    changed = np.arange(ROWS) >= SHIFTED
    return frame.assign(dep_delay=frame["dep_delay"] + 1.5 * changed), late.where(~changed, 1 - late)


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json() if answer.content else None


def _long_run(experiment: str, name: str, pace: int) -> str:
    client = mlflow.MlflowClient()
    run = client.create_run(experiment, run_name=name)
    now = int(time.time() * 1000)
    points = [mlflow.entities.Metric("loss", float(np.exp(-step / pace)), now, step) for step in range(2000)]
    for at in range(0, len(points), 1000):
        params = {"depth": "8", "pace": str(pace)} if at == 0 else {}
        client.log_batch(
            run.info.run_id, points[at : at + 1000], [mlflow.entities.Param(*param) for param in params.items()]
        )
    client.log_text(run.info.run_id, "# Summary\nIt converged.\n", "report/summary.md")
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _register(model: LogisticRegression, frame: pd.DataFrame, late: pd.Series) -> None:
    with mlflow.start_run(run_name="logistic"):
        mlflow.log_metric("auc", 0.8)
        data = mlflow.data.from_pandas(frame.assign(late=late), name="january", targets="late")
        mlflow.log_input(data, context="training")
        with tempfile.TemporaryDirectory() as folder:
            reference = Path(folder, "reference.parquet")
            columns = {**frame.to_dict("list"), "score": model.predict_proba(frame)[:, 1], "label": late.tolist()}
            pl.DataFrame(columns).write_parquet(reference)
            mlflow.log_artifact(str(reference))
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(frame, model.predict_proba(frame)),
            pyfunc_predict_fn="predict_proba",
            input_example=frame.head(20),
            registered_model_name="delays",
            serialization_format="cloudpickle",
        )
    for name in ("delays", "plain", "plain"):
        mlflow.register_model(logged.model_uri, name)


def _serve(owner: httpx.Client, frame: pd.DataFrame, late: pd.Series) -> str:
    _ok(owner.put("/api/v1/endpoints/delays", json={"model": "delays/1", "simulated": True}))
    rules = {"drift": {"min_rows": 100}, "quality": {"min_labels": 100}}
    _ok(owner.put("/api/v1/monitors/delays", json={"window": "7d", **rules}))
    endpoint = _until(owner, "delays", "completed")
    ids: list[str] = []
    times = [START + row * WEEKS * WEEK // len(frame) for row in range(len(frame))]
    for at in range(0, len(frame), 100):
        body = {
            "dataframe_split": {"columns": COLUMNS, "data": frame.iloc[at : at + 100].to_numpy().tolist()},
            "parameters": {"event_times": times[at : at + 100]},
        }
        said = _ok(httpx.post(f"{endpoint['url']}/invocations", json=body, timeout=30))["prediction_id"]
        ids += [f"{said}.{row}" for row in range(100)]
    _wait(lambda: owner.get(f"/api/v1/predictions/{ids[-1]}").status_code == 200, "the prediction log stayed empty")
    labels = {"prediction_ids": ids, "labels": late.tolist(), "event_times": [moment + WEEK for moment in times]}
    _ok(owner.post("/api/v1/labels", json=labels))
    return ids[0]


def _roll_out(owner: httpx.Client) -> None:
    """An endpoint whose second revision stays in the shadow until somebody asks it something."""
    _ok(owner.put("/api/v1/rollouts/policy/canary", json={"shadow_rows": 60, "steps": [20], "rows_per_step": 100_000}))
    for version, state in ((1, "completed"), (2, "shadow")):
        _ok(owner.put("/api/v1/endpoints/canary", json={"model": f"plain/{version}"}))
        _until(owner, "canary", state)


def _until(owner: httpx.Client, name: str, state: str) -> dict[str, Any]:
    """The endpoint, when its rollout is so far."""

    def reached() -> Any:
        endpoint = _ok(owner.get(f"/api/v1/endpoints/{name}"))
        assert endpoint["rollout"]["state"] != "aborted", endpoint
        return endpoint if endpoint["rollout"]["state"] == state else None

    found: dict[str, Any] = _wait(reached, f"the endpoint {name} did not come to {state}")
    return found


def _alerted(owner: httpx.Client) -> tuple[str, str]:
    """The alert about quality and its incident."""

    def raised() -> Any:
        return [alert for alert in _ok(owner.get("/api/v1/alerts")) if alert["kind"] == "quality"]

    alert = _wait(raised, "the fallen quality raised no alert")[0]
    return alert["id"], alert["incident"]


def _wait(check: Callable[[], Any], trouble: str) -> Any:
    """The first true answer of `check`."""
    deadline = time.monotonic() + 120
    while not (found := check()):
        assert time.monotonic() < deadline, trouble
        time.sleep(0.1)
    return found


def _pipeline(owner: httpx.Client) -> str:
    start = {
        "pipeline": "delays",
        "project": "delays",
        "target": "pipeline.py:flow",
        "params": {"weeks": 8},
        "seed": 7,
        "paths": [],
        "code": _digest("code"),
        "experiment": "delays pipeline",
        "environment": _digest("environment"),
        "python": "3.11.7",
    }
    run = _ok(owner.post("/api/v1/pipelines/runs", json=start))["run_id"]
    now = int(time.time() * 1000)
    plan: list[tuple[str, dict[str, Any]]] = [
        ("load", {}),
        ("features", {"rows": _value("load", 0)}),
        ("train", {"features": _value("features", 1), "rows": _value("load", 0)}),
    ]
    steps = [
        {
            "index": at,
            "name": name,
            "status": "finished",
            "inputs": inputs,
            "output": _value(name, None),
            "started": now,
            "wall_us": 400_000,
            "cpu_us": 300_000,
        }
        for at, (name, inputs) in enumerate(plan)
    ]
    _ok(owner.post(f"/api/v1/pipelines/runs/{run}/steps", json={"steps": steps}))
    _ok(owner.post(f"/api/v1/pipelines/runs/{run}/end", json={"status": "finished"}))
    return str(run)


def _value(text: str, step: int | None) -> dict[str, Any]:
    inline = json.dumps(text)
    return {"kind": "json", "digest": _digest(inline), "size": len(inline), "inline": inline, "step": step}


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
