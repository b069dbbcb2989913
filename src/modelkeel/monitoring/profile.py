"""The reference of a revision: bins and counts of each column, quality on rows that the model had not seen.

A column's own limit: where the reference spans several windows, each of its windows is compared with the rest of it,
and the largest shift found there is what this column does without anything being wrong (weather does, an airport's
code does not). In the same way the spread of a metric between the reference's windows, beyond sampling, is kept
(`spread`).
"""

from __future__ import annotations

import io

import msgspec

from modelkeel.core import lazy_numpy as np
from modelkeel.core import lazy_polars as pl
from modelkeel.core.errors import InvalidInput
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.detectors import psi
from modelkeel.monitoring.histograms import Bins, Counts, count, fit_bins, is_watched
from modelkeel.monitoring.models import Estimate
from modelkeel.monitoring.quality import estimates

SCORE = "prediction"
LEAST_PARTS = 3
LEAST_PART_ROWS = 200


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column of the reference; `usual` is the largest PSI between one of its windows and the rest."""

    bins: Bins
    counts: list[int]
    usual: float | None = None

    def array(self) -> Counts:
        """The counts as an array."""
        return np.asarray(self.counts, dtype=np.int64)


class Profile(msgspec.Struct, frozen=True):
    """What windows are compared with.

    Attributes:
        rows: of the reference; 0 if there is none.
        columns: inputs by name, and the score as `prediction`.
        quality: metrics on the labelled rows.
        spread: standard deviation of a metric between the reference's windows, beyond sampling.
    """

    rows: int = 0
    columns: dict[str, ColumnProfile] = {}
    quality: dict[str, Estimate] = {}
    spread: dict[str, float] = {}


def read_profile(content: bytes, config: MonitorConfig) -> Profile:
    """The profile of a reference file (Parquet, or Arrow IPC).

    Raises:
        InvalidInput: the file is neither, or empty.
    """
    return profile_of(read_table(content), config)


def read_table(content: bytes) -> pl.DataFrame:
    """A table from a file's content.

    Raises:
        InvalidInput: it is neither Parquet nor Arrow IPC, or has no rows.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(content)) if content[:4] == b"PAR1" else pl.read_ipc(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"The reference can't be read: {error}.", hint="Write it as Parquet.") from error
    if not frame.height:
        raise InvalidInput("The reference has no rows.")
    return frame


def profile_of(frame: pl.DataFrame, config: MonitorConfig) -> Profile:
    """The profile of a reference frame."""
    rule = config.reference
    special = {rule.score, rule.label, rule.event_time}
    watched = {name: frame[name] for name in frame.columns if name not in special and is_watched(frame[name])}
    if rule.score in frame.columns:
        # No score means that the model had seen the row in training: it says nothing of how scores spread on new rows.
        watched[SCORE] = frame[rule.score].fill_nan(None).drop_nulls()
    bins = {name: fit_bins(series) for name, series in watched.items()}
    parts = _parts(frame, config)
    counts = {name: count(bins[name], series) for name, series in watched.items()}
    columns = {
        name: ColumnProfile(
            bins[name], counts[name].tolist(), _usual(bins[name], counts[name], name, parts, rule.score)
        )
        for name in watched
    }
    quality = measured_quality(frame, config)
    return Profile(frame.height, columns, quality, _spread(parts, config))


def _parts(frame: pl.DataFrame, config: MonitorConfig) -> list[pl.DataFrame]:
    name = config.reference.event_time
    if name not in frame.columns:
        return []
    times = frame[name]
    ms = times.dt.epoch("ms") if times.dtype.is_temporal() else times.cast(pl.Int64)
    starts = (ms - config.anchor_ms) // config.window_ms
    parts = frame.with_columns(starts.alias("__window")).partition_by("__window", maintain_order=True)
    parts = [part for part in parts if part.height >= LEAST_PART_ROWS]
    return parts if len(parts) >= LEAST_PARTS else []


def _usual(bins: Bins, counts: Counts, name: str, parts: list[pl.DataFrame], score: str) -> float | None:
    found = []
    for part in parts:
        series = part[score].fill_nan(None).drop_nulls() if name == SCORE else part[name]
        own = count(bins, series)
        if own.sum() >= LEAST_PART_ROWS and own.sum() < counts.sum():
            found.append(psi.measure(counts - own, own).effect)
    return max(found) if len(found) >= LEAST_PARTS else None


def measured_quality(frame: pl.DataFrame, config: MonitorConfig) -> dict[str, Estimate]:
    """Every metric of a table's scored and labelled rows."""
    rule = config.reference
    if rule.score not in frame.columns or rule.label not in frame.columns:
        return {}
    pairs = frame.select(
        pl.col(rule.label).cast(pl.Float64, strict=False).fill_nan(None).alias("label"),
        pl.col(rule.score).cast(pl.Float64, strict=False).fill_nan(None).alias("score"),
    ).drop_nulls()
    confidence = config.quality.confidence if config.quality else 0.95
    return estimates(pairs["label"].to_numpy(), pairs["score"].to_numpy(), confidence)


def _spread(parts: list[pl.DataFrame], config: MonitorConfig) -> dict[str, float]:
    """Variance between parts less the mean sampling variance (DerSimonian and Laird's idea, 1986), as a deviation."""
    measured = [measured_quality(part, config) for part in parts]
    found = {}
    for metric in set().union(*measured):
        of_parts = [part[metric] for part in measured if metric in part]
        if len(of_parts) >= LEAST_PARTS:
            between = float(np.var([e.value for e in of_parts], ddof=1)) - float(np.mean([e.se**2 for e in of_parts]))
            found[metric] = float(np.sqrt(max(between, 0.0)))
    return found
