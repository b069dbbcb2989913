"""Somebody denied an object, and somebody granted only one, look for it everywhere."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import start_server

MLFLOW = "/api/2.0/mlflow"


def _post(client: httpx.Client, path: str, **body: object) -> dict:
    answer = client.post(f"{MLFLOW}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _get(client: httpx.Client, path: str, **params: str) -> httpx.Response:
    return client.get(f"{MLFLOW}/{path}", params=params)


class World:
    """Two experiments with a run each, a model with a version from the first."""

    def __init__(self, owner: httpx.Client) -> None:
        self.owner = owner
        self.experiments, self.runs = [], []
        for name in ("secret-flights", "open-flights"):
            experiment = _post(owner, "experiments/create", name=name)["experiment_id"]
            run = _post(owner, "runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
            _post(owner, "runs/log-metric", run_id=run, key="auc", value=0.7, timestamp=1, step=1)
            path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/model/MLmodel"
            assert owner.put(path, content=b"flavors: {}").status_code == 200
            self.experiments.append(experiment)
            self.runs.append(run)
        _post(owner, "registered-models/create", name="delay")
        source = f"runs:/{self.runs[0]}/model"
        _post(owner, "model-versions/create", name="delay", source=source, run_id=self.runs[0])
        found = owner.get("/api/v1/ledger/entries", params={"types": "model.created"}).json()["entries"]
        self.model = found[0]["subject"]["model"]

    def grant(self, to: str, kind: str, identity: str, *permissions: str, effect: str = "allow") -> None:
        body = {"to": to, "kind": kind, "id": identity, "permissions": list(permissions), "effect": effect}
        self.owner.put("/api/v1/grants", json=body).raise_for_status()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_server(request, postgres):
    """One server for the module on each database."""
    name = f"keel_{uuid.uuid4().hex}"
    options: tuple[str, ...] = ()
    if request.param == "postgres":
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        address = postgres.replace("/postgres?", f"/{name}?") if "?" in postgres else None
        options = ("--database", address or f"{postgres.rsplit('/', 1)[0]}/{name}")
    home = Path(tempfile.mkdtemp(prefix="mk"))
    running = start_server(home, *options)
    yield running
    running.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def world(shared_server):
    with shared_server.client(shared_server.token) as owner:
        yield World(owner)


def test_a_denied_experiment_is_not_there(shared_server, world):
    token = shared_server.user("dora", "maintainer")
    hidden, shown = world.experiments
    world.grant("dora", "experiment", hidden, "read", effect="deny")
    run = world.runs[0]
    with shared_server.client(token) as dora:
        assert _get(dora, "experiments/get", experiment_id=hidden).status_code == 404
        assert _get(dora, "experiments/get-by-name", experiment_name="secret-flights").status_code == 404
        listed = _post(dora, "experiments/search", max_results=100)["experiments"]
        assert shown in {e["experiment_id"] for e in listed}
        assert hidden not in {e["experiment_id"] for e in listed}
        found = _post(dora, "runs/search", experiment_ids=[hidden, shown]).get("runs", [])
        assert {r["info"]["experiment_id"] for r in found} == {shown}
        assert _get(dora, "runs/get", run_id=run).status_code == 404
        assert _get(dora, "metrics/get-history", run_id=run, metric_key="auc").status_code == 404
        assert _get(dora, "artifacts/list", run_id=run).status_code == 404
        path = f"/api/2.0/mlflow-artifacts/artifacts/{hidden}/{run}/artifacts/model/MLmodel"
        assert dora.get(path).status_code == 404
        batch = {"run_id": run, "metrics": [{"key": "auc", "value": 1, "timestamp": 2, "step": 2}]}
        assert dora.post(f"{MLFLOW}/runs/log-batch", json=batch).status_code == 404
        assert dora.post(f"{MLFLOW}/runs/create", json={"experiment_id": hidden}).status_code == 404
        assert dora.post(f"{MLFLOW}/runs/delete", json={"run_id": run}).status_code == 404
        version = _get(dora, "model-versions/get", name="delay", version="1").json()["model_version"]
        assert not version.get("run_id")
        assert not version.get("source")
        assert dora.get(f"/api/v1/runs/{run}").status_code == 404
        every = dora.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
        said = str(every)
        assert shown in said
        assert hidden not in said
        assert run not in said
        assert "secret-flights" not in said
        assert dora.post("/api/v1/ledger/export").status_code == 403
        trace = dora.get("/api/v1/trace/versions/delay/1")
        assert trace.status_code == 200
        assert run not in trace.text
        assert run not in dora.get("/api/v1/costs").text


def test_pages_stay_whole_where_something_is_hidden(shared_server, world):
    token = shared_server.user("paula", "viewer")
    world.grant("paula", "experiment", world.experiments[1], "read", effect="deny")
    with shared_server.client(token) as paula:
        first = _post(paula, "experiments/search", max_results=1)
        second = _post(paula, "experiments/search", max_results=1, page_token=first["next_page_token"])
    seen = [page["experiments"][0]["name"] for page in (first, second)]
    assert seen == ["secret-flights", "Default"]
    assert not second.get("next_page_token")


def test_a_grantee_without_a_role_reaches_just_the_granted_object(shared_server, world):
    world.owner.post("/api/v1/users", json={"name": "gil", "roles": []}).raise_for_status()
    world.grant("gil", "experiment", world.experiments[0], "read", "track")
    minted = world.owner.post("/api/v1/tokens", json={"user": "gil"}).raise_for_status().json()["secret"]
    with shared_server.client(minted) as gil:
        listed = _post(gil, "experiments/search", max_results=100)["experiments"]
        assert [e["experiment_id"] for e in listed] == world.experiments[:1]
        assert _get(gil, "runs/get", run_id=world.runs[0]).status_code == 200
        assert _get(gil, "runs/get", run_id=world.runs[1]).status_code == 404
        assert gil.post(f"{MLFLOW}/runs/create", json={"experiment_id": world.experiments[0]}).status_code == 200
        assert gil.post(f"{MLFLOW}/runs/create", json={"experiment_id": world.experiments[1]}).status_code == 404
        assert gil.post(f"{MLFLOW}/experiments/create", json={"name": "mine"}).status_code == 403
        assert gil.get("/api/v1/users").status_code == 403
        assert gil.get("/api/v1/ledger/entries").status_code == 403
        assert _get(gil, "registered-models/get", name="delay").status_code == 403


def test_a_denied_model_is_not_there(shared_server, world):
    token = shared_server.user("mona", "maintainer")
    world.grant("mona", "model", world.model, "read", effect="deny")
    with shared_server.client(token) as mona:
        assert _get(mona, "registered-models/get", name="delay").status_code == 404
        assert _get(mona, "registered-models/search").json().get("registered_models", []) == []
        assert _get(mona, "model-versions/search").json().get("model_versions", []) == []
        assert _get(mona, "model-versions/get", name="delay", version="1").status_code == 404
        alias = {"name": "delay", "alias": "champion", "version": "1"}
        assert mona.post(f"{MLFLOW}/registered-models/alias", json=alias).status_code == 404


def test_a_group_gives_roles_and_grants_and_each_change_is_recorded_once(shared_server, world):
    owner = world.owner
    token = shared_server.user("greta", "viewer")
    for _ in range(2):
        owner.put("/api/v1/groups/team/members/greta").raise_for_status()
        owner.put("/api/v1/groups/team/roles/contributor").raise_for_status()
    with shared_server.client(token) as greta:
        run = greta.post(f"{MLFLOW}/runs/create", json={"experiment_id": world.experiments[1]})
        assert run.status_code == 200
        owner.put(
            "/api/v1/grants",
            json={
                "to": "team",
                "group": True,
                "kind": "experiment",
                "id": world.experiments[1],
                "permissions": ["track"],
                "effect": "deny",
            },
        ).raise_for_status()
        run = greta.post(f"{MLFLOW}/runs/create", json={"experiment_id": world.experiments[1]})
        assert run.status_code == 403
        assert [g["name"] for g in greta.get("/api/v1/grants").json()] == ["team"]
        refused = {"to": "greta", "kind": "model", "id": "x", "permissions": ["read"]}
        assert greta.put("/api/v1/grants", json=refused).status_code == 403
    entries = owner.get("/api/v1/ledger/entries", params={"types": "group.joined,group.created"}).json()["entries"]
    assert sorted(e["type"] for e in entries) == ["group.created", "group.joined"]
    group = owner.get("/api/v1/groups").json()[0]
    assert (group["members"], group["roles"]) == (["greta"], ["contributor"])


def test_the_last_admin_stays(world):
    assert world.owner.delete("/api/v1/users/owner/roles/admin").status_code == 409


def test_a_denied_endpoint_is_not_there(shared_server, world):
    owner = world.owner
    for name in ("hidden-place", "open-place"):
        owner.put(f"/api/v1/endpoints/{name}", json={"model": "delay/1"}).raise_for_status()
    ids = {e["name"]: e["id"] for e in owner.get("/api/v1/endpoints").json()}
    token = shared_server.user("enno", "maintainer")
    world.grant("enno", "endpoint", ids["hidden-place"], "read", effect="deny")
    with shared_server.client(token) as enno:
        assert [e["name"] for e in enno.get("/api/v1/endpoints").json()] == ["open-place"]
        for path in ("endpoints/hidden-place", "endpoints/hidden-place/traffic", "monitors/hidden-place/traffic"):
            assert enno.get(f"/api/v1/{path}").status_code == 404, path
        assert enno.get("/api/v1/endpoints/open-place").status_code == 200
        assert enno.put("/api/v1/endpoints/hidden-place", json={"model": "delay/1"}).status_code == 404
        assert enno.post("/api/v1/endpoints/hidden-place/rollback").status_code == 404
        trace = enno.get("/api/v1/trace/versions/delay/1").text
        assert ids["hidden-place"] not in trace
        assert "hidden-place" not in trace
        said = enno.get("/api/v1/ledger/entries", params={"limit": 1000}).text
        assert ids["open-place"] in said
        assert ids["hidden-place"] not in said
        assert enno.get("/api/v1/alerts").json() == []
        assert enno.get("/api/v1/incidents").json() == []


def test_what_governs_a_denied_model_is_not_there(shared_server, world):
    token = shared_server.user("noah", "maintainer")
    world.grant("noah", "model", world.model, "read", effect="deny")
    with shared_server.client(token) as noah:
        assert noah.get("/api/v1/trace/versions/delay/1").status_code == 404
        said = noah.get("/api/v1/ledger/entries", params={"limit": 1000}).text
    assert world.model not in said


def test_the_commands_grant_deny_and_show(shared_server, world):
    environment = {**os.environ, "MODELKEEL_URL": shared_server.url, "MODELKEEL_TOKEN": shared_server.token}

    def keel(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "modelkeel", *words], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    shared_server.user("clara", "viewer")
    experiment = world.experiments[1]
    granted = json.loads(keel("grant", "clara", "experiment", experiment, "track", "--json"))
    assert granted["permissions"] == ["read", "track"]
    keel("deny", "clara", "experiment", experiment)
    keel("grant", "clara", "experiment", experiment, "--remove")
    left = [g for g in json.loads(keel("grants", "--json")) if g["name"] == "clara"]
    assert [(g["effect"], g["permissions"]) for g in left] == [("deny", ["read"])]
    keel("groups", "add", "readers", "clara")
    keel("groups", "role", "readers", "auditor")
    found = [g for g in json.loads(keel("groups", "list", "--json")) if g["name"] == "readers"]
    assert [(g["members"], g["roles"]) for g in found] == [(["clara"], ["auditor"])]


def test_entries_of_an_evaluation_data_set_follow_its_experiments_after_its_end_too(shared_server, world):
    root = "/api/3.0/mlflow/datasets"

    def make(*experiments: str) -> str:
        asked = {"name": "golden", "experiment_ids": list(experiments)}
        made = world.owner.post(f"{root}/create", json=asked).raise_for_status().json()
        return made["dataset"]["dataset_id"]

    hidden, shared, gone = make(world.experiments[0]), make(*world.experiments), make(world.experiments[0])
    world.owner.delete(f"{root}/{gone}").raise_for_status()
    with shared_server.client(shared_server.user("eve", "viewer")) as eve:

        def told() -> set[str]:
            asked = {"types": "evaluation_dataset.created", "limit": 1000}
            found = eve.get("/api/v1/ledger/entries", params=asked).raise_for_status().json()["entries"]
            return {entry["subject"]["evaluation_dataset"] for entry in found}

        assert told() >= {hidden, shared, gone}
        world.grant("eve", "experiment", world.experiments[0], "read", effect="deny")
        assert told() & {hidden, shared, gone} == {shared}
