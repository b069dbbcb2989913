"""The classifier: will this flight arrive more than 15 minutes late?

Gradient boosting on one-hot text columns and plain numbers. Trees compare `float32` inputs with thresholds and nothing
is scaled before them, so the compiled ONNX model takes the same branches as scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import features
import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARAMETERS = {
    "n_estimators": 100,
    "learning_rate": 0.1,
    "max_depth": 4,
    "subsample": 0.5,
    "max_features": 0.3,
    "min_samples_leaf": 50,
}


def labelled(frame: pl.DataFrame) -> pl.DataFrame:
    """Only the flights that have a label: cancelled and diverted ones have none."""
    return frame.filter(pl.col("late").is_not_null())


def train(frame: pl.DataFrame, seed: int = 0) -> Pipeline:
    """Fit the pipeline on every labelled row.

    The fit runs on one thread; the same rows in the same order and the same seed give the same model, bit for bit.

    Args:
        frame: Rows of `data.flights()`, at least one late and one on time.
        seed: Seed of the row and column sampling.
    """
    rows = labelled(frame)
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    columns = ColumnTransformer(
        [("text", encode, list(features.STRINGS)), ("number", "passthrough", list(features.NUMBERS))]
    )
    pipeline = Pipeline([("columns", columns), ("trees", GradientBoostingClassifier(random_state=seed, **PARAMETERS))])
    return pipeline.fit(features.inputs(rows), rows["late"].to_numpy())


def predict(model: Pipeline, frame: pl.DataFrame) -> NDArray[np.float64]:
    """Probability that each flight arrives late."""
    return np.asarray(model.predict_proba(features.inputs(frame))[:, 1], dtype=np.float64)


def evaluate(model: Pipeline, frame: pl.DataFrame) -> dict[str, float]:
    """Quality on the labelled rows of a frame.

    Returns:
        `auc`, `log_loss` (nats), `brier`, `accuracy` at a probability of 0.5, and `n`, the number of labelled rows.
    """
    rows = labelled(frame)
    truth, chance = rows["late"].to_numpy(), predict(model, rows)
    return {
        "auc": float(roc_auc_score(truth, chance)),
        "log_loss": float(log_loss(truth, chance)),
        "brier": float(brier_score_loss(truth, chance)),
        "accuracy": float(np.mean((chance >= 0.5) == truth)),
        "n": float(len(truth)),
    }
