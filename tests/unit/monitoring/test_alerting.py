"""When alerts open and end, and when an action may follow."""

import pytest

from modelkeel.monitoring.alerting import Judged, Reading, Signal, decide, may_act
from modelkeel.monitoring.config import DriftRule, MonitorConfig, Reaction

DAY = 86_400_000
X = Signal("drift", "x")
CONFIG = MonitorConfig(window="1d", drift=DriftRule(persist=2), on_alert=Reaction(retrain="p", cool_down_windows=3))


def story(text: str) -> list[Judged]:
    """`bg.B`: bad, good, unjudged, bad of another revision (capitals), one letter a day; newest first."""
    windows = []
    for day, letter in enumerate(text):
        bad = letter in "bB"
        readings = {} if letter == "." else {X: Reading(bad, letter in "gG", 0.3 if bad else 0.01, 0.2, 0.0)}
        windows.append(Judged(day * DAY, "two" if letter.isupper() else "one", readings))
    return windows[::-1]


@pytest.mark.parametrize(
    ("text", "opened", "expected"),
    [
        ("b", {}, None),
        ("gb", {}, None),
        ("bb", {}, ("raise", 0, 2)),
        ("gbbb", {}, ("raise", 1, 3)),
        ("b.b", {}, ("raise", 0, 2)),
        ("bgb", {}, None),
        ("bB", {}, None),
        ("bbB", {X: "one"}, None),
        ("bbBB", {X: "one"}, ("raise", 2, 2)),
        ("bbG", {X: "one"}, ("resolve", 2, 0)),
        ("bbg", {X: "one"}, None),
        ("bbgg", {X: "one"}, ("resolve", 3, 0)),
        ("bb-", {X: "one"}, None),
        ("gg", {}, None),
        ("bb.", {X: "one"}, ("raise", 0, 2)),
    ],
)
def test_decisions(text: str, opened: dict[Signal, str], expected: tuple[str, int, int] | None):
    found = decide(CONFIG, story(text), opened)
    if expected is None:
        assert found == []
    else:
        (decision,) = found
        assert (decision.action, decision.first // DAY, decision.windows) == expected


def test_deciding_again_says_the_same():
    assert decide(CONFIG, story("gbb"), {X: "one"}) == decide(CONFIG, story("gbb"), {})


@pytest.mark.parametrize(
    ("start", "last", "actions", "allowed"),
    [(10, None, 0, True), (12, 10, 1, False), (13, 10, 1, True), (10, 10, 1, False), (99, 10, 5, False)],
)
def test_cool_down_counts_windows(start: int, last: int | None, actions: int, allowed: bool):
    assert may_act(CONFIG, start * DAY, None if last is None else last * DAY, actions) is allowed
    assert not may_act(MonitorConfig(), start * DAY, None, 0)
