"""Secrets by name, in real runs: given where they are named, found nowhere afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Server, start_server

VALUE = "correct horse battery 77"
PIN = "918273645"
CODE = """
import modelkeel as keel

@keel.step(secrets=["WAREHOUSE", "PIN"])
def load(leak: str) -> int:
    word = keel.secret("WAREHOUSE")
    print("connecting with", word)
    if leak == "result":
        return word
    if leak == "file":
        return {"table": ["rows", f"made with {word}"]}
    if leak.startswith("mlflow"):
        import mlflow
        kind = leak.split()[1]
        if kind == "param":
            mlflow.log_param("password", word)
        if kind == "tag":
            mlflow.set_tag("note", f"by {word}")
        if kind == "batch":
            mlflow.log_params({"a": 1, "b": {"url": f"postgresql://me:{word}@host"}})
        if kind == "metric":
            mlflow.log_metric("code", int(keel.secret("PIN")))
        if kind == "text":
            mlflow.log_text(f"connected with {word}", "log.txt")
        if kind == "nothing":
            mlflow.log_param("length", len(word))
            mlflow.log_text("connected", "log.txt")
    if leak == "error":
        raise RuntimeError(f"refused: {word}")
    return len(word)

@keel.step
def pry(leak: str) -> int:
    return len(keel.secret("WAREHOUSE")) if leak == "another step" else 0

@keel.pipeline
def train(leak: str = "") -> int:
    return load(leak) + pry(leak)
