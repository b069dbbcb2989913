"""The model's inputs: names, types, meaning. Every one is known before the scheduled departure.

The month is left out on purpose: a model trained on January and February has never seen another value of it. The
destination is left out because it gained nothing beside the distance (mean monthly AUC 0.688 with it, 0.690 without).
Numbers that the ONNX model reads are `float32`-safe: they are rounded once here, so that the scikit-learn pipeline and
the compiled model compare the very same numbers with the very same thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

if TYPE_CHECKING:
    import pandas as pd

Dtype = Literal["string", "int64", "float32"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One input column.

    Attributes:
        name: Column name, also the name of the ONNX input.
        dtype: Type on the wire and in the frame.
        unit: Unit or meaning, for people.
    """

    name: str
    dtype: Dtype
    unit: str


FEATURES: tuple[Feature, ...] = (
    Feature("carrier", "string", "two-letter code of the airline"),
    Feature("origin", "string", "EWR, JFK or LGA"),
    Feature("sched_minute", "int64", "scheduled departure, minutes after local midnight"),
    Feature("weekday", "int64", "local day of the week, Monday is 1"),
    Feature("distance", "float32", "miles"),
    Feature("hour_departures", "int64", "departures scheduled at this airport in this hour"),
    Feature("plane_age", "float32", "years since manufacture; -1 where the plane is not in the register"),
    Feature("seats", "float32", "seats; 0 where the plane is not in the register"),
    Feature("temp", "float32", "°F, last complete hour before the scheduled hour"),
    Feature("dewp", "float32", "dew point in °F"),
    Feature("humid", "float32", "relative humidity in per cent"),
    Feature("wind_dir", "float32", "degrees"),
    Feature("wind_speed", "float32", "miles per hour"),
    Feature("precip", "float32", "inches in the hour"),
    Feature("pressure", "float32", "sea level pressure in millibars"),
    Feature("visib", "float32", "miles, at most 10"),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
STRINGS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.dtype == "string")
NUMBERS: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.dtype != "string")

_POLARS: dict[Dtype, type[pl.DataType]] = {"string": pl.String, "int64": pl.Int64, "float32": pl.Float32}


def expressions() -> list[pl.Expr]:
    """Casts that give a joined frame the types of the schema."""
    return [pl.col(feature.name).cast(_POLARS[feature.dtype]) for feature in FEATURES]


def inputs(frame: pl.DataFrame) -> pd.DataFrame:
    """The feature columns as a pandas frame, in the order of the schema: what scikit-learn and MLflow take."""
    import pandas as pd

    return pd.DataFrame(
        {name: frame[name].to_numpy() if frame.schema[name] != pl.String else frame[name].to_list() for name in NAMES}
    )
