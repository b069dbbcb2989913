"""The pipeline: from the flights of one year to a registered model that was compared with the one in service.

    modelkeel run pipeline.py:flights -p until=2013-03-12T05:00:00Z

Everything is relative to `until`, the moment at which the pipeline is run in simulated time: labels that became known
later are not touched. The ten weeks before it are used: eight to train, the last two to judge.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import data
import features
import measures
import mlflow
import model
import numpy as np
import polars as pl
import policy
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.pipeline import Pipeline

import modelkeel as keel

NAME = "flights"
FIRST_DAY = "2013-03-12T05:00:00Z"


@keel.step
def load(tables: Path) -> pl.DataFrame:
    """Every flight of the year with its inputs, and with its label and the time at which that became known."""
    return data.flights(tables)


@keel.step
def validate(flights: pl.DataFrame) -> pl.DataFrame:
    """The same rows, or an error that names what is wrong with them."""
    problems = []
    if flights["id"].n_unique() != flights.height:
        problems.append("ids repeat")
    problems += [f"{name} is missing" for name in features.NAMES if name not in flights.columns]
    problems += [f"{name} has nulls" for name in features.STRINGS if flights[name].null_count()]
    if flights.filter(pl.col("label_ms") < pl.col("event_ms")).height:
        problems.append("a label is known before its flight was due to leave")
    if problems:
        raise ValueError(f"The flights can't be used: {', '.join(problems)}.")
    return flights


@keel.step
def select(flights: pl.DataFrame, until: str) -> pl.DataFrame:
    """The ten weeks before `until` with the labels known by then; `judge` marks the last two."""
    now = _ms(until)
    start = now - (policy.TRAIN_WEEKS + policy.JUDGE_WEEKS) * policy.WEEK_MS
    split = now - policy.JUDGE_WEEKS * policy.WEEK_MS
    event = pl.col("event_ms")
    rows = flights.filter((event >= start) & (event < now) & (pl.col("label_ms") < now))
    return rows.with_columns((event >= split).alias("judge"))


@keel.step
def train(rows: pl.DataFrame, seed: int) -> Pipeline:
    """The model, fitted on the eight weeks; autolog writes its parameters into the run."""
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, log_post_training_metrics=False, silent=True)
    return model.train(rows.filter(~pl.col("judge")), seed)


@keel.step
def evaluate(fitted: Pipeline, rows: pl.DataFrame) -> dict[str, float]:
    """Quality on the two weeks that it has not seen."""
    metrics = model.evaluate(fitted, rows.filter("judge"))
    mlflow.log_metrics(metrics)
    return metrics


@keel.step(cache=False)
def challenge(fitted: Pipeline, rows: pl.DataFrame) -> dict[str, float]:
    """The comparison with the model in service, on the same two weeks; empty where there is none.

    Days are resampled, not flights, because the flights of a day share its weather.
    """
    version = _champion()
    if version is None:
        return {}
    judged = model.labelled(rows.filter("judge"))
    serving = mlflow.sklearn.load_model(f"models:/{NAME}/{version}")
    truth, new, old = judged["late"].to_numpy(), model.predict(fitted, judged), model.predict(serving, judged)
    day = (judged["event_ms"].to_numpy() - policy.START_MS) // 86_400_000
    gain = measures.gain_by_day(truth, old, new, day)
    metrics = {
        "challenge_auc": measures.auc(truth, new).value,
        "challenge_champion_auc": measures.auc(truth, old).value,
        "challenge_auc_diff_low": gain.low,
    }
    mlflow.log_param("challenge_champion", f"{NAME}/{version}")
    mlflow.log_metrics(metrics)
    frame = features.inputs(judged).assign(late=truth)
    mlflow.log_input(mlflow.data.from_pandas(frame, name="last-two-weeks", targets="late"), context="challenge")
    return metrics


@keel.step
def register(
    fitted: Pipeline, rows: pl.DataFrame, metrics: dict[str, float], compared: dict[str, float]
) -> dict[str, float]:
    """The model in the registry, with the reference that its monitor compares live windows with.

    The reference has every row's inputs. Scores and labels stand only on rows that the model has not seen, so what is
    expected of it is honest.
    """
    judged = rows.filter("judge")
    example = features.inputs(judged.head(200))
    scores = pl.Series("score", model.predict(fitted, rows))
    reference = rows.select(
        *features.NAMES,
        pl.when("judge").then(scores).alias("score"),
        pl.when("judge").then("late").alias("label"),
        pl.col("event_ms").alias("event_time"),
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "reference.parquet"
        reference.write_parquet(path)
        mlflow.log_artifact(str(path))
    mlflow.sklearn.log_model(
        fitted,
        name="model",
        input_example=example,
        signature=mlflow.models.infer_signature(example, np.asarray(fitted.predict(example))),
        registered_model_name=None if _reproduced() else NAME,
        pip_requirements=_requirements(),
        metadata={"held_out": metrics, "challenge": compared},
        serialization_format="cloudpickle",
    )
    return metrics | compared


@keel.pipeline
def flights(until: str = FIRST_DAY, seed: int = 0) -> dict[str, float]:
    """Train on the eight weeks before the last two before `until`, judge on those two, register."""
    tables = keel.data(data.source(), name="nycflights13")
    rows = select(validate(load(tables)), until)
    fitted = train(rows, seed)
    return register(fitted, rows, evaluate(fitted, rows), challenge(fitted, rows))


def _reproduced() -> str | None:
    """The run that this one reruns for comparison, if it does: then nothing is registered again."""
    run = mlflow.active_run()
    return None if run is None else MlflowClient().get_run(run.info.run_id).data.tags.get("modelkeel.reproduces")


def _champion() -> str | None:
    """The version in service; in a rerun, the one that the first run compared itself with."""
    first = _reproduced()
    if first is not None:
        compared = MlflowClient().get_run(first).data.params.get("challenge_champion")
        return None if compared is None else compared.rpartition("/")[2]
    try:
        return str(MlflowClient().get_model_version_by_alias(NAME, "champion").version)
    except MlflowException:
        return None


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("scikit-learn", "numpy", "pandas", "mlflow-skinny")]
