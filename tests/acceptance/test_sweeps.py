"""Sweeps as a user runs them: a script of theirs, real Optuna, a real server, the mlflow client looking at the runs."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import modelkeel as keel
from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.sweeps.space import Choice, Integer, Uniform, read_range
from tests.acceptance.test_pipelines import Project
from tests.conftest import start_server

TARGETS = """
import mlflow

import modelkeel as keel


@keel.step
def load(rows: int) -> list[int]:
    return list(range(rows))


@keel.step
def fit(data: list[int], x: float, kind: str) -> float:
    score = -((x - 2.0) ** 2) - (1.0 if kind == "bad" else 0.0)
    mlflow.log_metric("score", score)
    return score


@keel.pipeline
def train(rows: int = 5, x: float = 0.0, kind: str = "bad") -> float:
    return fit(load(rows), x, kind)


def plain(x: float, steps: int = 6) -> float:
    if x > 9.5:
        raise ValueError("too much")
    for step in range(steps):
        keel.report(-abs(x - 3) * (step + 1), step)
    return -abs(x - 3)
"""
SCRIPT = """
import json
import sys

import mlflow
from targets import plain, train

import modelkeel as keel

asked = json.loads(sys.argv[1])
space = {"x": keel.uniform(-10, 10)}
target = train if asked.pop("pipeline", False) else plain
if target is train:
    space["kind"] = keel.choice("good", "bad")
found = keel.sweep(target, space, **asked)
states = [trial.state for trial in sorted(found.trials, key=lambda one: one.number)]
best = {"params": found.best.params, "value": found.best.value, "run_id": found.best.run_id}
print(json.dumps({"run_id": found.run_id, "best": best, "states": states, "rows": found.frame().height}))
"""


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    found = Project(server, home / "project")
    found.write(targets=TARGETS, script=SCRIPT)
    yield found
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def swept(project: Project, status: int = 0, **asked: Any) -> Any:
    command = [sys.executable, "script.py", json.dumps(asked)]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1]) if not status else done.stderr


def children(project: Project, parent: str) -> list[dict[str, Any]]:
    experiment = project.get(f"/api/v1/runs/{parent}")["experiment"]
    body = {"experiment_ids": [experiment], "filter": f"tags.`mlflow.parentRunId` = '{parent}'", "max_results": 500}
    with project.server.client(project.server.token) as client:
        found: list[dict[str, Any]] = client.post("/api/2.0/mlflow/runs/search", json=body).json().get("runs", [])
    return found


def test_a_pipeline_is_swept_and_shared_steps_are_paid_for_once(project: Project) -> None:
    found = swept(project, pipeline=True, trials=12, metric="score", params={"rows": 7})
    assert found["states"] == ["complete"] * 12
    assert found["best"]["params"]["kind"] == "good"
    runs = children(project, found["run_id"])
    assert len(runs) == 12
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    loads = [project.get(f"/api/v1/pipelines/runs/{run['info']['run_id']}")["steps"][0]["status"] for run in runs]
    assert sorted(loads) == ["cached"] * 11 + ["finished"]
    parent = project.get(f"/api/v1/runs/{found['run_id']}")
    assert parent["status"] == "FINISHED"
    assert parent["metrics"]["best_value"]["value"] == found["best"]["value"]
    assert parent["tags"]["modelkeel.best_run_id"] == found["best"]["run_id"]


def test_what_does_badly_is_pruned_and_a_failure_is_its_own(project: Project) -> None:
    found = swept(project, trials=40, seed=3)
    assert found["states"].count("pruned") >= 5
    assert abs(found["best"]["params"]["x"] - 3) < 1
    runs = children(project, found["run_id"])
    statuses = [run["info"]["status"] for run in runs]
    assert statuses.count("KILLED") == found["states"].count("pruned")
    assert statuses.count("FAILED") == found["states"].count("failed")
    assert statuses.count("FINISHED") == found["states"].count("complete")


def test_trials_run_at_once_and_a_sweep_goes_on_where_it_ended(project: Project) -> None:
    first = swept(project, trials=6, workers=2)
    assert len(first["states"]) == 6
    again = swept(project, trials=10, resume=first["run_id"])
    assert (again["run_id"], again["rows"]) == (first["run_id"], 10)
    assert again["best"]["value"] >= first["best"]["value"]
    assert len(children(project, first["run_id"])) == 10
    assert "Start another sweep" in swept(project, status=1, trials=12, seed=9, resume=first["run_id"])
    assert "no sweep" in swept(project, status=1, trials=3, resume=first["best"]["run_id"])


def test_the_command_sweeps_a_file(project: Project) -> None:
    arguments = ("targets.py:train", "-s", "x=uniform(-5,5)", "-s", "kind=choice(good,bad)", "--metric", "score")
    found = project.command("sweep", *arguments, "--trials", "5")
    assert len(found["trials"]) == 5
    assert found["best"]["value"] == max(trial["value"] for trial in found["trials"])
    assert "'x'" in project.command("sweep", "targets.py:train", "-s", "x=normal(0,1)", status=1)
    assert "'y'" in project.command("sweep", "targets.py:train", "-s", "y=uniform(0,1)", status=1)


def test_ranges_are_read_and_wrong_ones_refused() -> None:
    assert read_range("lr", "log(1e-5, 0.1)") == Uniform(1e-5, 0.1, log=True)
    assert read_range("trees", "int(1,9)") == Integer(1, 9)
    assert read_range("kind", "choice(a, 2, true)") == Choice(("a", 2, True))
    for text in ("uniform(1)", "uniform(2,1)", "log(0,1)", "choice()", "int(a,b)"):
        with pytest.raises(InvalidInput):
            read_range("lr", text)
    with pytest.raises(InvalidInput, match="'lr'"):
        keel.sweep(lambda lr: lr, {"lr": (0, 1)})  # type: ignore[dict-item]
    with pytest.raises(InvalidInput, match="'lr'"):
        keel.sweep(lambda lr: lr, {"nonsense": keel.uniform(0, 1)})
