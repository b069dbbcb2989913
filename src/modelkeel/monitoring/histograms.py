"""Bins fixed by the reference, and counts in them.

Counts merge by addition, so a window costs the same whatever its traffic.

A column's counts are one array: a count for each bin, then one for missing values. Numbers get ten quantile bins of the
reference (or one bin a value, where an integer column has few); texts and booleans get one bin a category of the
reference and one for all others.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from modelkeel.core import lazy_numpy as np
from modelkeel.core import lazy_polars as pl
from modelkeel.core.lazy_numpy import Floats, Ints

QUANTILE_BINS = 10
FEW_VALUES = 20
MOST_CATEGORIES = 100
Counts = Ints


class NumberBins(msgspec.Struct, frozen=True, tag="number"):
    """Bins (-∞, e₁), [e₁, e₂), …, [eₖ, ∞) between ascending edges."""

    edges: list[float]

    @property
    def size(self) -> int:
        """How many bins, without the one for missing values."""
        return len(self.edges) + 1

    def labels(self) -> list[str]:
        """The bins in words."""
        texts = [f"{edge:.6g}" for edge in self.edges]
        if not texts:
            return ["any"]
        between = [f"{low} to {high}" for low, high in pairwise(texts)]
        return [f"below {texts[0]}", *between, f"{texts[-1]} and above"]


class CategoryBins(msgspec.Struct, frozen=True, tag="category"):
    """One bin for each named category, the last for all others."""

    values: list[str]

    @property
    def size(self) -> int:
        """How many bins, without the one for missing values."""
        return len(self.values) + 1

    def labels(self) -> list[str]:
        """The bins in words."""
        return [*self.values, "others"]


Bins = NumberBins | CategoryBins


def is_number(series: pl.Series) -> bool:
    """Whether a column is binned by value."""
    return series.dtype.is_numeric()


def is_watched(series: pl.Series) -> bool:
    """Whether a column can be binned at all: numbers, texts, categories and booleans."""
    return series.dtype.is_numeric() or series.dtype in {pl.String, pl.Boolean, pl.Categorical, pl.Enum}


def fit_bins(series: pl.Series) -> Bins:
    """The bins of a reference column."""
    if not is_number(series):
        counted = _texts(series).drop_nulls().value_counts(sort=True, name="n").head(MOST_CATEGORIES)
        return CategoryBins(sorted(counted[counted.columns[0]].to_list()))
    values = _numbers(series)
    values = values[np.isfinite(values)]
    if series.dtype.is_integer() or _whole(values):
        distinct = np.unique(values[: 100 * FEW_VALUES])
        if len(distinct) <= FEW_VALUES:
            distinct = np.unique(values)
        if len(distinct) <= FEW_VALUES:
            return NumberBins([float(v) for v in distinct[1:]])
    if not len(values):
        return NumberBins([])
    quantiles = np.quantile(values, np.linspace(0, 1, QUANTILE_BINS + 1)[1:-1])
    edges = np.unique(quantiles)
    # An edge at the minimum would leave the first bin empty for ever.
    return NumberBins([float(e) for e in edges if e > values.min()])


def count(bins: Bins, series: pl.Series) -> Counts:
    """Counts of a column's values in bins, the missing last; NaN counts as missing."""
    if isinstance(bins, NumberBins):
        values = _numbers(series)
        missing = int(np.count_nonzero(np.isnan(values)))
        # One comparison with each of the few edges is several times faster than a search for each value.
        above = [len(values) - missing, *(int(np.count_nonzero(values >= edge)) for edge in bins.edges), 0]
        return np.array([*(-np.diff(above)), missing], dtype=np.int64)
    found = np.zeros(bins.size + 1, dtype=np.int64)
    at = {value: i for i, value in enumerate(bins.values)}
    counted = _texts(series).value_counts(name="n")
    for value, number in counted.iter_rows():
        found[bins.size if value is None else at.get(value, bins.size - 1)] += number
    return found


def shares(counts: Counts) -> Floats:
    """Counts as shares of their sum; all zero without any."""
    total = counts.sum()
    return counts / total if total else counts.astype(np.float64)


def table(bins: Bins, reference: Counts, current: Counts) -> dict[str, Any]:
    """Both histograms side by side, as evidence."""
    return {
        "bins": [*bins.labels(), "missing"],
        "reference": [int(c) for c in reference],
        "current": [int(c) for c in current],
    }


def _numbers(series: pl.Series) -> Floats:
    if series.dtype == pl.Boolean or not series.dtype.is_numeric():
        series = series.cast(pl.Float64, strict=False)
    return series.cast(pl.Float64).to_numpy()


def _whole(values: Floats) -> bool:
    head = values[: 100 * FEW_VALUES]
    return len(np.unique(head)) <= FEW_VALUES and bool(np.all(head == np.floor(head)))


def _texts(series: pl.Series) -> pl.Series:
    return series.cast(pl.String, strict=False)
