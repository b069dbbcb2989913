"""Pipelines on Ray: a real cluster of two nodes on this machine, of which one is killed while a step runs on it."""

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

HELPERS = "FACTOR = 3\n"
PIPELINE = """
import os
import time
from pathlib import Path

import numpy as np
from helpers import FACTOR

import modelkeel as keel


@keel.step
def make(count: int) -> np.ndarray:
    print("made in", os.getcwd())
    return np.arange(count)


@keel.step
def times(item: int, values: np.ndarray) -> int:
    print("item", item)
    return int(values.sum()) * item * FACTOR


@keel.step(cache=False)
def wait(folder: str, seconds: float) -> str:
    file = Path(folder) / f"{os.getpid()}.started"
    file.write_text(str(os.getppid()))
    time.sleep(seconds)
    return os.getcwd()


@keel.step
def broken() -> None:
    raise ValueError("on purpose")


@keel.pipeline
def spread(count: int = 5) -> int:
    values = make(count)
    return sum(times.map(list(range(6)), values=values))


@keel.pipeline
def waits(folder: str, seconds: float = 1.0) -> str:
    return wait(folder, seconds)


@keel.pipeline
def fails() -> None:
    broken()
"""
CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster

head = {"num_cpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = {}
print(json.dumps({"address": cluster.address}), flush=True)
for line in sys.stdin:
    word, name = line.split()
    if word == "add":
        nodes[name] = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    else:
        cluster.remove_node(nodes.pop(name), allow_graceful=False)
    print("done", flush=True)
cluster.shutdown()
"""


class Nodes:
    """A Ray cluster in a process of its own: a head that runs nothing, and nodes of one processor that come and go."""

    def __init__(self, folder: Path) -> None:
        (folder / "cluster.py").write_text(CLUSTER)
        variables = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        variables |= {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "2"}
        self._log = (folder / "cluster.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, str(folder / "cluster.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=variables,
            start_new_session=True,
        )
        self.address = json.loads(self._answer("{"))["address"]

    def __call__(self, word: str, name: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word} {name}\n")
        self._process.stdin.flush()
        self._answer("done")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._log.close()

    def _answer(self, begin: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(begin):
                return line
        raise AssertionError(Path(self._log.name).read_text()[-2000:])


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home / "home")
    found = Project(server, home / "project")
    found.write(helpers=HELPERS, spread=PIPELINE)
    yield found
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def nodes(project: Project) -> Iterator[Nodes]:
    found = Nodes(project.folder.parent)
    found("add", "one")
    project.environment |= {"RAY_ADDRESS": found.address, "RAY_AUTH_MODE": "disabled"}
    yield found
    found.close()


def start(project: Project, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "modelkeel", "run", *arguments, "--engine", "ray", "--json"]
    return subprocess.Popen(
        command, cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(found: Any, seconds: float = 40) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_the_same_pipeline_gives_the_same_on_ray_and_prints_what_it_prints(project: Project, nodes: Nodes) -> None:
    shown = project.command("run", "spread.py:spread", "--engine", "ray")
    run = project.get(f"{RUNS}/{shown['run_id']}")
    assert (run["status"], [step["status"] for step in run["steps"]]) == ("finished", ["finished"] * 7)
    logs = {one["step"]: one["log"] for one in project.command("logs", run["run_id"])}
    assert "/code/" in logs["make"], "a step on Ray stands on the captured files"
    assert "item 4" in logs["times[5]"], "calls count from 1"
    here = project.run("spread.py:spread")
    assert here["cached_steps"] == 7, "where a step runs is no part of its key"
    other = project.run("spread.py:spread", "--no-cache")
    assert [step["output"]["digest"] for step in other["steps"]] == [step["output"]["digest"] for step in run["steps"]]


def test_a_failing_step_shows_its_own_error(project: Project, nodes: Nodes) -> None:
    assert "ValueError: on purpose" in project.command("run", "spread.py:fails", "--engine", "ray", status=1)


def test_a_step_on_a_killed_node_runs_again_on_another(project: Project, nodes: Nodes, tmp_path: Path) -> None:
    running = start(project, "spread.py:waits", "-p", f"folder={tmp_path}", "-p", "seconds=6")
    first = until(lambda: next(iter(tmp_path.glob("*.started")), None))
    nodes("add", "two")
    nodes("kill", "one")
    until(lambda: not alive(int(first.stem)), 20)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 0, errors
    run = project.get(f"{RUNS}/{json.loads(output.splitlines()[-1])['run_id']}")
    assert (run["status"], run["steps"][0]["status"], run["steps"][0]["attempts"]) == ("finished", "finished", 2)
    assert len(list(tmp_path.glob("*.started"))) == 2


def test_a_cancelled_run_ends_its_step_on_the_node(project: Project, nodes: Nodes, tmp_path: Path) -> None:
    running = start(project, "spread.py:waits", "-p", f"folder={tmp_path}", "-p", "seconds=120")
    first = until(lambda: next(iter(tmp_path.glob("*.started")), None))
    run = next(one for one in project.command("runs") if one["status"] == "running")
    with project.server.client(project.server.token) as client:
        client.post(f"{RUNS}/{run['run_id']}/cancel", json={"reason": "enough"}).raise_for_status()
    until(lambda: not alive(int(first.stem)), 20)
    assert running.wait(20) != 0
    assert project.get(f"{RUNS}/{run['run_id']}")["status"] == "killed"


def test_an_engine_that_is_none_is_refused(project: Project) -> None:
    assert "no engine 'spark'" in project.command("run", "spread.py:spread", "--engine", "spark", status=1)
