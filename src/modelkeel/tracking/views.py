"""Tracking's answers under `/api/v1`: times are RFC 3339, a NaN is null."""

import math
from typing import Any

import msgspec

from modelkeel.core.clock import rfc3339
from modelkeel.tracking.models import DatasetInput, Experiment, LoggedModel, ModelOutput, Run


class ExperimentView(msgspec.Struct, frozen=True):
    """An experiment."""

    id: str
    name: str
    lifecycle: str
    created: str
    updated: str
    tags: dict[str, str]


class ExperimentPage(msgspec.Struct, frozen=True):
    """Some experiments; `next` is the token of the next page, or null."""

    experiments: list[ExperimentView]
    next: str | None


class RunRow(msgspec.Struct, frozen=True):
    """A run in a list, with the columns that were asked for: `metrics.auc`, `params.C`, `tags.team`."""

    id: str
    experiment: str
    name: str
    user: str
    status: str
    started: str
    ended: str | None
    values: dict[str, Any]


class RunPage(msgspec.Struct, frozen=True):
    """Some runs; `next` is the token of the next page, or null."""

    runs: list[RunRow]
    next: str | None


class MetricView(msgspec.Struct, frozen=True):
    """The latest point of a metric."""

    value: float | None
    step: int
    time: str


class RunView(msgspec.Struct, frozen=True):
    """A run with everything that was logged to it, series and files apart."""

    id: str
    experiment: str
    name: str
    user: str
    status: str
    lifecycle: str
    started: str
    ended: str | None
    seal: str | None
    params: dict[str, str]
    metrics: dict[str, MetricView]
    tags: dict[str, str]
    inputs: list[DatasetInput]
    model_inputs: list[str]
    model_outputs: list[ModelOutput]
    artifact_uri: str


class LoggedModelView(msgspec.Struct, frozen=True):
    """A logged model."""

    id: str
    experiment: str
    name: str
    status: str
    model_type: str
    source_run: str
    created: str
    updated: str
    params: dict[str, str]
    tags: dict[str, str]
    artifact_uri: str


def experiment_view(found: Experiment) -> ExperimentView:
    """An experiment under `/api/v1`."""
    times = rfc3339(found.created), rfc3339(found.updated)
    return ExperimentView(found.id, found.name, found.lifecycle, *times, found.tags)


def run_row(run: Run, columns: list[str]) -> RunRow:
    """A run with some columns; all its metrics and params if none are named."""
    wanted = columns or [*(f"metrics.{key}" for key in run.metrics), *(f"params.{key}" for key in run.params)]
    values = {column: value for column in wanted if (value := _column(run, column)) is not None}
    return RunRow(
        run.id, run.experiment_id, run.name, run.user, run.status, rfc3339(run.started), _time(run.ended), values
    )


def run_view(run: Run) -> RunView:
    """A run under `/api/v1`."""
    return RunView(
        run.id,
        run.experiment_id,
        run.name,
        run.user,
        run.status,
        run.lifecycle,
        rfc3339(run.started),
        _time(run.ended),
        run.seal,
        run.params,
        {m.key: MetricView(_finite(m.value), m.step, rfc3339(m.timestamp)) for m in run.metrics.values()},
        run.tags,
        run.inputs,
        run.model_inputs,
        run.model_outputs,
        run.artifact_uri,
    )


def logged_model_view(model: LoggedModel) -> LoggedModelView:
    """A logged model under `/api/v1`."""
    return LoggedModelView(
        model.id,
        model.experiment_id,
        model.name,
        model.status,
        model.model_type,
        model.source_run,
        rfc3339(model.created),
        rfc3339(model.updated),
        model.params,
        model.tags,
        model.artifact_uri,
    )


def _column(run: Run, column: str) -> float | str | None:
    kind, _, key = column.partition(".")
    if kind == "metrics":
        point = run.metrics.get(key)
        return None if point is None else _finite(point.value)
    return (run.params if kind == "params" else run.tags).get(key)


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _time(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
