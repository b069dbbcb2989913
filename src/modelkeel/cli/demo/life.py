"""The first half of the story: train, cache, register, gate, approve, deploy."""

import time
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from modelkeel.cli.demo.stage import ENDPOINT, MODEL, PIPELINE, Stage
from modelkeel.core.errors import KeelError

FIRST_DAY = "2013-03-12T05:00:00Z"


def train(stage: Stage) -> str:
    """Runs the pipeline twice; returns the first run's id."""
    stage.chapter(2, "Train: a pipeline, tracked by the unmodified mlflow client")
    first = stage.command("run", f"pipeline.py:{PIPELINE}", "-p", f"until={FIRST_DAY}")
    _steps(stage, first["run_id"])
    again = stage.command("run", f"pipeline.py:{PIPELINE}", "-p", f"until={FIRST_DAY}")
    cached = [step["name"] for step in _steps(stage, again["run_id"]) if step["cached"]]
    saved = float(again["saved_seconds"])
    stage.facts |= {"cached_steps": cached, "saved_seconds": round(saved, 2)}
    stage.say(f"the second time {len(cached)} steps came from the cache: [green]{saved:.1f} s saved[/]")
    return str(first["run_id"])


def promote(stage: Stage) -> int:
    """Shows a refusal, then the promotion with a second person's yes; returns the version."""
    stage.chapter(3, "Register, gate, approve")
    stage.command("apply")
    client = MlflowClient()
    version = min(int(v.version) for v in client.search_model_versions(f"name='{MODEL}'"))
    stage.say(f"[dim]>>> MlflowClient().set_registered_model_alias({MODEL!r}, 'champion', {version})[/]")
    try:
        client.set_registered_model_alias(MODEL, "champion", str(version))
    except MlflowException as error:
        stage.facts["promotion_refused"] = error.message
        stage.say(f"[red]refused[/] {error.message}")
    else:
        raise KeelError("The alias moved without an approval.")
    asked = stage.command("promote", f"{MODEL}/{version}", "--alias", "champion")
    for gate in asked["gates"]:
        stage.say(f"{_mark(gate['verdict'])} {gate['gate']}: {gate['sentence']}")
    try:
        stage.ada.post(f"/api/v1/promotions/{asked['id']}/approve")
    except KeelError as error:
        stage.say(f"[red]Ada's own yes is refused[/] {error}")
    done = stage.vera.post(f"/api/v1/promotions/{asked['id']}/approve", {"reason": "held-out weeks look right"})
    who = [one["name"] for one in done["approvals"] if one["verdict"] == "approved"]
    stage.facts["promotion_approved_by"] = who
    stage.say(f"[green]{', '.join(who)} approved[/]; {MODEL}@champion is version {version} ({done['status']})")
    standing = stage.vera.post(
        "/api/v1/standing-approvals",
        {"model": MODEL, "metric": "auc", "min": 0.62, "promotions": 5, "days": 30, "like": version},
    )
    stage.say(
        f"vera also gives a standing approval: {standing['promotions']} promotions of what this very pipeline makes,"
        f" AUC at least {standing['min']:g}, until {standing['expires'][:10]}"
    )
    return version


def deploy(stage: Stage) -> dict[str, Any]:
    """Deploys the champion; returns the endpoint."""
    stage.chapter(4, "Deploy, and replay later flights in simulated time")
    began = time.monotonic()
    endpoint = stage.command("deploy", f"{MODEL}@champion", "--name", ENDPOINT, "--simulated")
    revision = endpoint["revisions"][0]
    stage.say(f"{endpoint['url']} after {time.monotonic() - began:.1f} s: {revision['kind']}, {revision['note']}")
    return endpoint


def never_retrained(version: int) -> Any:
    """The first model, as a person would load it."""
    return mlflow.sklearn.load_model(f"models:/{MODEL}/{version}")


def _steps(stage: Stage, run: str) -> list[dict[str, Any]]:
    """Tells what became of each step of a run."""
    found: list[dict[str, Any]] = stage.ada.get(f"/api/v1/pipelines/runs/{run}")["steps"]
    for step in found:
        word = "[cyan]cached[/]" if step["cached"] else "[green]ran   [/]"
        stage.say(f"{word} {step['name']:10} {'' if step['cached'] else format(step['seconds'], '6.2f') + ' s'}")
    return found


def _mark(verdict: str) -> str:
    return {"passed": "[green]✓[/]", "failed": "[red]✗[/]"}.get(verdict, "[yellow]…[/]")
