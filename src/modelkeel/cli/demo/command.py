"""The command itself: the chapters in order, the summary, the facts as JSON."""

import json as jsonlib
import sys
import time
from typing import Annotated, Any

import polars as pl
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from modelkeel.cli.demo import life, proof
from modelkeel.cli.demo.replay import Replay
from modelkeel.cli.demo.stage import Stage, open_stage
from modelkeel.cli.demo.watching import WEEK, Season, Watch, quality
from modelkeel.core.clock import parse_rfc3339

WEEKS = 18


def demo(
    *,
    weeks: Annotated[int, Parameter(negative=())] = WEEKS,
    keep: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Live one model's whole life on a year of real flights, in simulated time.

    Question: will this flight arrive more than 15 minutes late? Labels arrive when the flight lands.

    Examples:
        modelkeel demo
        modelkeel demo --keep
        modelkeel demo --json | tail -n 1

    Parameters
    ----------
    weeks
        How many weeks of 2013 are replayed, from 12 March on.
    keep
        Leave the server and its page running.
    json
        Print the facts as one JSON object on the last line.
    """
    began = time.monotonic()
    console = Console(stderr=json, soft_wrap=True)
    console.print("[bold]Modelkeel[/]: one model's whole life on 336,776 flights that left New York in 2013")
    stage = open_stage(console)
    try:
        _play(stage, weeks)
        stage.facts = {"seconds": round(time.monotonic() - began, 1), **stage.facts}
        _summary(stage)
    except BaseException:
        if not keep:
            stage.close()
        raise
    if keep:
        console.print(f"\nThe server goes on: {stage.owner.url}  (modelkeel down --home {stage.home})")
    else:
        stage.close()
    if json:
        sys.stdout.write(jsonlib.dumps(stage.facts) + "\n")


def _play(stage: Stage, weeks: int) -> None:
    stage.chapter(1, "Start the server on the embedded default")
    stage.facts["url"] = stage.owner.url
    stage.say(f"page and API: [link={stage.owner.url}]{stage.owner.url}[/]   home: {stage.home}")
    run = life.train(stage)
    version = life.promote(stage)
    endpoint = life.deploy(stage)
    season, flights, replay = _replay(stage, endpoint["url"], version, weeks)
    _tell_quality(stage, season, flights, version)
    proof.reproduce(stage, run)
    proof.trace(stage, replay.last_prediction)
    proof.audit(stage)
    proof.bill(stage)


def _replay(stage: Stage, url: str, version: int, weeks: int) -> tuple[Season, pl.DataFrame, Replay]:
    data, features = _project(stage, "data"), _project(stage, "features")
    start = parse_rfc3339(life.FIRST_DAY)
    event = pl.col("event_ms")
    flights = data.flights().filter((event >= start) & (event < start + (weeks + 1) * WEEK))
    replay = Replay(stage.owner, url, flights, list(features.NAMES))
    season = Watch(stage, replay, version).run(start, weeks, flights.height)
    tally = replay.tally
    rate = tally.predictions / max(tally.seconds, 1e-9)
    stage.say(
        f"{tally.predictions:,} predictions in {tally.requests:,} requests ({rate:,.0f} a second),"
        f" {tally.labels:,} labels, {tally.failed} failed requests"
    )
    stage.facts |= {"predictions": tally.predictions, "labels": tally.labels, "failed_requests": tally.failed}
    return season, flights, replay


def _tell_quality(stage: Stage, season: Season, flights: pl.DataFrame, version: int) -> None:
    stage.chapter(5, "What the monitor saw, and what came of it")
    stage.facts["alerts"] = [
        {"kind": a["kind"], "feature": a["feature"], "window": f"{a['start']}/{a['end']}", "effect": a["effect"]}
        for a in season.alerts
    ]
    stage.facts["retrained_versions"] = season.versions
    scores = _project(stage, "model").predict(life.never_retrained(version), flights)
    found = quality(season, flights, pl.Series(scores))
    stage.facts["quality"] = found
    table = Table(box=None)
    for column in ("week of", "part", "live AUC", "never retrained"):
        table.add_column(column)
    for row in found["weeks"]:
        table.add_row(row["week"], row["part"], f"{row['live']:.3f}", f"{row['never_retrained']:.3f}")
    stage.console.print(table)
    stage.say(
        f"mean weekly AUC: before {_number(found['before'])}, during {_number(found['during'])},"
        f" after {_number(found['after'])}; the first model on those flights: {_number(found['never_retrained'])}"
    )


def _summary(stage: Stage) -> None:
    facts = stage.facts
    table = Table(title="Summary", title_justify="left", show_header=False)
    rows: dict[str, Any] = {
        "seconds": facts["seconds"],
        "cached steps": f"{len(facts['cached_steps'])}, {facts['saved_seconds']} s saved",
        "approved by": ", ".join(facts["promotion_approved_by"]),
        "predictions, labels": f"{facts['predictions']:,}, {facts['labels']:,}; {facts['failed_requests']} failed",
        "alerts": len(facts["alerts"]),
        "versions that took over": ", ".join(map(str, facts["retrained_versions"])) or "none",
        "AUC before, during, after": ", ".join(_number(facts["quality"][k]) for k in ("before", "during", "after")),
        "never retrained, same flights": _number(facts["quality"]["never_retrained"]),
        "reproduced": facts["reproduced"],
        "ledger": f"{facts['ledger']['entries']} entries; tampering found at {facts['ledger']['tamper_found_at']}",
        "cost": f"{facts['cost']['total']:.4f} {facts['cost']['currency']}",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    stage.console.print()
    stage.console.print(table)


def _project(stage: Stage, module: str) -> Any:
    """A module of the flights project."""
    import importlib

    if str(stage.project) not in sys.path:
        sys.path.insert(0, str(stage.project))
    return importlib.import_module(module)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
