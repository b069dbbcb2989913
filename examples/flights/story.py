"""What really happens to the flight model in 2013, week by week. Run: `python story.py`; it needs about three minutes.

Three ways to live with the same model are compared: never retrain it, retrain it every four weeks and trust it
blindly, retrain it on an alert and let the challenger serve only if it is proven better.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import time
from datetime import UTC, datetime

import data
import model
import numpy as np
import policy
from policy import Champion, estimate, known, weeks

FIRST = policy.TRAIN_WEEKS
LAST = 52


def _date(week: int) -> str:
    return datetime.fromtimestamp((policy.START_MS + week * policy.WEEK_MS) / 1000, UTC).strftime("%d %b")


class Watch:
    """Counts, per signal, the windows in a row that broke its limit."""

    def __init__(self) -> None:
        self.streaks: dict[str, int] = {}

    def see(self, champion: Champion, window: object, auc: object) -> list[str]:
        """Feed one window; return the signals that have persisted long enough."""
        broken = set()
        if window.height >= policy.MIN_ROWS:
            psi = policy.drift(champion.reference, window)
            broken = {name for name, value in psi.items() if value > champion.psi_limits[name]}
            if auc.high < champion.auc_floor:
                broken.add("AUC")
        self.streaks = {name: self.streaks.get(name, 0) + 1 for name in sorted(broken)}
        return [name for name, length in self.streaks.items() if length >= policy.PERSIST]


def main() -> None:
    """Print the tables of the README."""
    flights = data.flights()
    began = time.perf_counter()
    first = policy.crown(known(weeks(flights, 0, FIRST), FIRST), 0)
    print("calibrated in", round(time.perf_counter() - began, 1), "s", first.auc_usual, first.auc_floor, {k: round(v, 2) for k, v in first.psi_limits.items()})
    champion, watch, retry, blind = first, Watch(), None, first.fitted
    totals = []
    for week in range(FIRST, LAST):
        if (week - FIRST) % 4 == 0 and week > FIRST:
            blind = model.train(known(weeks(flights, week - 8, week), week))
        window = weeks(flights, week, week + 1)
        labelled = model.labelled(window)
        truth = labelled["late"].to_numpy()
        never, kept, trust = (estimate(m, window) for m in (first.fitted, champion.fitted, blind))
        expected = model.predict(champion.fitted, labelled).mean()
        totals.append((week, never.value, trust.value, kept.value))
        raised = watch.see(champion, window, kept)
        print(f"{week:2} {_date(week)} {len(truth):5} {truth.mean():.3f} {expected:.3f} | {never.value:.3f} [{never.low:.3f} {never.high:.3f}] | {trust.value:.3f} | {kept.value:.3f}", "ALERT " + ",".join(raised) if raised else "", flush=True)
        now = week + 1
        if raised and now >= 10 and (retry is None or now >= retry):
            verdict = policy.challenge(flights, champion.fitted, now)
            g = verdict.gain
            print(f"   -> {_date(now)} challenger gain {g.value:+.3f} [{g.low:+.3f} {g.high:+.3f}]", "PROMOTED" if verdict.promote else "REFUSED", flush=True)
            retry = now + policy.JUDGE_WEEKS
            if verdict.promote:
                champion, watch, retry = policy.crown(verdict.rows, now - 10), Watch(), None
                print("   limits", round(champion.auc_usual, 3), round(champion.auc_floor, 3), {k: round(v, 2) for k, v in champion.psi_limits.items() if v > .2})
    print(np.mean([t[1:] for t in totals], axis=0))


if __name__ == "__main__":
    main()
