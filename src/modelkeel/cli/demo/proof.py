"""The last part of the story: rerun and verify, trace, prove, tamper, bill."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from modelkeel.cli.demo.stage import ENDPOINT, Stage
from modelkeel.core.errors import KeelError


def reproduce(stage: Stage, run: str) -> None:
    """Reruns the first training from what the server has, in a rebuilt environment."""
    stage.chapter(6, "Reproduce the first training, and compare")
    found = stage.command("reproduce", run)["reproduction"]
    stage.facts["reproduced"] = found["verdict"]
    colour = "green" if found["verdict"] == "identical" else "red"
    stage.say(
        f"[{colour}]{found['verdict']}[/]: {found['steps']} steps, {found['models']} model with {found['files']} files"
        f" and {found['metrics']} metrics compared"
    )
    for one in found["differences"]:
        stage.say(f"  differs: {one['kind']} {one['name']}: {one['was']} → {one['now']}")


def trace(stage: Stage, prediction: str) -> None:
    """What stands behind one prediction, and what served at its time."""
    stage.chapter(7, "What stands behind a prediction, and what served then?")
    found = stage.command("trace", prediction)
    origin, revision = found["origin"], found["revision"]
    pipeline = origin["pipeline"] or {}
    snapshot, environment = pipeline.get("snapshot") or {}, pipeline.get("environment") or {}
    short = {
        "prediction": prediction,
        "model": f"{origin['version']['model']}/{origin['version']['version']}",
        "model_digest": origin["version"]["digest"],
        "revision": f"r{revision['number']}",
        "run": origin["run"]["id"],
        "code": snapshot.get("digest"),
        "environment": environment.get("lock"),
        "data": [one["value"]["digest"] for one in pipeline.get("data", [])],
        "approved_by": origin["approved_by"],
        "entries": found["prediction"]["entries"] + origin["version"]["entries"] + origin["run"]["entries"],
    }
    stage.facts["trace_of_prediction"] = short
    for name, value in short.items():
        stage.say(f"{name:13} {value}")
    moment = found["prediction"]["event_time"]
    served = stage.command("served", ENDPOINT, "--at", moment, "--clock", "event")
    stage.facts["served_at"] = served
    who = served["served"][0]
    stage.say(f"at {moment} (event time) version {who['version']} served, approved by {', '.join(who['approved_by'])}")


def audit(stage: Stage) -> None:
    """Verifies the ledger offline, then a copy with one flipped byte."""
    stage.chapter(8, "Prove that nothing was changed")
    good, bad = stage.home.parent / "export", stage.home.parent / "tampered"
    stage.export(good)
    report = _verify(good)
    stage.say(f"[green]{report['verdict']}[/]: {report['entries']} entries, root {report['root'][:16]}…")
    shutil.copytree(good, bad)
    shard = min((bad / "entries").iterdir())
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    broken = _verify(bad)
    place = next((p["index"] for p in broken["problems"] if p["index"] is not None), None)
    stage.say(
        f"one byte of a copy flipped: [red]{broken['verdict']}[/], entry {place}: {broken['problems'][0]['what']}"
    )
    ok = report["verdict"] == "ok"
    stage.facts["ledger"] = {"entries": report["entries"], "verified": ok, "tamper_found_at": place}


def bill(stage: Stage) -> None:
    """What it cost."""
    stage.chapter(9, "The bill")
    found = stage.command("costs")
    unit = found["currency"]
    lines = found["pipelines"] + found["models"] + found["endpoints"]
    for line in lines:
        stage.say(f"{line['name']:32} {line['amount']:10.5f} {unit}   [dim]{line['how']}[/]")
    for line in found["per_1000_predictions"]:
        stage.say(
            f"1,000 predictions at {line['endpoint']:12} {line['with_training']:10.5f} {unit}   [dim]{line['how']}[/]"
        )
    saved = found["savings"]
    stage.say(f"saved by {saved['cached_steps']} cached steps: {saved['amount']:.5f} {unit}")
    stage.facts["cost"] = {name: found[name] for name in ("currency", "total", "pipelines", "models", "endpoints")}
    stage.facts["cost"] |= {"per_1000_predictions": found["per_1000_predictions"], "savings": saved}


def _verify(folder: Path) -> dict[str, Any]:
    """Runs the verifier that lies in the export itself: it imports nothing of ours."""
    command = [sys.executable, "-I", str(folder / "verify.py"), str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise KeelError(f"The verifier failed: {done.stderr[-500:]}") from error
    return found
