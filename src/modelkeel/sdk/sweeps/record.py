"""A sweep on the server: its own run, and its trials as runs below it. There is no other record of it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.sdk.api import Api
from modelkeel.sdk.sweeps.result import Sweep, Trial
from modelkeel.sdk.sweeps.trial import PARENT, TAG

_MLFLOW = "/api/2.0/mlflow"
SPEC = "modelkeel.sweep"


def ended_trials(api: Api, resume: str, spec: dict[str, Any]) -> list[Trial]:
    """The trials of a sweep that have ended. One that was under way is given up: it begins anew."""
    parent = api.get(f"/api/v1/runs/{resume}")
    tags = parent["tags"]
    if SPEC not in tags:
        raise NotFound(f"The run {resume} is no sweep.", hint="Name the run of the sweep itself, not of a trial.")
    if msgspec.json.decode(tags[SPEC]) != msgspec.to_builtins(spec):
        raise InvalidInput(
            f"The sweep {resume} had another target, space, metric, direction or seed.", hint="Start another sweep."
        )
    found: list[Trial] = []
    for run in _children(api, resume, parent["experiment"]):
        tag = {one["key"]: one["value"] for one in run["data"].get("tags", [])}.get(TAG)
        ended: dict[str, Any] = msgspec.json.decode(tag) if tag else {"state": "running"}
        if ended["state"] == "running":
            if run["info"]["status"] == "RUNNING":
                body = {"run_id": run["info"]["run_id"], "status": "KILLED", "end_time": now_ms()}
                api.post(f"{_MLFLOW}/runs/update", body)
            continue
        params = {name: value for name, value in ended["params"].items() if name in spec["space"]}
        found.append(Trial(len(found), ended["state"], params, ended["value"], run["info"]["run_id"]))
    return found


def _children(api: Api, parent: str, experiment: str) -> Iterator[dict[str, Any]]:
    body: dict[str, Any] = {
        "experiment_ids": [experiment],
        "filter": f"tags.`{PARENT}` = '{parent}'",
        "max_results": 1000,
        "order_by": ["attributes.start_time ASC"],
    }
    while True:
        page = api.post(f"{_MLFLOW}/runs/search", body)
        yield from page.get("runs", [])
        if not page.get("next_page_token"):
            return
        body["page_token"] = page["next_page_token"]


def open_sweep(api: Api, experiment: str, name: str, spec: dict[str, Any]) -> str:
    """The run of a new sweep, in the experiment of that name."""
    try:
        found = api.get(f"{_MLFLOW}/experiments/get-by-name", {"experiment_name": experiment})["experiment"]
    except NotFound:
        found = api.post(f"{_MLFLOW}/experiments/create", {"name": experiment})
    tags = {SPEC: msgspec.json.encode(spec).decode(), "mlflow.runName": f"sweep of {name}"}
    body = {
        "experiment_id": found["experiment_id"],
        "start_time": now_ms(),
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    return str(api.post(f"{_MLFLOW}/runs/create", body)["run"]["info"]["run_id"])


def close_sweep(api: Api, found: Sweep, status: str) -> None:
    """Notes the best trial on the sweep's run and ends it."""
    complete = [trial for trial in found.trials if trial.value is not None]
    if complete:
        best = found.best
        told = {"best_trial": str(best.number), "best_run_id": best.run_id}
        told |= {f"best.{name}": str(value) for name, value in best.params.items()}
        tags = [{"key": f"modelkeel.{key}", "value": value} for key, value in told.items()]
        metrics = [{"key": "best_value", "value": best.value, "timestamp": now_ms(), "step": len(found.trials)}]
        api.post(f"{_MLFLOW}/runs/log-batch", {"run_id": found.run_id, "metrics": metrics, "tags": tags})
    api.post(f"{_MLFLOW}/runs/update", {"run_id": found.run_id, "status": status, "end_time": now_ms()})


def reopen_sweep(api: Api, run_id: str) -> None:
    """A sweep that ended goes on."""
    api.post(f"{_MLFLOW}/runs/update", {"run_id": run_id, "status": "RUNNING"})
