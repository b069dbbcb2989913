"""When an alert opens, goes on, or ends: decided from the verdicts of closed windows alone.

So deciding twice changes nothing.

Each window speaks through the revision that answered most of it. A signal is one column's drift, the score's drift,
or the judged metric. It opens an alert after `persist` bad windows in a row of one revision; windows that could not
be judged (few rows, few labels) neither count nor interrupt. An alert ends when a *new* revision has a good window,
or the same revision `persist` good ones in a row. What is neither bad nor good leaves it as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.models import AlertKind, RevisionWindow
from modelkeel.monitoring.profile import SCORE

LIVE = "live"
HISTORY = 64


class Signal(NamedTuple):
    """What may alert: `drift` of a column, `prediction_drift`, or `quality` by a metric."""

    kind: AlertKind
    feature: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A signal in one window."""

    bad: bool
    good: bool
    effect: float
    threshold: float
    p: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A closed window: its start, the revision that speaks for it, and its readings."""

    start: int
    revision: str
    readings: Mapping[Signal, Reading]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a signal.

    Attributes:
        action: `raise` (or go on, if it is open already) or `resolve`.
        first: start of the first bad window of the run; `last` of its last, or of the good one.
        windows: how many bad windows in a row.
    """

    action: str
    signal: Signal
    revision: str
    first: int
    last: int
    windows: int
    reading: Reading


def speaker(revisions: Iterable[RevisionWindow]) -> RevisionWindow | None:
    """The revision that answered most rows of a window; None if only shadows saw it."""
    return max((r for r in revisions if r.variant == LIVE), key=lambda r: r.rows, default=None)


def readings(config: MonitorConfig, window: RevisionWindow) -> dict[Signal, Reading]:
    """The signals that a window could be judged by."""
    found: dict[Signal, Reading] = {}
    for column in window.drift if config.drift else []:
        kind: AlertKind = "prediction_drift" if column.column == SCORE else "drift"
        found[Signal(kind, column.column)] = Reading(
            column.shifted, not column.shifted, column.psi, column.limit, column.p
        )
    judged, rule = window.judged, config.quality
    if rule is not None and judged is not None and judged.worse is not None:
        signal = Signal("quality", rule.metric)
        found[signal] = Reading(judged.lost, judged.recovered, judged.worse, rule.drop, judged.p)
    return found


def decide(config: MonitorConfig, history: Sequence[Judged], opened: Mapping[Signal, str]) -> list[Decision]:
    """What the newest window changes.

    Args:
        config: holds `persist`.
        history: closed windows, newest first.
        opened: the revision under which each open alert was last seen bad.
    """
    signals = {signal for window in history[:1] for signal in window.readings} | set(opened)
    decisions = []
    for signal in sorted(signals):
        rule = config.quality if signal.kind == "quality" else config.drift
        known = [(w, w.readings[signal]) for w in history if signal in w.readings]
        if rule is None or not known:
            continue
        newest, reading = known[0]
        same = [(w, r) for w, r in _while_revision(known, newest.revision)]
        bad = _leading([r.bad for _, r in same])
        good = _leading([r.good for _, r in same])
        if bad >= rule.persist:
            first = same[bad - 1][0].start
            decisions.append(Decision("raise", signal, newest.revision, first, newest.start, bad, reading))
        elif signal in opened and good >= (rule.persist if opened[signal] == newest.revision else 1):
            decisions.append(Decision("resolve", signal, newest.revision, newest.start, newest.start, 0, reading))
    return decisions


def may_act(config: MonitorConfig, start: int, last_action: int | None, actions: int) -> bool:
    """Whether an alert of the window at `start` may start an action.

    Args:
        config: says what, and how often.
        start: of the newest bad window.
        last_action: start of the window whose alert caused the last action.
        actions: how many the incident has seen.
    """
    rule = config.on_alert
    if rule.retrain is None or actions >= rule.max_actions:
        return False
    return last_action is None or (start - last_action) // config.window_ms >= max(rule.cool_down_windows, 1)


def _while_revision(known: list[tuple[Judged, Reading]], revision: str) -> list[tuple[Judged, Reading]]:
    run = []
    for window, reading in known:
        if window.revision != revision:
            break
        run.append((window, reading))
    return run


def _leading(flags: list[bool]) -> int:
    return next((i for i, flag in enumerate(flags) if not flag), len(flags))
