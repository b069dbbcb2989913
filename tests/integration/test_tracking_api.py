"""Tracking and registry under `/api/v1`: what the page and the command line read."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelkeel.core.hashing import sha256
from tests.conftest import Server

V2 = "/api/2.0/mlflow"
MLMODEL = b"""flavors: {sklearn: {}, python_function: {}}
signature:
  inputs: '[{"type": "double", "name": "delay", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
"""


@pytest.fixture(scope="module")
def client(shared_server: Server) -> Iterator[httpx.Client]:
    with shared_server.client() as made:
        yield made


@pytest.fixture(scope="module")
def run(client: httpx.Client) -> dict[str, str]:
    """A finished run with a model registered from it as `flights` 1, alias `champion`."""

    def post(path: str, **body: Any) -> Any:
        return client.post(f"{V2}/{path}", json=body).raise_for_status().json()

    experiment = post("experiments/create", name="api")["experiment_id"]
    run_id = post("runs/create", experiment_id=experiment, run_name="first", start_time=1_700_000_000_123)["run"][
        "info"
    ]["run_id"]
    metrics = [{"key": "loss", "value": 1 / (n + 1), "timestamp": n, "step": n} for n in range(900)]
    metrics.append({"key": "odd", "value": "NaN", "timestamp": 1})
    post("runs/log-batch", run_id=run_id, metrics=metrics, params=[{"key": "C", "value": "1"}])
    root = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run_id}/artifacts"
    client.put(f"{root}/model/MLmodel", content=MLMODEL).raise_for_status()
    client.put(f"{root}/model/data/weights.bin", content=b"w" * 10).raise_for_status()
    post("registered-models/create", name="flights")
    post("model-versions/create", name="flights", source=f"runs:/{run_id}/model", run_id=run_id)
    post("registered-models/alias", name="flights", alias="champion", version="1")
    post("runs/update", run_id=run_id, status="FINISHED", end_time=1_700_000_001_000)
    return {"id": run_id, "experiment": experiment}


def get(client: httpx.Client, address: str, **query: Any) -> Any:
    return client.get(f"/api/v1/{address}", params=query).raise_for_status().json()


def test_runs_with_chosen_columns(client: httpx.Client, run: dict[str, str]) -> None:
    found = get(client, "runs", experiment=run["experiment"], columns=["metrics.loss", "params.C", "tags.none"])
    row = found["runs"][0]
    assert found["next"] is None
    assert (row["id"], row["name"], row["status"]) == (run["id"], "first", "FINISHED")
    assert row["values"] == {"metrics.loss": 1 / 900, "params.C": "1"}
    assert (row["started"], row["ended"]) == ("2023-11-14T22:13:20.123Z", "2023-11-14T22:13:21.000Z")
    assert get(client, "runs", experiment=run["experiment"], filter="metrics.loss > 1")["runs"] == []
    assert client.get("/api/v1/runs", params={"experiment": run["experiment"], "filter": "x"}).status_code == 400


def test_a_run_and_its_series(client: httpx.Client, run: dict[str, str]) -> None:
    found = get(client, f"runs/{run['id']}")
    assert found["metrics"]["loss"] == {"value": 1 / 900, "step": 899, "time": "1970-01-01T00:00:00.899Z"}
    assert found["metrics"]["odd"]["value"] is None
    assert found["params"] == {"C": "1"}
    buckets = get(client, f"runs/{run['id']}/metric-buckets", key="loss", count=90)
    assert len(buckets) == 90
    assert buckets[3] == {
        "step": 30, "end": 39, "time": "1970-01-01T00:00:00.039Z", "points": 10,
        "low": 1 / 40, "high": 1 / 31, "last": 1 / 40,
    }  # fmt: skip
    assert client.get(f"/api/v1/runs/{'0' * 32}").status_code == 404


def test_an_ended_run_is_sealed_in_the_background(client: httpx.Client, run: dict[str, str]) -> None:
    deadline = time.monotonic() + 20
    while get(client, f"runs/{run['id']}")["seal"] is None and time.monotonic() < deadline:
        time.sleep(0.2)
    seal = get(client, f"runs/{run['id']}")["seal"]
    entry = get(client, "ledger/entries", about=f"run:{run['id']}", types="run.sealed")["entries"][0]
    assert entry["data"]["digest"] == seal
    assert entry["data"]["points"] == 901


def test_files_of_a_run(client: httpx.Client, run: dict[str, str]) -> None:
    at = f"runs/{run['id']}/artifacts"
    assert get(client, at) == [{"path": "model", "is_dir": True, "size": None}]
    assert [f["path"] for f in get(client, at, path="model")] == ["model/MLmodel", "model/data"]
    answer = client.get(f"/api/v1/{at}/model/data/weights.bin")
    assert answer.content == b"w" * 10
    assert "attachment" in answer.headers["content-disposition"]
    assert client.get(f"/api/v1/{at}/model/nothing").status_code == 404
    assert client.get(f"/api/v1/{at}/..%2f..%2fx").status_code in {400, 404}


def test_models_and_versions(client: httpx.Client, run: dict[str, str]) -> None:
    row = get(client, "models")["models"][0]
    assert (row["name"], row["latest"], row["aliases"]) == ("flights", 1, {"champion": 1})
    model = get(client, "models/flights")
    assert [v["version"] for v in model["versions"]] == [1]
    detail = get(client, "models/flights/versions/1")
    files = {f["path"]: f["digest"] for f in detail["files"]}
    assert files == {"MLmodel": sha256(MLMODEL), "data/weights.bin": sha256(b"w" * 10)}
    assert detail["version"]["run"] == run["id"]
    assert detail["version"]["aliases"] == ["champion"]
    assert detail["schema"]["inputs"] == [{"type": "double", "name": "delay", "required": True}]
    assert detail["schema"]["outputs"] == [{"type": "long", "required": True}]
    assert detail["schema"]["flavors"] == ["python_function", "sklearn"]
    file = client.get("/api/v1/models/flights/versions/1/files/data/weights.bin")
    assert file.content == b"w" * 10
    assert [v["name"] for v in get(client, f"runs/{run['id']}/versions")] == ["flights"]
    assert client.get("/api/v1/models/nothing").status_code == 404


def test_experiments(client: httpx.Client, run: dict[str, str]) -> None:
    found = get(client, "experiments", filter="name = 'api'")["experiments"]
    assert [e["id"] for e in found] == [run["experiment"]]
    names = [e["name"] for e in get(client, "experiments")["experiments"]]
    assert names == ["api", "Default"]


def test_the_typed_api_is_described(client: httpx.Client) -> None:
    paths = client.get("/api/v1/openapi/openapi.json").json()["paths"]
    assert "/api/v1/models/{name}/versions/{version}" in paths
    assert not [path for path in paths if "/mlflow" in path]
