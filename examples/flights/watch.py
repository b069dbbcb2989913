"""Replays the weeks of 2013 in order: watch each one, and decide about a challenger at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import model
import policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import measures
    import polars as pl


@dataclass(slots=True)
class Signals:
    """Counts, per signal, the windows in a row that broke its limit; `AUC` is a signal beside the features."""

    streaks: dict[str, int] = field(default_factory=dict)

    def see(self, champion: policy.Champion, window: pl.DataFrame, auc: measures.Estimate) -> tuple[str, ...]:
        """Feed one window and return the signals that have lasted long enough to alert."""
        broken: set[str] = set()
        if window.height >= policy.MIN_ROWS:
            found = policy.drift(champion.reference, window)
            broken = {name for name, value in found.items() if value > champion.psi_limits[name]}
            if auc.high < champion.auc_floor:
                broken.add("AUC")
        self.streaks = {name: self.streaks.get(name, 0) + 1 for name in sorted(broken)}
        return tuple(name for name, length in self.streaks.items() if length >= policy.PERSIST)


@dataclass(frozen=True, slots=True)
class Week:
    """One replayed week.

    Attributes:
        number: Weeks since 1 January.
        labelled: Flights with a label.
        late: Share of them that arrived late.
        expected: Mean probability that the serving model gave.
        never: The first model, never retrained.
        blind: A model retrained every four weeks on the newest eight and never questioned.
        serving: The model in service under the policy.
        alerts: Signals that alert at the end of the week.
        verdict: The comparison made at the end of the week, if one was due.
    """

    number: int
    labelled: int
    late: float
    expected: float
    never: measures.Estimate
    blind: measures.Estimate
    serving: measures.Estimate
    alerts: tuple[str, ...]
    verdict: policy.Verdict | None


def replay(flights: pl.DataFrame, last: int = 52) -> Iterator[Week]:
    """Replay the weeks after the first training period, up to but not including week `last`.

    A challenger is trained when an alert is open and the weeks it is judged on were not used by an earlier verdict.
    """
    begin = policy.TRAIN_WEEKS
    first = champion = policy.crown(policy.known(policy.weeks(flights, 0, begin), begin), 0)
    blind, signals, next_verdict = first.fitted, Signals(), begin + policy.JUDGE_WEEKS
    for number in range(begin, last):
        if number > begin and (number - begin) % 4 == 0:
            newest = policy.weeks(flights, number - policy.TRAIN_WEEKS, number)
            blind = model.train(policy.known(newest, number))
        window = policy.weeks(flights, number, number + 1)
        rows = model.labelled(window)
        serving = policy.estimate(champion.fitted, rows)
        alerts = signals.see(champion, window, serving)
        now, verdict = number + 1, None
        if alerts and now >= next_verdict:
            verdict = policy.challenge(flights, champion.fitted, now)
            next_verdict = now + policy.JUDGE_WEEKS
        yield Week(
            number=number,
            labelled=rows.height,
            late=float(rows["late"].to_numpy().mean()),
            expected=float(model.predict(champion.fitted, rows).mean()),
            never=policy.estimate(first.fitted, rows),
            blind=policy.estimate(blind, rows),
            serving=serving,
            alerts=alerts,
            verdict=verdict,
        )
        if verdict is not None and verdict.promote:
            oldest = now - policy.JUDGE_WEEKS - policy.TRAIN_WEEKS
            champion, signals = policy.crown(verdict.rows, oldest), Signals()