"""


@dataclass
class Place:
    """A server and a project on one host."""

    server: Server
    project: Path

    def run(self, leak: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        known = {"MODELKEEL_URL": self.server.url, "MODELKEEL_TOKEN": self.server.token, "NO_COLOR": "1"}
        environment = {**os.environ, **known, "MODELKEEL_HOME": str(self.project.parent / "client"), **variables}
        command = [sys.executable, "-m", "modelkeel", "run", "train.py:train", "-p", f"leak={leak}", "--json"]
        return subprocess.run(
            command, cwd=self.project, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def launch(self, leak: str) -> dict[str, str]:
        with self.server.client(self.server.token) as owner:
            answer = owner.post("/api/v1/pipelines/train/launch", json={"params": {"leak": leak}})
            run_id = answer.raise_for_status().json()["run_id"]
            deadline = time.monotonic() + 90
            while (run := owner.get(f"/api/v1/pipelines/runs/{run_id}").json())["status"] in {"launching", "running"}:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        return dict(run)

    def stored(self, value: str = VALUE) -> list[Path]:
        """Files of the server in which the value stands."""
        kept = self.server.home / "secrets"
        files = (p for p in self.server.home.rglob("*") if p.is_file() and not p.is_relative_to(kept))
        return [path for path in files if value.encode() in path.read_bytes()]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="mk"))
    (folder / "project").mkdir()
    (folder / "project" / "modelkeel.toml").write_text("")
    (folder / "project" / "train.py").write_text(CODE)
    server = start_server(folder / "home", "--secret", "train:WAREHOUSE")
    (folder / "home" / "secrets").mkdir(mode=0o700)
    path = folder / "home" / "secrets" / "WAREHOUSE"
    path.write_text(f"{VALUE}\n")
    path.chmod(0o600)
    yield Place(server, folder / "project")
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_step_gets_what_it_names_from_a_variable_or_a_file(place: Place):
    missing = place.run()
    assert missing.returncode != 0
    assert "There is no secret WAREHOUSE on this host" in missing.stderr
    for variables in ({"WAREHOUSE": VALUE}, {"MODELKEEL_SECRET_WAREHOUSE": VALUE}):
        done = place.run(**variables)
        assert done.returncode == 0, done.stderr
    folder = place.project.parent / "mounted"
    folder.mkdir()
    (folder / "WAREHOUSE").write_text(VALUE)
    assert place.run(MODELKEEL_SECRETS=str(folder)).returncode == 0
    (folder / "WAREHOUSE").chmod(0o666)
    open_to_all = place.run(leak="x", MODELKEEL_SECRETS=str(folder))
    assert "Others on this machine" in open_to_all.stderr
    assert place.stored() == []


def test_another_value_takes_the_same_result_from_the_cache(place: Place):
    place.run(leak="cached", WAREHOUSE=VALUE)
    again = json.loads(place.run(leak="cached", WAREHOUSE="quite another value").stdout.splitlines()[-1])
    assert again["cached_steps"] == 2  # neither the value nor a digest of it is in the key


@pytest.mark.parametrize(
    ("leak", "told"),
    [
        ("result", "holds the value of the secret WAREHOUSE"),
        ("file", "holds the value of the secret WAREHOUSE"),
        ("another step", "The step pry does not name the secret WAREHOUSE"),
    ],
)
def test_what_would_leak_is_refused(place: Place, leak: str, told: str):
    done = place.run(leak=leak, WAREHOUSE=VALUE)
    assert done.returncode != 0
    assert told in done.stderr
    assert place.stored() == []


@pytest.mark.parametrize("kind", ["param", "tag", "batch", "metric", "text"])
def test_what_mlflow_would_log_is_refused(place: Place, kind: str):
    done = place.run(leak=f"mlflow {kind}", WAREHOUSE=VALUE, PIN=PIN)
    assert done.returncode != 0
    assert f"holds the value of the secret {'PIN' if kind == 'metric' else 'WAREHOUSE'}" in done.stderr, done.stderr
    assert place.stored() == []
    assert place.stored(PIN) == []


def test_what_mlflow_logs_without_the_value_is_logged(place: Place):
    done = place.run(leak="mlflow nothing", WAREHOUSE=VALUE)
    assert done.returncode == 0, done.stderr


def test_an_error_is_told_without_the_value(place: Place):
    place.run(leak="error", WAREHOUSE=VALUE)
    with place.server.client(place.server.token) as owner:
        latest = owner.get("/api/v1/pipelines/runs").json()
        runs = latest["runs"] if isinstance(latest, dict) else latest
        run = owner.get(f"/api/v1/pipelines/runs/{runs[0]['run_id']}").json()
    assert run["error"] == "RuntimeError: refused: [secret]"
    assert place.stored() == []


def test_the_server_gives_a_pipeline_what_the_operator_allowed(place: Place):
    assert place.run(leak="first", WAREHOUSE=VALUE).returncode == 0
    run = place.launch("launched")
    log = (place.server.home / "logs" / f"{run['run_id']}.log").read_text()
    assert run["status"] == "finished", (run["error"], log)
    assert "connecting with [secret]" in log
    failed = place.launch("error")
    assert failed["error"] == "RuntimeError: refused: [secret]"
    assert place.stored() == []


def test_a_pipeline_that_was_allowed_nothing_gets_nothing(place: Place):
    code = CODE.replace("def train(", "def other(").replace("return load(leak) + pry(leak)", "return load(leak)")
    (place.project / "train.py").write_text(CODE + code.split("@keel.pipeline")[1].join(["\n@keel.pipeline", ""]))
    known = {"WAREHOUSE": VALUE, "MODELKEEL_URL": place.server.url, "MODELKEEL_TOKEN": place.server.token}
    command = [sys.executable, "-m", "modelkeel", "run", "train.py:other", "-p", "leak=mine"]
    environment = {**os.environ, **known, "MODELKEEL_HOME": str(place.project.parent / "client")}
    subprocess.run(command, cwd=place.project, env=environment, check=True, capture_output=True)
    with place.server.client(place.server.token) as owner:
        answer = owner.post("/api/v1/pipelines/other/launch", json={"params": {"leak": "theirs"}}).raise_for_status()
        run_id = answer.json()["run_id"]
        deadline = time.monotonic() + 90
        while (run := owner.get(f"/api/v1/pipelines/runs/{run_id}").json())["status"] in {"launching", "running"}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert run["status"] == "failed"
    assert "There is no secret WAREHOUSE" in run["error"]
