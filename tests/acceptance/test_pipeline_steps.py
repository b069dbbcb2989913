"""What the author of a step may ask for: fan-out, retries, limits of time, approval, resumption, cancellation."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_pipelines import RUNS, Project
from tests.conftest import start_server

FLOW = """
import os
import time
from pathlib import Path

import numpy as np

import modelkeel as keel


@keel.step
def part(x: int, table: np.ndarray, pause: float = 0.0) -> float:
    print("part", x, "in", os.getpid())
    time.sleep(pause)
    return float(table.sum()) + x


@keel.step(retries=2, backoff=0.01)
def flaky(mark: str) -> int:
    tries = Path(mark)
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if len(tries.read_text()) < 3:
        raise ValueError("not yet")
    return len(tries.read_text())


@keel.step(cache=False)
def outside(mark: str) -> int:
    with Path(mark).open("a") as file:
        file.write("x")
    return 1


@keel.step(timeout=0.5)
def limited(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@keel.step
def dies(mark: str) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), 9)
    return "alive"


@keel.pipeline
def inner(count: int = 3, pause: float = 0.0) -> list[float]:
    return part.map(range(count), table=np.ones(10), pause=pause)


@keel.pipeline
def outer(count: int = 3, pause: float = 0.0) -> float:
    return sum(inner(count, pause))


@keel.pipeline
def again(mark: str) -> int:
    return flaky(mark)


@keel.pipeline
def late(mark: str, seconds: float) -> float:
    return outside(mark) + limited(seconds)


@keel.pipeline
def lost(mark: str) -> str:
    return dies.map([mark], workers=2)[0]


@keel.step
def odd(x: int, pause: float) -> int:
    time.sleep(pause)
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


@keel.pipeline
def mended() -> int:
    try:
        odd.map([1, 2, 3, 5], pause=0.2, workers=2)
    except ValueError:
        return sum(odd.map([1, 3, 5], pause=0.1, workers=2))
    return 0


@keel.pipeline
def asked(own: bool = False) -> str:
    return keel.approval("Go on?", show={"auc": 0.9}, own=own).by


@keel.pipeline
def endless() -> float:
    return part(1, np.ones(1), 60.0)
"""


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """One server and one project, through which the tests of this module go in order."""
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    found = Project(server, home / "project")
    found.write(flow=FLOW)
    yield found
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def _last(project: Project, pipeline: str, *, open_: bool = True) -> dict[str, Any]:
    with project.server.client(project.server.token) as client:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = client.get(RUNS, params={"pipeline": pipeline, "limit": 1}).raise_for_status().json()
            if found and found[0]["steps"] and (found[0]["status"] == "running") is open_:
                return client.get(f"{RUNS}/{found[0]['run_id']}").raise_for_status().json()  # type: ignore[no-any-return]
            time.sleep(0.1)
    raise AssertionError(f"No run of {pipeline} has begun a step.")


def _begun(project: Project, target: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "modelkeel", "run", target, *arguments, "--json"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_items_of_a_map_are_steps_in_order_run_here_or_in_workers_and_cached(project: Project) -> None:
    first = project.run("flow.py:outer", "-p", "count=8", "-p", "pause=0.2", "--workers", "2")
    assert [step["name"] for step in first["steps"]][:2] == ["inner/part", "inner/part[2]"]
    assert [json.loads(step["output"]["inline"]) for step in first["steps"]] == [10.0 + x for x in range(8)]
    logs = project.command("logs", first["run_id"])
    assert len({item["log"].split()[-1] for item in logs}) >= 2  # this process, and one worker or two
    second = project.run("flow.py:outer", "-p", "count=9", "-p", "pause=0.2")
    assert (second["cached_steps"], second["step_count"], second["groups"][0]["steps"]) == (8, 9, 9)


def test_what_items_log_at_the_same_time_is_noted_with_each(project: Project) -> None:
    program = """
import time

import mlflow

import modelkeel as keel


@keel.step
def log(x: int) -> int:
    mlflow.log_param(f"p{x}", x)
    time.sleep(0.2)
    mlflow.log_metric("score", x)
    mlflow.log_metrics({f"m{x}": x, "shared": -x})
    return x


@keel.pipeline
def logging(count: int = 6) -> list[int]:
    return log.map(range(count), workers=3)
