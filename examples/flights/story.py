"""What really happens to the flight model in 2013, as the tables of the README. Run `python story.py`: three minutes.

Three ways to live with the same model: never retrain it; retrain it every four weeks and trust it blindly; retrain it
on an alert and let the challenger serve only where it is proven better.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from datetime import UTC, datetime

import data
import numpy as np
import policy
import watch


def _day(week: int) -> str:
    return datetime.fromtimestamp((policy.START_MS + week * policy.WEEK_MS) / 1000, UTC).strftime("%d %b")


def _decision(week: watch.Week) -> str:
    if week.verdict is None:
        return ""
    gain = week.verdict.gain
    word = "**promoted**" if week.verdict.promote else "refused"
    return f"{word}: {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


def main() -> None:
    """Print one line a week, then the means."""
    print("| week of | flights | late | expected | never retrained (95 %) | blind | serving | alerts | gain |")
    print("|---|---|---|---|---|---|---|---|---|")
    values = []
    for week in watch.replay(data.flights()):
        values.append((week.never.value, week.blind.value, week.serving.value))
        never = f"{week.never.value:.3f} ({week.never.low:.3f} to {week.never.high:.3f})"
        cells = (
            _day(week.number),
            str(week.labelled),
            f"{week.late:.3f}",
            f"{week.expected:.3f}",
            never,
            f"{week.blind.value:.3f}",
            f"{week.serving.value:.3f}",
            ", ".join(week.alerts),
            _decision(week),
        )
        print("| " + " | ".join(cells) + " |", flush=True)
    means = np.mean(values, axis=0)
    print(f"\nMean weekly AUC: never {means[0]:.3f}, blind {means[1]:.3f}, serving {means[2]:.3f}")


if __name__ == "__main__":
    main()
