"""`kill -9` of the server, of the run's process and of a step's process, at every phase of a run."""

import json
import os
import shutil
import signal
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

PIPELINE = """
import os
import time
from pathlib import Path

import numpy as np

import modelkeel as keel


@keel.step
def first(mark: str) -> np.ndarray:
    print("first")
    time.sleep(0.3)
    return np.arange(200_000) + len(mark)


@keel.step(timeout="1m")
def second(values: np.ndarray, folder: str) -> int:
    (Path(folder) / f"{os.getpid()}.second").touch()
    time.sleep(0.6)
    return int(values.sum())


@keel.step
def third(total: int) -> int:
    time.sleep(0.3)
    return total + 1


@keel.pipeline
def flow(mark: str, folder: str) -> int:
    return third(second(first(mark), folder))
"""


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    found = Project(server, home / "project")
    found.write(flow=PIPELINE)
    yield found
    found.server.stop()
    shutil.rmtree(home, ignore_errors=True)


def begin(project: Project, mark: str, folder: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "modelkeel", "run", "flow.py:flow", "-p", f"mark={mark}", "-p", f"folder={folder}"]
    return subprocess.Popen(
        [*command, *more, "--json"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_server(project: Project) -> None:
    port = project.server.url.rpartition(":")[2]
    project.server.kill()
    project.server = start_server(project.server.home, "--port", port)


def whole(project: Project, run: dict[str, Any]) -> None:
    """Nothing of the run is half there: every result that it names is stored and is what it says."""
    for step in run["steps"]:
        if step["output"] is not None and step["output"].get("inline") is None:
            with project.server.client(project.server.token) as client:
                answer = client.get(f"/api/v1/blobs/{step['output']['digest']}").raise_for_status()
            assert len(answer.content) == step["output"]["size"]
    sums = project.get(f"/api/v1/runs/{run['run_id']}")
    assert sums["status"] == {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}[run["status"]]


def test_a_run_outlives_its_server_whenever_that_is_killed(project: Project, tmp_path: Path) -> None:
    for phase in range(4):
        running = begin(project, "s" * (phase + 1), tmp_path)
        time.sleep(0.6 + 0.5 * phase)
        kill_server(project)
        output, errors = running.communicate(timeout=60)
        assert running.returncode == 0, errors
        run = project.get(f"{RUNS}/{json.loads(output.splitlines()[-1])['run_id']}")
        assert (run["status"], [step["status"] for step in run["steps"]]) == ("finished", ["finished"] * 3), phase
        whole(project, run)


def test_a_killed_run_is_resumed_from_what_it_had(project: Project, tmp_path: Path) -> None:
    for phase in range(3):
        mark = "r" * (phase + 10)
        running = begin(project, mark, tmp_path)
        deadline = time.monotonic() + 30
        while not (found := [run for run in project.command("runs") if run["params"]["mark"] == mark]):
            assert time.monotonic() < deadline
        time.sleep(0.4 * phase)
        running.send_signal(signal.SIGKILL)
        running.wait()
        run_id = found[0]["run_id"]
        with project.server.client(project.server.token) as client:
            client.post(f"{RUNS}/{run_id}/cancel", json={"reason": "its process is gone"}).raise_for_status()
        before = project.get(f"{RUNS}/{run_id}")
        assert before["status"] == "killed"
        whole(project, before)
        again = begin(project, mark, tmp_path, "--resume", run_id)
        output, errors = again.communicate(timeout=60)
        assert again.returncode == 0, errors
        run = project.get(f"{RUNS}/{json.loads(output.splitlines()[-1])['run_id']}")
        done = {step["name"] for step in before["steps"] if step["status"] == "finished"}
        assert {step["name"] for step in run["steps"] if step["status"] == "cached"} == done
        whole(project, run)


def test_a_killed_step_runs_again(project: Project, tmp_path: Path) -> None:
    running = begin(project, "step", tmp_path)
    deadline = time.monotonic() + 30
    while not (found := list(tmp_path.glob("*.second"))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(int(found[0].stem), signal.SIGKILL)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    run = project.get(f"{RUNS}/{json.loads(output.splitlines()[-1])['run_id']}")
    assert [step["attempts"] for step in run["steps"]] == [1, 2, 1]
    whole(project, run)