"""
    (project.folder / "logging_flow.py").write_text(program)
    run = project.run("logging_flow.py:logging")
    for x, step in enumerate(run["steps"]):
        assert step["logged"]["params"] == {f"p{x}": str(x)}
        assert step["logged"]["metrics"] == {"score": float(x), f"m{x}": float(x), "shared": float(-x)}
    cached = project.run("logging_flow.py:logging", "-p", "count=5")
    assert cached["cached_steps"] == 5
    params = project.get(f"/api/v1/runs/{cached['run_id']}")["params"]
    assert set(params) == {f"p{x}" for x in range(5)}


def test_a_step_is_tried_again_and_says_how_often(project: Project) -> None:
    run = project.run("flow.py:again", "-p", f"mark={project.folder.parent}/tries")
    assert (run["steps"][0]["status"], run["steps"][0]["attempts"]) == ("finished", 3)


def test_a_step_is_ended_in_time_and_its_run_resumed_without_what_was_done(project: Project) -> None:
    mark = project.folder.parent / "outside"
    error = project.command("run", "flow.py:late", "-p", f"mark={mark}", "-p", "seconds=30", status=1)
    assert "TimeoutError: limited took longer than 0.5 s." in error
    failed = _last(project, "late", open_=False)
    assert [step["status"] for step in failed["steps"]] == ["finished", "failed"]
    resumed = project.run("flow.py:late", "--resume", failed["run_id"], "-p", "seconds=0.01")
    assert [step["status"] for step in resumed["steps"]] == ["cached", "finished"]
    assert resumed["resumes"] == failed["run_id"]
    assert mark.read_text() == "x"  # the step that is never cached ran once


def test_a_step_whose_process_dies_is_tried_again(project: Project) -> None:
    run = project.run("flow.py:lost", "-p", f"mark={project.folder.parent}/died")
    assert (run["steps"][0]["status"], run["steps"][0]["attempts"]) == ("finished", 2)


def test_a_failed_map_ends_its_other_items_and_the_pipeline_may_go_on(project: Project) -> None:
    run = project.run("flow.py:mended", "--no-cache")
    assert [step["status"] for step in run["steps"]][-3:] == ["finished"] * 3
    assert run["steps"][1]["error"] == "ValueError: 2 is even"
    assert run["seconds"] < 10


def test_only_somebody_else_approves_and_only_once(project: Project) -> None:
    process = _begun(project, "flow.py:asked")
    run = _last(project, "asked")
    assert (run["steps"][0]["status"], run["steps"][0]["approval"]["question"]) == ("waiting", "Go on?")
    decide = f"{RUNS}/{run['run_id']}/steps/0/decide"
    with project.server.client(project.server.token) as owner:
        own = owner.post(decide, json={"approve": True})
        assert own.status_code == 403, own.text
        told = {
            "steps": [
                {"index": 0, "name": "approval", "status": "finished", "output": run["steps"][0]["inputs"]["show"]}
            ]
        }
        assert owner.post(f"{RUNS}/{run['run_id']}/steps", json=told).status_code == 409
    with project.server.client(project.server.user("ada", "approver")) as ada:
        assert ada.post(decide, json={"approve": True, "reason": "fine"}).status_code == 200
        assert ada.post(decide, json={"approve": False}).status_code == 409
    assert process.wait(20) == 0
    done = project.get(f"{RUNS}/{run['run_id']}")
    assert (done["status"], done["steps"][0]["approval"]["by"]) == ("finished", "ada")


def test_a_rejected_run_fails_with_the_reason(project: Project) -> None:
    process = _begun(project, "flow.py:asked", "-p", "own=true")
    run = _last(project, "asked")
    project.command("step", "reject", run["run_id"], "--reason", "too early")
    assert process.wait(20) == 1
    assert "too early" in project.get(f"{RUNS}/{run['run_id']}")["steps"][0]["error"]


def test_a_cancelled_run_stops_within_seconds(project: Project) -> None:
    process = _begun(project, "flow.py:endless")
    run = _last(project, "endless")
    with project.server.client(project.server.token) as owner:
        owner.post(f"{RUNS}/{run['run_id']}/cancel", json={"reason": "wrong data"}).raise_for_status()
    assert process.wait(15) == 1
    ended = project.get(f"{RUNS}/{run['run_id']}")
    assert (ended["status"], ended["steps"][0]["status"]) == ("killed", "failed")
    assert "wrong data" in ended["error"]
