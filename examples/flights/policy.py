"""When to alert, and when a retrained model may replace the one in service.

Every limit is computed from the training weeks compared with each other, never from the weeks that are judged later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import features
import measures
import model
import numpy as np
import polars as pl

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

START_MS = 1_357_016_400_000
"""Midnight of 1 January 2013 in New York (EST), as UTC."""
WEEK_MS = 7 * 86_400_000
TRAIN_WEEKS = 8
JUDGE_WEEKS = 2
"""The newest weeks, kept out of the training: old and new model are compared on them."""
MIN_PSI = 0.2
"""The usual mark of a major shift. A feature's own limit is higher where its training weeks differ more than that."""
MIN_ROWS = 1000
PERSIST = 2
"""Windows in a row that must break a limit."""
MIN_GAIN = 0.01
"""Gain in AUC that is worth a deployment."""


def weeks(frame: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    """Flights scheduled in the weeks `first` to `last - 1`, counted from 1 January, seven full days each."""
    event = pl.col("event_ms")
    return frame.filter((event >= START_MS + first * WEEK_MS) & (event < START_MS + last * WEEK_MS))


def known(frame: pl.DataFrame, week: int) -> pl.DataFrame:
    """Only flights that had landed, so that their label existed, when `week` began."""
    return frame.filter(pl.col("label_ms") < START_MS + week * WEEK_MS)


def drift(reference: pl.DataFrame, window: pl.DataFrame) -> dict[str, float]:
    """Population stability index of every feature."""
    found = {name: measures.psi_texts(reference[name].to_list(), window[name].to_list()) for name in features.STRINGS}
    for name in features.NUMBERS:
        found[name] = measures.psi_numbers(reference[name].to_numpy(), window[name].to_numpy())
    return found


def estimate(fitted: Pipeline, frame: pl.DataFrame) -> measures.Estimate:
    """AUC on the labelled rows, with its interval."""
    rows = model.labelled(frame)
    return measures.auc(rows["late"].to_numpy(), model.predict(fitted, rows))


@dataclass(frozen=True, slots=True)
class Champion:
    """A model in service with what it is watched by.

    Attributes:
        fitted: The model.
        reference: Its training rows.
        psi_limits: Above this a feature has drifted.
        auc_usual: Mean weekly AUC on training weeks that were left out in turn.
        auc_floor: The worst of those weeks: below it quality is lost.
    """

    fitted: Pipeline
    reference: pl.DataFrame
    psi_limits: dict[str, float]
    auc_usual: float
    auc_floor: float


def crown(rows: pl.DataFrame, first: int) -> Champion:
    """Train on eight weeks from `first` on and calibrate the limits by leaving weeks out of them.

    PSI: each week against the other seven. AUC: each week by a model that saw neither it nor its neighbour (four folds
    of two weeks), because weather lasts and neighbours look alike.
    """
    psi_limits = dict.fromkeys(features.NAMES, MIN_PSI)
    scores = []
    for fold in range(first, first + TRAIN_WEEKS, 2):
        held = weeks(rows, fold, fold + 2)
        fitted = model.train(rows.join(held, on="id", how="anti", maintain_order="left"))
        for week in (fold, fold + 1):
            window = weeks(rows, week, week + 1)
            scores.append(estimate(fitted, window).value)
            rest = rows.join(window, on="id", how="anti", maintain_order="left")
            for name, value in drift(rest, window).items():
                psi_limits[name] = max(psi_limits[name], value)
    return Champion(model.train(rows), rows, psi_limits, float(np.mean(scores)), float(np.min(scores)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A challenger compared with the champion on the two newest weeks."""

    fitted: Pipeline
    rows: pl.DataFrame
    gain: measures.Estimate

    @property
    def promote(self) -> bool:
        """Whether the gain is both worth it and beyond chance."""
        return self.gain.value >= MIN_GAIN and self.gain.low > 0


def challenge(flights: pl.DataFrame, champion: Pipeline, now: int) -> Verdict:
    """Train on the eight weeks before the last two, compare on the last two; only labels known as `now` began."""
    split = now - JUDGE_WEEKS
    rows = known(weeks(flights, split - TRAIN_WEEKS, split), now)
    judged = known(weeks(flights, split, now), now)
    fitted = model.train(rows)
    day = (judged["event_ms"].to_numpy() - START_MS) // 86_400_000
    gain = measures.gain_by_day(
        judged["late"].to_numpy(), model.predict(champion, judged), model.predict(fitted, judged), day
    )
    return Verdict(fitted, rows, gain)
