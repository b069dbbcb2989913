"""The flight example: real data, no future in the features, a model that repeats itself and compiles."""

from __future__ import annotations

import data
import features
import measures
import model
import numpy as np
import polars as pl
import policy
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline


@pytest.fixture(scope="module")
def flights() -> pl.DataFrame:
    return data.flights()


@pytest.fixture(scope="module")
def training(flights: pl.DataFrame) -> pl.DataFrame:
    return policy.known(policy.weeks(flights, 0, 3), 3)


@pytest.fixture(scope="module")
def fitted(training: pl.DataFrame) -> Pipeline:
    return model.train(training)


def test_every_flight_is_there_in_order(flights: pl.DataFrame) -> None:
    assert flights.height == 336_776 == flights["id"].n_unique()
    assert flights["event_ms"].is_sorted()
    assert flights.select(features.NAMES).null_count().sum_horizontal().item() == 0
    assert flights["late"].null_count() == flights["label_ms"].null_count() == 9430


def test_a_known_flight(flights: pl.DataFrame) -> None:
    # UA 1545, EWR to Houston: due 05:15 (10:15 UTC), left 05:17, arrived 08:30 Central, that is 14:30 UTC, 11 min late.
    row = flights.row(by_predicate=pl.col("id") == "20130101-UA1545-EWR-0515", named=True)
    assert row["event_ms"] == 1_357_035_300_000
    assert row["label_ms"] == 1_357_050_600_000
    assert (row["late"], row["sched_minute"], row["weekday"]) == (0, 315, 2)


def test_labels_come_after_the_flight_and_weather_before(flights: pl.DataFrame) -> None:
    labelled = model.labelled(flights)
    early = labelled.filter(pl.col("label_ms") <= pl.col("event_ms"))
    assert early.height == 0
    # The wait for a label is a flight's length plus its delay: to Boston it is short, to Honolulu it takes ten hours.
    waits = labelled.select(((pl.col("label_ms") - pl.col("event_ms")) / 60_000).alias("wait"), "distance")
    assert 40 < waits.filter(pl.col("distance") < 190)["wait"].median() < 120
    assert 580 < waits.filter(pl.col("distance") > 4900)["wait"].median() < 720
    weather = data._table("weather").filter(pl.col("origin") == "EWR", pl.col("time_hour") == "2013-01-01T09:00:00Z")
    flight = flights.row(by_predicate=pl.col("id") == "20130101-UA1545-EWR-0515", named=True)
    assert flight["wind_speed"] == pytest.approx(weather["wind_speed"].item(), rel=1e-6)


def test_cancelled_flights_are_kept_but_not_trained_on(training: pl.DataFrame, flights: pl.DataFrame) -> None:
    assert training["late"].null_count() == 0
    assert policy.weeks(flights, 0, 3).height > training.height


def test_training_repeats_itself_and_learns(training: pl.DataFrame, fitted: Pipeline, flights: pl.DataFrame) -> None:
    later = policy.weeks(flights, 3, 4)
    assert np.array_equal(model.predict(fitted, later), model.predict(model.train(training), later))
    found = model.evaluate(fitted, later)
    assert found["n"] == model.labelled(later).height
    assert 0.6 < found["auc"] < 0.8


def test_the_onnx_model_agrees_on_later_flights(fitted: Pipeline, flights: pl.DataFrame) -> None:
    import onnxruntime
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    types = {"string": StringTensorType, "int64": Int64TensorType, "float32": FloatTensorType}
    declared = [(feature.name, types[feature.dtype]([None, 1])) for feature in features.FEATURES]
    compiled = to_onnx(fitted, initial_types=declared, options={"zipmap": False}, target_opset=18)
    session = onnxruntime.InferenceSession(compiled.SerializeToString(), providers=["CPUExecutionProvider"])
    later = policy.weeks(flights, 3, 20)
    columns = {name: later[name].to_numpy() for name in features.NAMES}
    fed = {n: (c.astype(object) if n in features.STRINGS else c).reshape(-1, 1) for n, c in columns.items()}
    labels, chances = session.run(None, fed)
    table = features.inputs(later)
    assert np.array_equal(labels, fitted.predict(table))
    assert np.abs(chances - fitted.predict_proba(table)).max() < 1e-5


def test_auc_is_the_known_one_and_its_interval_covers() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 400)
    score = np.round(truth + generator.normal(0, 1.5, 400), 1)  # rounded, so that scores tie
    assert measures.auc(truth, score).value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    covered = 0
    for _ in range(300):
        truth = generator.integers(0, 2, 300)
        found = measures.auc(truth, truth + generator.normal(0, 1, 300))
        covered += found.low <= 0.760250 <= found.high  # P(N(1, 2) > 0) = Phi(1/sqrt 2)
    assert 0.91 < covered / 300 < 0.985


def test_gain_is_zero_for_the_same_scores_and_positive_for_better_ones() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 2, 2000)
    day = np.arange(2000) // 200
    poor, good = truth + generator.normal(0, 3, 2000), truth + generator.normal(0, 1, 2000)
    assert measures.gain_by_day(truth, poor, poor, day) == measures.Estimate(0.0, 0.0, 0.0)
    assert measures.gain_by_day(truth, poor, good, day).low > 0.05


def test_psi_of_known_shares() -> None:
    # Shares 1/2 and 1/2 against 1/4 and 3/4: (1/4 - 1/2) ln(1/2) + (3/4 - 1/2) ln(3/2) = 0.27465.
    assert measures.psi_texts(["a", "b"] * 8, ["a", "b", "b", "b"] * 4) == pytest.approx(0.274653, abs=1e-6)
    numbers = np.linspace(0, 1, 1000)
    assert measures.psi_numbers(numbers, numbers) == 0
    assert measures.psi_numbers(numbers, numbers + 0.3) > policy.MIN_PSI


def test_a_gain_within_chance_or_too_small_is_refused(fitted: Pipeline, training: pl.DataFrame) -> None:
    def promote(value: float, low: float) -> bool:
        return policy.Verdict(fitted, training, measures.Estimate(value, low, 0.2)).promote

    assert promote(0.04, 0.01)
    assert not promote(0.04, -0.01)
    assert not promote(0.005, 0.001)
