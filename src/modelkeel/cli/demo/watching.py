"""The middle of the story: weeks of flights, the monitor's alerts, and what they set off by themselves."""

import time
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from modelkeel.cli.demo.replay import Replay
from modelkeel.cli.demo.stage import ENDPOINT, MODEL, Stage
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import Unavailable

DAY = 86_400_000
WEEK = 7 * DAY
LATENESS_DAYS = 2
PATIENCE = 180.0
CONTROLLER_SECONDS = 0.7


@dataclass(slots=True)
class Season:
    """What the monitor measured, week by week.

    Attributes:
        weeks: start (ms) of each closed week, and the live AUC and rows in it.
        alerts: every alert, oldest first.
        takeovers: start of the first full week of each retrained version that took over.
        versions: the versions that took over.
    """

    weeks: list[tuple[int, float, int]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    takeovers: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)


class Watch:
    """Replays a season and tells what happens.

    Args:
        stage: where.
        replay: sends the flights.
        first: version deployed at the start.
    """

    def __init__(self, stage: Stage, replay: Replay, first: int) -> None:
        self._stage = stage
        self._replay = replay
        self._first = self._serving = first
        self._told: set[str] = set()
        self.season = Season()

    def run(self, start: int, weeks: int, flights: int) -> Season:
        """Plays `weeks` weeks from `start` (ms), and two days more, so that the last one closes."""
        columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._stage.console, transient=True) as bar:
            task = bar.add_task("flights", total=flights)
            for day in range(weeks * 7 + LATENESS_DAYS + 1):
                now = start + day * DAY
                bar.update(task, description=rfc3339(now)[:10])
                self._replay.day(now, now + DAY, lambda rows: bar.advance(task, rows))
                if self._moving():
                    time.sleep(CONTROLLER_SECONDS)  # a step of a rollout takes the server a second, not a day
                past = day - LATENESS_DAYS
                if past >= 7 and past % 7 == 0:
                    self._settle(start + (past // 7 - 1) * WEEK)
        return self.season

    def _settle(self, week: int) -> None:
        """Waits until the server has closed a week, and until what its alerts started is decided."""
        window = self._until(lambda: self._closed(week), f"the week of {rfc3339(week)[:10]} to close")
        live = [r for r in window["revisions"] if r["variant"] != "shadow" and "auc" in r["quality"]]
        labels = sum(r["labels"] for r in live)
        auc = sum(r["quality"]["auc"]["value"] * r["labels"] for r in live) / labels if labels else float("nan")
        self.season.weeks.append((week, auc, window["rows"]))
        self._until(self._quiet, "what the alerts started")
        self._tell(week)

    def _closed(self, week: int) -> dict[str, Any] | None:
        query = {"since": rfc3339(week), "limit": 1}
        found = self._stage.owner.get(f"/api/v1/monitors/{ENDPOINT}/windows", query | {"until": rfc3339(week + WEEK)})
        return found[0] if found and found[0]["closed"] else None

    def _quiet(self) -> bool:
        """Whether every action has ended and its candidate is decided on."""
        incidents = self._stage.owner.get("/api/v1/incidents", {"endpoint": ENDPOINT})
        actions = [action for incident in incidents for action in incident["actions"]]
        if any(action["status"] in {"pending", "running"} for action in actions):
            return False
        finished = sum(action["status"] == "finished" for action in actions)
        promotions = self._stage.owner.get("/api/v1/promotions", {"model": MODEL})
        return len({p["version"] for p in promotions}) > finished and not self._preparing()

    def _preparing(self) -> bool:
        return self._rollout() == "preparing"

    def _moving(self) -> bool:
        return self._rollout() in {"shadow", "stepping"}

    def _rollout(self) -> str:
        rollout = self._stage.owner.get(f"/api/v1/endpoints/{ENDPOINT}")["rollout"]
        return "" if rollout is None else str(rollout["state"])

    def _tell(self, week: int) -> None:
        owner, stage = self._stage.owner, self._stage
        day = rfc3339(week)[:10]
        for alert in reversed(owner.get("/api/v1/alerts", {"endpoint": ENDPOINT})):
            if alert["id"] in self._told:
                continue
            self._told.add(alert["id"])
            self.season.alerts.append(alert)
            stage.say(
                f"week of {day}  [yellow]alert[/] {alert['kind']}: {alert['feature']},"
                f" effect {alert['effect']:.2f} against {alert['threshold']:.2f}"
            )
        for promotion in reversed(owner.get("/api/v1/promotions", {"model": MODEL})):
            if promotion["id"] in self._told or promotion["version"] == self._first:
                continue
            self._told.add(promotion["id"])
            gate = next(g for g in promotion["gates"] if g["gate"] == "better_than_champion")
            word = "[red]refused[/]" if promotion["status"] == "refused" else "[green]approved[/]"
            stage.say(f"week of {day}  retrained: version {promotion['version']} {word}. {gate['sentence']}")
        self._takeover(week)

    def _takeover(self, week: int) -> None:
        endpoint = self._stage.owner.get(f"/api/v1/endpoints/{ENDPOINT}")
        versions = {r["id"]: r["version"] for r in endpoint["revisions"]}
        champion = versions[endpoint["routes"][0]["revision"]]
        if champion == self._serving:
            return
        self._serving = champion
        self.season.takeovers.append(week + 2 * WEEK)
        self.season.versions.append(champion)
        self._stage.say(f"week of {rfc3339(week)[:10]}  [green]version {champion} has all the traffic[/]")

    def _until(self, ask: Any, what: str) -> Any:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = ask()
            if found:
                return found
            time.sleep(0.05)
        raise Unavailable(f"Waited {PATIENCE:g} s for {what}.", hint=f"The server's log is in {self._stage.home}.")


def quality(season: Season, flights: pl.DataFrame, never: pl.Series) -> dict[str, Any]:
    """Mean weekly AUC before, during and after, and what the first model scored on the very flights of `after`.

    Args:
        season: what the monitor measured live.
        flights: the replayed flights.
        never: the first model's probability for each of them.
    """
    began = min((_ms(alert["start"]) for alert in season.alerts), default=None)
    took = season.takeovers[0] if season.takeovers else None
    scored = flights.select("event_ms", "late").with_columns(never.alias("score")).drop_nulls()
    rows: list[dict[str, Any]] = []
    for week, live, count in season.weeks:
        here = scored.filter((pl.col("event_ms") >= week) & (pl.col("event_ms") < week + WEEK))
        part = "before" if began is None or week < began else "during" if took is None or week < took else "after"
        frozen = _auc(here["late"], here["score"])
        rows.append({"week": rfc3339(week)[:10], "part": part, "live": live, "never_retrained": frozen, "rows": count})
    means = {part: _mean([r["live"] for r in rows if r["part"] == part]) for part in ("before", "during", "after")}
    frozen_after = _mean([r["never_retrained"] for r in rows if r["part"] == "after"])
    return {"metric": "auc", **means, "never_retrained": frozen_after, "weeks": rows}


def _auc(truth: pl.Series, score: pl.Series) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney)."""
    ranks = score.rank("average")
    positives = int(truth.sum())
    negatives = truth.len() - positives
    total = float(ranks.filter(truth == 1).sum())
    return (total - positives * (positives + 1) / 2) / (positives * negatives)


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _ms(moment: str) -> int:
    from modelkeel.core.clock import parse_rfc3339

    return parse_rfc3339(moment)
