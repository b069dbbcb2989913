"""What a tokenless caller on loopback may do (DECISIONS 1): it tracks, and the list of routes is pinned here."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.routes_kit import Route, every_route
from tests.security.story import Story, start_story
from tests.security.test_routes import CASES, OPEN, case_of, send

# Every route that changes something and that a caller without a token may use, by what it changes.
TRACKS = {
    "experiments": "create delete restore update set-experiment-tag delete-experiment-tag",
    "runs": "create update delete restore set-tag delete-tag log-metric log-parameter log-batch log-inputs outputs "
    "log-model",
    "registered-models": "create rename update delete set-tag delete-tag alias",
    "model-versions": "create update delete set-tag delete-tag transition-stage",
}
ALLOWED = {
    *(f"/api/2.0/mlflow/{thing}/{verb}" for thing, verbs in TRACKS.items() for verb in verbs.split()),
    "/api/2.0/mlflow/experiments/search-datasets",  # only reads
    *(f"/api/2.0/mlflow/traces/{verb}" for verb in ("delete-traces", "link-to-run", "{trace_id:str}/tags")),
    *(f"/api/3.0/mlflow/traces/{verb}" for verb in ("delete-traces", "link-to-run", "{trace_id:str}/tags")),
    *(f"/api/3.0/mlflow/traces/{verb}" for verb in ("search", "batchGetInfos", "{trace_id:str}/assessments")),
    "/api/3.0/mlflow/traces/{trace_id:str}/assessments/{assessment_id:str}",
    "/api/3.0/mlflow/traces",
    *(f"/api/3.0/mlflow/datasets/{verb}" for verb in ("create", "search")),
    "/api/3.0/mlflow/datasets/{dataset_id:str}",
    "/api/3.0/mlflow/datasets/{dataset_id:str}/tags/{key:str}",
    *(
        f"/api/3.0/mlflow/datasets/{{dataset_id:str}}/{verb}"
        for verb in ("tags", "records", "add-experiments", "remove-experiments")
    ),
    "/v1/traces",
    "/api/2.0/mlflow/logged-models",
    "/api/2.0/mlflow/logged-models/{model_id:str}",
    "/api/2.0/mlflow/logged-models/{model_id:str}/params",
    "/api/2.0/mlflow/logged-models/{model_id:str}/tags",
    "/api/2.0/mlflow/logged-models/{model_id:str}/tags/{tag_key:str}",
    "/api/2.0/mlflow-artifacts/artifacts/{path:path}",
    "/api/2.0/mlflow-artifacts/mpu/create/{path:path}",  # completing and aborting: its own uploads only
    "/api/2.0/mlflow/artifacts/presigned-upload-url",
    "/api/2.0/mlflow/artifacts/presigned-download-url",
    "/api/v1/blobs",
    "/api/v1/blobs/held",
    "/api/v1/captures/{word:str}",
    "/api/v1/labels",
    "/api/v1/pipelines/cache",
    "/api/v1/pipelines/runs",
    "/api/v1/pipelines/runs/{run_id:str}/steps",
    "/api/v1/pipelines/runs/{run_id:str}/capture",
    "/api/v1/pipelines/runs/{run_id:str}/end",
    "/api/v1/pipelines/{pipeline:str}/launch",
    "/api/v1/reproductions",
    "/api/v1/datasets/{name:str}",
    "/api/v1/datasets/{name:str}/versions",
    "/api/v1/datasets/{name:str}/versions/{number:int}",
    "/api/v1/datasets/{name:str}/versions/{number:int}/uses",
}
# What it may not even read.
CLOSED_READS = {"GET /api/v1/tokens", "GET /api/v1/sessions"}
# Its own runs only; of somebody else's it hears 403.
OWN_ONLY = {f"/api/v1/pipelines/runs/{{run_id:str}}/{verb}" for verb in ("steps", "capture", "end")}
CHANGING = [r for r in every_route() if r.writes and r.key not in OPEN and "rest:path" not in r.path]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    told = start_story(home, anonymous=True)
    yield told
    told.close()
    told.server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.id)
def test_a_tokenless_caller_changes_only_what_is_pinned(story: Story, route: Route):
    ask = case_of(route).make(story)
    before = story.size()
    answer = send(story.nobody, route, ask)
    written = [e["type"] for e in story.entries(before) if e["actor"] == "anonymous"]
    if route.key.partition(" ")[2] in ALLOWED and route.key.partition(" ")[2] not in OWN_ONLY:
        assert answer.status_code in ask.status, answer.text
    else:
        assert answer.status_code in {401, 403, 404, 501}, f"{route.id} is not on the list: {answer.text[:300]}"
        assert written == []


def test_the_pinned_list_names_only_what_is_there():
    assert {route.key.partition(" ")[2] for route in CHANGING} >= ALLOWED


def test_a_tokenless_caller_ends_its_own_pipeline_run(story: Story):
    run = story.nobody.post("/api/v1/pipelines/runs", json=story.pipeline_start()).json()["run_id"]
    for verb, method, body in (("steps", "POST", {"steps": []}), ("end", "POST", {"status": "finished"})):
        assert story.nobody.request(method, f"/api/v1/pipelines/runs/{run}/{verb}", json=body).is_success, verb


@pytest.mark.parametrize("key", sorted(CLOSED_READS))
def test_what_is_somebodys_own_is_empty_for_nobody(story: Story, key: str):
    assert story.nobody.get(key.partition(" ")[2]).json() == []


def test_a_tokenless_caller_reads_no_secret(story: Story):
    secrets = {story.server.token, (story.server.home / "keys" / "ledger.pem").read_text()}
    for route in every_route():
        if route.writes or route.key not in CASES:
            continue
        text = send(story.nobody, route, case_of(route).make(story)).text
        assert not any(secret in text for secret in secrets), route.id
        assert "mk_" not in json.dumps(text), route.id


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For"])
def test_what_a_proxy_passes_on_is_not_local(story: Story, header: str):
    assert story.nobody.get("/api/v1/me").status_code == 200
    assert story.nobody.get("/api/v1/me", headers={header: "127.0.0.1"}).status_code == 401


def test_a_tokenless_caller_stays_in_the_default_workspace(story: Story):
    there = story.nobody.get("/api/v1/me", headers={"X-MLflow-Workspace": "other"})
    assert there.status_code in {401, 403, 404} or there.json()["workspace"]["name"] == "default"
