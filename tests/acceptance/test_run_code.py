"""The code behind runs of plain `mlflow` scripts, in a real git repository, by a process of its own."""

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from modelkeel.core.hashing import sha256
from tests.conftest import Server

SCRIPT = """
import mlflow
import helper
with mlflow.start_run() as run:
    mlflow.log_metric("auc", helper.auc())
    with mlflow.start_run(nested=True) as below:
        pass
print(run.info.run_id, below.info.run_id)
"""
LOST = "AKIA" + "ABCDEFGHIJKLMNOP"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with one commit, then a change, a new file, and files that are nobody's business."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "train.py").write_text(SCRIPT)
    (root / "helper.py").write_text("def auc():\n    return 0.5\n")
    (root / ".gitignore").write_text("data/\n")
    git(root, "init", "-q", "-b", "tuning")
    git(root, "add", ".")
    git(root, "-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "-q", "-m", "first")
    (root / "helper.py").write_text("def auc():\n    return 0.75\n")
    (root / "notes.txt").write_text("not added yet")
    (root / "keys.txt").write_text(f"aws = {LOST}")
    (root / ".env").write_text("PASSWORD=x")
    (root / "data").mkdir()
    (root / "data" / "rows.csv").write_text("1,2")
    return root


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def train(server: Server, root: Path, **more: str) -> list[Run]:
    kept = {name: value for name, value in os.environ.items() if name != "MODELKEEL_CAPTURE"}
    variables = {**kept, "MLFLOW_TRACKING_URI": server.url, "XDG_CACHE_HOME": str(root.parent / "cache"), **more}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=root, env=variables, capture_output=True, text=True, check=True
    )
    client = MlflowClient(server.url)
    return [client.get_run(run) for run in done.stdout.splitlines()[-1].split()]


def files(server: Server, run: Run) -> dict[str, bytes]:
    with server.client() as http:
        at = f"/api/v1/runs/{run.info.run_id}/artifacts"
        listed = http.get(at, params={"path": "modelkeel/code"}).json()
        return {each["path"].rpartition("/")[2]: http.get(f"{at}/{each['path']}").content for each in listed}


def test_code_commit_and_uncommitted_changes_are_kept(shared_server: Server, project: Path):
    top, below = train(shared_server, project)
    kept = files(shared_server, top)
    assert sorted(kept) == ["about.json", "changes.patch", "files.tar"]
    about = json.loads(kept["about.json"])
    assert about["snapshot"]["commit"] == git(project, "rev-parse", "HEAD")
    assert (about["branch"], about["script"], about["snapshot"]["dirty"]) == ("tuning", "train.py", True)
    with tarfile.open(fileobj=io.BytesIO(kept["files.tar"])) as tar:
        assert sorted(tar.getnames()) == [".gitignore", "helper.py", "notes.txt", "train.py"]
    assert b"-    return 0.5\n+    return 0.75" in kept["changes.patch"]
    assert not any(LOST.encode() in content for content in kept.values())
    assert {left["path"] for left in about["snapshot"]["left_out"]} == {"keys.txt", ".env"}
    assert top.data.tags["modelkeel.snapshot"] == sha256(kept["files.tar"])
    assert files(shared_server, below)["files.tar"] == kept["files.tar"]
    with shared_server.client(shared_server.token) as owner:
        found = owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]
    types = [e["type"] for e in found if e["subject"].get("run") == top.info.run_id]
    assert types.count("run.captured") == 1


def test_the_same_code_is_stored_once(shared_server: Server, project: Path):
    one = train(shared_server, project)[0]
    before = {path for path in (shared_server.home / "blobs").rglob("*") if path.is_file()}
    two = train(shared_server, project)[0]
    assert one.data.tags["modelkeel.snapshot"] == two.data.tags["modelkeel.snapshot"]
    assert {path for path in (shared_server.home / "blobs").rglob("*") if path.is_file()} == before


def test_it_can_be_switched_off(shared_server: Server, project: Path):
    run = train(shared_server, project, MODELKEEL_CAPTURE="0")[0]
    assert not any(key.startswith("modelkeel.") for key in run.data.tags)
    assert files(shared_server, run) == {}


def test_a_script_outside_any_project_is_left_alone(shared_server: Server, tmp_path: Path):
    (tmp_path / "train.py").write_text(SCRIPT.replace("import helper", "").replace("helper.auc()", "1.0"))
    run = train(shared_server, tmp_path)[0]
    assert not any(key.startswith("modelkeel.") for key in run.data.tags)


def test_a_server_that_refuses_it_does_not_hurt_the_script(shared_server: Server, project: Path):
    # the tokenless caller may make runs; a token that is none may not even do that, so only the capture gets it
    run = train(shared_server, project, MODELKEEL_TOKEN="mk_wrong")[0]
    assert run.data.metrics == {"auc": 0.75}
    assert files(shared_server, run) == {}
