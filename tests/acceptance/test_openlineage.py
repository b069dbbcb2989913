"""OpenLineage: a receiver of its own hears of runs, and the project's own client reads what it heard."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent
from openlineage.client.generated.base import EventType

from tests.acceptance.test_pipelines import LIGHT, LIGHT_HELPERS, Project
from tests.conftest import start_server


class Receiver:
    """A backend that can be out of order."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.broken = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = 503 if outer.broken else 201
                if status == 201:
                    outer.keys.add(self.headers.get("authorization", ""))
                    outer.events.append(json.loads(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v1/lineage"

    def of(self, run_id: str, *kinds: str) -> list[dict[str, Any]]:
        """Events of a run, once those kinds are there."""
        deadline = time.monotonic() + 30
        while True:
            found = [one for one in self.events if one["run"]["runId"].replace("-", "") == run_id]
            if set(kinds) <= {one["eventType"] for one in found}:
                return found
            assert time.monotonic() < deadline, self.events
            time.sleep(0.05)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()


@pytest.fixture(scope="module")
def project(receiver: Receiver) -> Iterator[Project]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELKEEL_OPENLINEAGE_KEY", "of-the-backend")
        server = start_server(home / "home", "--openlineage", receiver.url)
    found = Project(server, home / "project")
    found.write(light_helpers=LIGHT_HELPERS, light=LIGHT)
    yield found
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


def read(event: dict[str, Any]) -> RunEvent:
    """The event as OpenLineage's own client has it; it refuses ids, times and kinds that are none."""
    return RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        eventType=EventType(event["eventType"]),
        run=Run(event["run"]["runId"], event["run"]["facets"]),
        job=Job(event["job"]["namespace"], event["job"]["name"], event["job"]["facets"]),
        inputs=[InputDataset(one["namespace"], one["name"]) for one in event["inputs"]],
        outputs=[OutputDataset(one["namespace"], one["name"]) for one in event["outputs"]],
    )


def test_a_plain_mlflow_run_is_told_with_what_it_read_and_made(project: Project, receiver: Receiver) -> None:
    mlflow.set_tracking_uri(project.server.url)
    mlflow.set_experiment("trips")
    frame = pd.DataFrame({"delay": [1.0, 2.0], "late": [0, 1]})
    with mlflow.start_run(run_name="plain") as active:
        source = mlflow.data.from_pandas(frame, source="https://data.example/trips.csv", name="trips")
        mlflow.log_input(source, context="training")
        mlflow.pyfunc.log_model(name="model", python_model=lambda model_input: model_input, input_example=["a"])
    run_id = active.info.run_id
    found = receiver.of(run_id, "START", "COMPLETE")
    last = found[-1]
    assert [read(one).eventType for one in found] == [EventType.START, EventType.COMPLETE]
    assert (last["job"]["namespace"], last["job"]["name"]) == ("modelkeel://default", "trips")
    assert (last["inputs"][0]["namespace"], last["inputs"][0]["name"]) == ("https://data.example", "trips.csv")
    fields = last["inputs"][0]["facets"]["schema"]["fields"]
    assert [one["name"] for one in fields] == ["delay", "late"]
    assert last["outputs"][0]["name"].startswith("logged-models/m-")
    assert receiver.keys == {"Bearer of-the-backend"}
    mlflow.register_model(f"runs:/{run_id}/model", "trips")
    later = receiver.of(run_id, "OTHER")[-1]
    assert "models/trips" in [one["name"] for one in later["outputs"]]


def test_a_pipeline_is_told_step_by_step_also_after_the_backend_was_down(project: Project, receiver: Receiver) -> None:
    receiver.broken = True
    run = project.run("light.py:light")
    time.sleep(2)
    receiver.broken = False
    found = receiver.of(run["run_id"], "START", "COMPLETE")
    assert found[-1]["job"]["name"] == "light"
    steps = [
        one for one in receiver.events if one["run"]["facets"].get("parent", {}).get("job", {}).get("name") == "light"
    ]
    assert [one["job"]["name"] for one in steps] == ["light.load", "light.fit"]
    assert steps[0]["outputs"][0]["name"] == steps[1]["inputs"][0]["name"]
    asked: Any = project.get(f"/api/v1/runs/{run['run_id']}/openlineage")
    told = [found[0], *steps, found[-1]]
    assert [read(one).run.runId for one in asked] == [one["run"]["runId"] for one in told]


def test_a_failed_pipeline_says_why(project: Project, receiver: Receiver) -> None:
    project.command("run", "light.py:light", "-p", "rows=-5", status=1)
    run = project.command("runs", "--pipeline", "light")[0]
    last = receiver.of(run["run_id"], "FAIL")[-1]
    assert "negative" in last["run"]["facets"]["errorMessage"]["message"]
