"""Pipelines as a user runs them: a project of their own, the command line, a real server, the real mlflow client."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, start_server

HELPERS = '''
"""Helpers."""

import numpy as np
import pandas as pd


def make(rows: int) -> pd.DataFrame:
    x = np.random.default_rng(0).normal(size=(rows, 2))
    frame = pd.DataFrame(x, columns=["a", "b"])
    frame["y"] = (x[:, 0] * 2 + x[:, 1] > 0).astype(int)
    return frame
'''
LIGHT_HELPERS = '''
import numpy as np

SCALE = 2.0


def make(rows: int) -> np.ndarray:
    """Some rows."""
    return np.random.default_rng(0).normal(size=(rows, 2)) * SCALE
'''
LIGHT = """
import numpy as np
from light_helpers import make

import modelkeel as keel


@keel.step
def load(rows: int) -> np.ndarray:
    return make(rows)


@keel.step
def fit(frame: np.ndarray, trees: int) -> float:
    return float(frame.sum() * trees + np.random.normal())


@keel.pipeline
def light(rows: int = 200, trees: int = 3) -> float:
    return fit(load(rows), trees)
"""
TRAIN = """
import mlflow
import numpy as np
import pandas as pd
from helpers import make
from sklearn.ensemble import RandomForestClassifier

import modelkeel as keel


@keel.step
def load(rows: int) -> pd.DataFrame:
    return make(rows)


@keel.step
def fit(frame: pd.DataFrame, trees: int) -> tuple[RandomForestClassifier, dict[str, float]]:
    mlflow.sklearn.autolog(log_models=False, silent=True)
    x, y = frame[["a", "b"]], frame["y"]
    model = RandomForestClassifier(trees, random_state=int(np.random.randint(1000))).fit(x, y)
    score = {"accuracy": float(model.score(x, y))}
    mlflow.log_metrics(score)
    mlflow.sklearn.log_model(
        model, name="model", pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
    )
    return model, score


@keel.step(cache=False)
def report(score: dict[str, float]) -> str:
    run = mlflow.active_run()
    return f"{mlflow.MlflowClient().get_run(run.info.run_id).data.metrics['accuracy']}"


@keel.pipeline
def train(rows: int = 200, trees: int = 3) -> str:
    frame = load(rows)
    model, score = fit(frame, trees)
    return report(score)
"""
OUTSIDE = """
from pathlib import Path

import numpy as np

import modelkeel as keel


@keel.step
def first() -> int:
    return 1


@keel.step
def constant(one: int, place: str) -> np.ndarray:
    return np.full(4, one * float(Path(place).read_text()))


@keel.step
def total(values: np.ndarray) -> float:
    return float(values.sum())


@keel.step
def rows(path: Path) -> int:
    return len(path.read_text().splitlines())


@keel.pipeline
def outside(place: str, data: str) -> float:
    return total(constant(first(), place)) + rows(keel.data(data))
"""
BAD = """
import modelkeel as keel


@keel.step
def f() -> float:
    return 1 / 0


@keel.pipeline
def bad() -> float:
    return f()
"""
SLOW = """
import time

import modelkeel as keel


@keel.step
def wait(seconds: float) -> int:
    time.sleep(seconds)
    return 1


@keel.pipeline
def slow(seconds: float = 0.0) -> int:
    return wait(seconds)
