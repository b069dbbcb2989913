"""One trial: a run with the values that were chosen, in this process."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput, KeelError
from modelkeel.sdk.api import Api
from modelkeel.sdk.authoring import Pipeline
from modelkeel.sdk.launch import run as run_pipeline
from modelkeel.sdk.running import seeds

_MLFLOW = "/api/2.0/mlflow"
PARENT = "mlflow.parentRunId"
TAG = "modelkeel.trial"
Report = Callable[[float, int], bool]
"""Takes an intermediate value and its step, and says whether the trial is to end."""


class Pruned(KeyboardInterrupt):
    """A trial was ended because others did better by then; code that catches failures does not catch it."""


class Asked(msgspec.Struct, frozen=True):
    """What a process that runs a trial is told.

    Attributes:
        number: of the trial, from 0.
        params: all arguments.
        seed: of the sweep.
        parent: the sweep's run.
        experiment: its name.
        metric: by which trials are judged; empty: by what the target returns.
    """

    number: int
    params: dict[str, Any]
    seed: int
    parent: str
    experiment: str
    metric: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """What became of a trial.

    Attributes:
        state: `complete`, `pruned` or `failed`.
        value: of a complete one.
        run_id: its run, if there was one.
        error: of a failed one.
    """

    state: str
    value: float | None = None
    run_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Current:
    api: Api
    report: Report
    name: str
    run_id: str


_NOW: ContextVar[_Current | None] = ContextVar("keel_trial", default=None)


def report(value: float, step: int) -> None:
    """Tells how a trial does so far; one that does worse than others did by that step ends here.

    Outside of a sweep nothing happens.

    Args:
        value: of what the sweep optimises.
        step: how far the trial is: an epoch, a fold.

    Raises:
        Pruned: the trial ends.
    """
    now = _NOW.get()
    if now is not None and now.report(float(value), int(step)):
        raise Pruned


def run_trial(api: Api, target: Any, asked: Asked, heard: Report) -> Ended:
    """Runs one trial; whatever happens is what became of it.

    Args:
        api: the server.
        target: a pipeline or a function.
        asked: with what.
        heard: takes intermediate values.
    """
    try:
        if isinstance(target, Pipeline):
            return _pipeline(api, target, asked, heard)
        return _function(api, target, asked, heard)
    except Pruned:
        return Ended("pruned")
    except KeelError as error:
        return Ended("failed", error=str(error))


def note(api: Api, run_id: str, asked: Asked, ended: Ended) -> None:
    """Writes beside a run which trial it was, by which a sweep is resumed."""
    told = {"number": asked.number, "params": asked.params, "state": ended.state, "value": ended.value}
    for key, value in ((PARENT, asked.parent), (TAG, msgspec.json.encode(told).decode())):
        api.post(f"{_MLFLOW}/runs/set-tag", {"run_id": run_id, "key": key, "value": value})


@contextmanager
def _inside(current: _Current) -> Iterator[None]:
    token = _NOW.set(current)
    try:
        yield
    finally:
        _NOW.reset(token)


def _pipeline(api: Api, target: Pipeline[..., Any], asked: Asked, heard: Report) -> Ended:
    opened: list[str] = []

    def began(run_id: str) -> None:
        opened.append(run_id)
        note(api, run_id, asked, Ended("running"))

    try:
        with _inside(_Current(api, heard, asked.metric, "")):
            result = run_pipeline(
                target,
                asked.params,
                seed=asked.seed,
                experiment=asked.experiment,
                api=api,
                opened=began,
                hear=lambda _name, _text: None,
            )
        ended = _judged(api, asked, result.output, result.run_id)
    except Pruned:
        ended = Ended("pruned", run_id=opened[-1] if opened else "")
    except Exception as error:  # noqa: BLE001 - one trial's failure is its own
        ended = Ended("failed", run_id=opened[-1] if opened else "", error=f"{type(error).__name__}: {error}")
    if ended.run_id:
        note(api, ended.run_id, asked, ended)
    return ended


def _function(api: Api, target: Callable[..., Any], asked: Asked, heard: Report) -> Ended:
    import mlflow

    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines for each trial
    mlflow.set_tracking_uri(api.url)
    mlflow.set_experiment(asked.experiment)
    tags = {PARENT: asked.parent}
    with mlflow.start_run(run_name=f"trial {asked.number}", nested=True, tags=tags) as active:
        run_id = active.info.run_id
        mlflow.log_params(asked.params)
        seeds.set_seeds(seeds.seed_of(asked.seed, f"trial {asked.number}"))

        def told(value: float, step: int) -> bool:
            mlflow.log_metric(asked.metric or "value", value, step=step)
            return heard(value, step)

        status = "FINISHED"
        try:
            with _inside(_Current(api, told, asked.metric, run_id)):
                output = target(**asked.params)
            if not asked.metric and _is_number(output):
                mlflow.log_metric("value", float(output))
            mlflow.flush_async_logging()
            ended = _judged(api, asked, output, run_id)
        except Pruned:
            status, ended = "KILLED", Ended("pruned", run_id=run_id)
        except Exception as error:  # noqa: BLE001 - as above
            status, ended = "FAILED", Ended("failed", run_id=run_id, error=f"{type(error).__name__}: {error}")
        note(api, run_id, asked, ended)
        mlflow.end_run(status)
    return ended


def _judged(api: Api, asked: Asked, output: Any, run_id: str) -> Ended:
    value = output
    if asked.metric:
        metrics: Mapping[str, Any] = api.get(f"/api/v1/runs/{run_id}")["metrics"]
        if asked.metric not in metrics:
            names = ", ".join(sorted(metrics)) or "none"
            raise InvalidInput(f"The trial logged no metric {asked.metric!r}.", hint=f"It logged {names}.")
        value = metrics[asked.metric]["value"]
    if not _is_number(value):
        raise InvalidInput(
            f"A trial returns a number, not {value!r}.", hint="Or name the metric that it logs: metric='accuracy'."
        )
    number = float(value)
    if math.isnan(number):
        raise InvalidInput("The trial came to NaN.")
    return Ended("complete", number, run_id)


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str | bytes)
