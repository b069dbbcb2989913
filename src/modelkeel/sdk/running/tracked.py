"""Plain `mlflow` inside a run: pointed at the server, logging into the pipeline run's own MLflow run.

mlflow takes a second or two to import, so it is not imported here. If the user's code has it or gets it, the run is
made the active one; if not, nothing is spent.
"""

import contextlib
import os
import sys
from typing import Any

from modelkeel.core.errors import KeelError
from modelkeel.sdk.api import Api
from modelkeel.sdk.running.noting import Notes, note
from modelkeel.wire.pipelines import Logged

_ADDRESSES = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
_ADDRESS, _TOKEN = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"


class TrackedRun:
    """The MLflow side of a pipeline run.

    Args:
        api: the server.
        run_id: of both runs.
        shared: whether other processes log to the run at the same time: then only what this one logs is told.
    """

    def __init__(self, api: Api, run_id: str, *, shared: bool = False) -> None:
        self._shared = shared
        self._notes: Notes | None = None
        self._api = api
        self._run_id = run_id
        self._set: list[str] = []
        self._active = False
        self._seen = Logged()

    def point(self) -> None:
        """Points `mlflow` at the server, unless the environment points it somewhere already."""
        if _ADDRESSES not in os.environ:
            self._give(_ADDRESSES, "true")  # it would print where each run is: we say that once
        if _ADDRESS not in os.environ:
            self._give(_ADDRESS, self._api.url)
            if self._api.token and _TOKEN not in os.environ:
                self._give(_TOKEN, self._api.token)

    def attach(self) -> None:
        """Makes the run mlflow's active one; called once mlflow is imported.

        Raises:
            KeelError: another run is active already.
        """
        mlflow: Any = sys.modules["mlflow"]
        if mlflow.get_tracking_uri().rstrip("/") != self._api.url:
            return  # the user's own choice: their runs go there, ours stays without them
        if mlflow.active_run() is not None:
            raise KeelError(
                "An mlflow run is active already.",
                hint="End it first: a pipeline run is an mlflow run itself.",
            )
        if self._shared:
            self._notes = note(self._run_id)
        mlflow.start_run(run_id=self._run_id)
        self._active = True

    def look(self) -> None:
        """Takes note of what is logged by now, so that `logged` tells of what comes."""
        if self._active:
            self.logged()

    def logged(self) -> Logged:
        """What was logged since the last call, as far as it can be given to another run."""
        if not self._active:
            return Logged()
        if self._notes is not None:
            return self._notes.take()
        data = self._api.get("/api/2.0/mlflow/runs/get", {"run_id": self._run_id})["run"]["data"]
        params = {item["key"]: item["value"] for item in data.get("params", [])}
        metrics = {item["key"]: float(item["value"]) for item in data.get("metrics", [])}
        fresh = Logged(
            {key: value for key, value in params.items() if self._seen.params.get(key) != value},
            {key: value for key, value in metrics.items() if self._seen.metrics.get(key) != value},
        )
        self._seen = Logged(params, metrics)
        return fresh

    def give(self, logged: Logged, now: int) -> None:
        """Logs what a cached step logged when it ran."""
        if not (logged.params or logged.metrics):
            return
        body = {
            "run_id": self._run_id,
            "params": [{"key": key, "value": value} for key, value in logged.params.items()],
            "metrics": [
                {"key": key, "value": value, "timestamp": now, "step": 0} for key, value in logged.metrics.items()
            ],
        }
        self._api.post("/api/2.0/mlflow/runs/log-batch", body)
        self._seen = Logged({**self._seen.params, **logged.params}, {**self._seen.metrics, **logged.metrics})

    def detach(self, status: str) -> None:
        """Ends mlflow's part, and takes back what was set."""
        mlflow: Any = sys.modules.get("mlflow")
        if self._active and mlflow is not None:
            with contextlib.suppress(Exception):  # the server ends the run in any case
                active = mlflow.active_run()
                while active is not None and active.info.run_id != self._run_id:
                    mlflow.end_run(status)
                    active = mlflow.active_run()
                mlflow.end_run(status)
        self._active = False
        for name in self._set:
            os.environ.pop(name, None)

    def _give(self, name: str, value: str) -> None:
        os.environ[name] = value
        self._set.append(name)