"""
RUNS = "/api/v1/pipelines/runs"


class Project:
    """A user's project folder, and the commands they give in it."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        folder.mkdir()
        (folder / "modelkeel.toml").write_text("")
        self.environment = {
            **os.environ,
            "MODELKEEL_URL": server.url,
            "MODELKEEL_TOKEN": server.token,
            "MODELKEEL_HOME": str(folder.parent / "client"),
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    def command(self, *arguments: str, status: int = 0) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "modelkeel", *arguments, "--json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1]) if status in {0, 2} else done.stderr

    def run(self, target: str, *arguments: str) -> dict[str, Any]:
        facts: dict[str, Any] = self.command("run", target, *arguments)
        return self.get(f"{RUNS}/{facts['run_id']}")

    def get(self, path: str) -> dict[str, Any]:
        with self.server.client(self.server.token) as client:
            found: dict[str, Any] = client.get(path).raise_for_status().json()
        return found


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """One server and one project, through which the tests of this module go in order."""
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    yield Project(server, home / "project")
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def _status(run: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in run["steps"]}


def test_a_second_run_takes_its_steps_from_the_cache_with_what_they_logged(project: Project) -> None:
    project.write(helpers=HELPERS, train=TRAIN)
    first = project.run("train.py:train", "-p", "rows=150")
    assert _status(first) == dict.fromkeys(("load", "fit", "report"), "finished")
    assert first["params"] == {"rows": 150, "trees": 3}
    assert first["snapshot"]["files"] == 3
    assert first["environment"]["lock"]
    assert [(e["source"], e["target"], e["name"]) for e in first["edges"] if e["source"] >= 0] == [
        (0, 1, "frame"),
        (1, 2, "score"),
    ]
    second = project.run("train.py:train", "-p", "rows=150")
    assert _status(second) == {"load": "cached", "fit": "cached", "report": "finished"}
    assert {step["paid_by"] for step in second["steps"][:2]} == {first["run_id"]}
    assert second["saved_seconds"] > 0
    for run in (first, second):
        logged = project.get(f"/api/v1/runs/{run['run_id']}")
        assert logged["status"] == "FINISHED"
        assert logged["params"]["n_estimators"] == "3"
        assert logged["metrics"]["accuracy"]["value"] > 0.9


def test_a_comment_changes_nothing_and_a_helper_everything_after_it(project: Project) -> None:
    project.write(light_helpers=LIGHT_HELPERS, light=LIGHT)
    assert project.run("light.py:light")["steps"][0]["miss"] == [{"part": "first", "changed": []}]
    project.write(light_helpers=LIGHT_HELPERS.replace('"""Some rows."""', '"""Rows."""  # and a comment'))
    assert project.run("light.py:light")["cached_steps"] == 2
    project.write(light_helpers=LIGHT_HELPERS.replace("SCALE = 2.0", "SCALE = 3.0"))
    changed = project.run("light.py:light")
    assert _status(changed) == {"load": "finished", "fit": "finished"}
    assert changed["steps"][0]["miss"] == [{"part": "code", "changed": ["light_helpers.py:SCALE"]}]
    assert changed["steps"][1]["miss"] == [{"part": "inputs", "changed": ["frame"]}]
    other = project.run("light.py:light", "-p", "trees=4")
    assert _status(other) == {"load": "cached", "fit": "finished"}
    assert other["steps"][1]["miss"] == [{"part": "params", "changed": ["trees"]}]
    assert project.run("light.py:light", "--no-cache")["cached_steps"] == 0


def test_a_damaged_result_is_made_again_not_an_error(project: Project) -> None:
    run = project.run("light.py:light")
    frame = run["steps"][0]["output"]["digest"]
    place = project.server.home / "blobs" / "chunks" / frame[:2] / frame
    damaged = bytearray(place.read_bytes())
    damaged[100] ^= 1
    place.write_bytes(damaged)
    again = project.run("light.py:light", "-p", "trees=5")
    assert _status(again) == {"load": "cached", "fit": "finished", "load (again)": "finished"}
    assert _status(project.run("light.py:light", "-p", "trees=6")) == {"load": "cached", "fit": "finished"}


def test_a_wrong_parameter_is_named(project: Project) -> None:
    assert "'rows'" in project.command("run", "light.py:light", "-p", "rows=many", status=1)
    assert "'row'" in project.command("run", "light.py:light", "-p", "row=1", status=1)


def test_parameters_stand_in_the_project_file_and_the_command_line_wins(project: Project) -> None:
    file = project.folder / "modelkeel.toml"
    file.write_text("[pipelines.light.params]\nrows = 170\ntrees = 2\n")
    assert project.run("light.py:light", "-p", "trees=4")["params"] == {"rows": 170, "trees": 4}
    file.write_text("[pipelines.light.params]\nrow = 170\n")
    assert "'row'" in project.command("run", "light.py:light", status=1)
    file.write_text("[pipelines.light]\nparams = 3\n")
    assert "[pipelines.light.params]" in project.command("run", "light.py:light", status=1).replace("\n", "")
    file.write_text("")


def test_a_failing_step_ends_the_run_as_failed(project: Project) -> None:
    project.write(bad=BAD)
    project.command("run", "bad.py:bad", status=1)
    run = project.command("runs", "--pipeline", "bad")[0]
    assert (run["status"], run["error"]) == ("failed", "ZeroDivisionError: division by zero")
    assert project.get(f"/api/v1/runs/{run['run_id']}")["status"] == "FAILED"


def test_a_training_is_reproduced_bit_by_bit_from_the_server_alone(project: Project) -> None:
    project.write(helpers=HELPERS, train=TRAIN)
    run = project.run("train.py:train", "-p", "rows=160")
    for path in project.folder.iterdir():
        path.unlink() if path.is_file() else shutil.rmtree(path)
    recorded = project.command("reproduce", run["run_id"])
    verdict = recorded["reproduction"]
    assert verdict["differences"] == []
    assert verdict["verdict"] == "identical"
    assert (verdict["steps"], verdict["models"], verdict["not_compared"]) == (2, 1, ["report"])
    assert verdict["files"] >= 3
    assert verdict["metrics"] >= 2
    rerun = project.get(f"{RUNS}/{verdict['rerun_id']}")
    assert rerun["cached_steps"] == 0
    assert rerun["origin"] == "reproduce"
    entries = project.get(f"/api/v1/ledger/entries?about=run:{run['run_id']}&types=reproduction.recorded")
    assert entries["entries"][0]["data"]["verdict"] == "identical"


def test_what_a_run_read_from_outside_shows_as_the_step_that_diverged(project: Project) -> None:
    (project.folder / "modelkeel.toml").write_text("")
    project.write(outside=OUTSIDE)
    place, table = project.folder.parent / "constant.txt", project.folder.parent / "rows.csv"
    place.write_text("2.5")
    table.write_text("a\n1\n2\n")
    run = project.run("outside.py:outside", "-p", f"place={place}", "-p", f"data={table}")
    assert run["data"][0]["pinned"]
    table.unlink()
    assert project.command("reproduce", run["run_id"])["reproduction"]["verdict"] == "identical"
    place.write_text("2.50000001")
    close = project.command("reproduce", run["run_id"])["reproduction"]
    assert (close["verdict"], close["differences"][0]["name"]) == ("equivalent", "constant")
    place.write_text("7")
    diverged = project.command("reproduce", run["run_id"], status=2)["reproduction"]
    assert diverged["verdict"] == "diverged"
    assert [item["name"] for item in diverged["differences"]] == ["constant", "total"]


def test_the_server_starts_a_pipeline_from_its_captured_code(project: Project) -> None:
    project.write(light_helpers=LIGHT_HELPERS, light=LIGHT)
    mine = project.run("light.py:light")
    (project.folder / "light_helpers.py").unlink()
    with project.server.client(project.server.token) as client:
        answer = client.post("/api/v1/pipelines/light/launch", json={"params": {"rows": 180, "unknown": 1}})
    run_id = answer.raise_for_status().json()["run_id"]
    deadline = time.monotonic() + 90
    while (run := project.get(f"{RUNS}/{run_id}"))["status"] in {"launching", "running"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert run["status"] == "finished", run["error"]
    assert (run["origin"], run["params"]["rows"], run["code"]) == ("launch", 180, mine["code"])
    assert run["user"] != mine["user"]


def test_a_lost_worker_ends_its_run_as_failed(project: Project) -> None:
    project.write(slow=SLOW)
    project.run("slow.py:slow")
    with project.server.client(project.server.token) as client:
        answer = client.post("/api/v1/pipelines/slow/launch", json={"params": {"seconds": 60}})
    run_id = answer.raise_for_status().json()["run_id"]
    deadline = time.monotonic() + 60
    while project.get(f"{RUNS}/{run_id}")["status"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    job = str(project.server.home / "jobs" / f"{run_id}.json").encode()
    found = [p for p in Path("/proc").glob("[0-9]*") if job in (p / "cmdline").read_bytes()]
    os.kill(int(found[0].name), 9)
    while (run := project.get(f"{RUNS}/{run_id}"))["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert run["status"] == "failed"
    assert project.get(f"/api/v1/runs/{run_id}")["status"] == "FAILED"


def test_a_launched_run_outlives_a_killed_server() -> None:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    port = server.url.rpartition(":")[2]
    try:
        project = Project(server, home / "project")
        project.write(slow=SLOW)
        project.run("slow.py:slow")
        with server.client(server.token) as client:
            answer = client.post("/api/v1/pipelines/slow/launch", json={"params": {"seconds": 3}})
        run_id = answer.raise_for_status().json()["run_id"]
        deadline = time.monotonic() + 60
        while project.get(f"{RUNS}/{run_id}")["status"] != "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.kill()
        server = project.server = start_server(home / "home", "--port", port)
        while (run := project.get(f"{RUNS}/{run_id}"))["status"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (run["status"], _status(run)) == ("finished", {"wait": "finished"})
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
