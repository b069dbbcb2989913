# ruff: noqa: D101 - a message of the protocol is named after what it carries
"""Answers of the protocol: snake case, unset fields left out, int64 as numbers, NaN as `"NaN"`."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from modelkeel.protocols.mlflow.messages import KeyValue
from modelkeel.registry.models import ModelVersion, RegisteredModel
from modelkeel.tracking.models import (
    DatasetInput,
    DatasetUse,
    Experiment,
    ListedArtifact,
    LoggedModel,
    Metric,
    Run,
)


class Answer(msgspec.Struct, omit_defaults=True, gc=False):
    """The base of all answers: fields at their defaults are left out.

    None is part of itself, so the garbage collector need not look at the thousands that a page is made of.
    """


class AnswerMetric(Answer):
    key: str
    value: float | str
    timestamp: int
    step: int | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    model_id: str | None = None
    run_id: str | None = None


class AnswerExperiment(Answer):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[KeyValue] = []


class OneExperiment(Answer):
    experiment: AnswerExperiment


class ExperimentCreated(Answer):
    experiment_id: str


class ManyExperiments(Answer):
    experiments: list[AnswerExperiment] = []
    next_page_token: str | None = None


class ManyDatasetUses(Answer):
    dataset_summaries: list[DatasetUse] = []


class RunInfo(Answer):
    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    artifact_uri: str
    lifecycle_stage: str
    end_time: int | None = None


class RunData(Answer):
    metrics: list[AnswerMetric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class AnswerDataset(Answer):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class AnswerDatasetInput(Answer):
    dataset: AnswerDataset
    tags: list[KeyValue] = []


class AnswerModelInput(Answer):
    model_id: str


class AnswerModelOutput(Answer):
    model_id: str
    step: int | None = None


class RunInputs(Answer):
    dataset_inputs: list[AnswerDatasetInput] = []
    model_inputs: list[AnswerModelInput] = []


class RunOutputs(Answer):
    model_outputs: list[AnswerModelOutput] = []


class AnswerRun(Answer):
    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs


class OneRun(Answer):
    run: AnswerRun


class OneRunInfo(Answer):
    run_info: RunInfo


class ManyRuns(Answer):
    runs: list[AnswerRun] = []
    next_page_token: str | None = None


class ManyMetrics(Answer):
    metrics: list[AnswerMetric] = []
    next_page_token: str | None = None


class FileInfo(Answer):
    path: str
    is_dir: bool | None = None
    file_size: int | None = None


class ManyFiles(Answer):
    root_uri: str | None = None
    files: list[FileInfo] = []


class LoggedModelInfo(Answer):
    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str | None = None
    source_run_id: str | None = None
    tags: list[KeyValue] = []


class LoggedModelData(Answer):
    params: list[KeyValue] = []
    metrics: list[AnswerMetric] = []


class AnswerLoggedModel(Answer):
    info: LoggedModelInfo
    data: LoggedModelData


class OneLoggedModel(Answer):
    model: AnswerLoggedModel


class ManyLoggedModels(Answer):
    models: list[AnswerLoggedModel] = []
    next_page_token: str | None = None


class AnswerAlias(Answer):
    alias: str
    version: str


class AnswerVersion(Answer):
    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    current_stage: str | None
    source: str
    status: str | None
    user_id: str | None = None
    description: str | None = None
    run_id: str | None = None
    run_link: str | None = None
    model_id: str | None = None
    tags: list[KeyValue] = []
    aliases: list[str] = []


class AnswerModel(Answer):
    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str | None = None
    description: str | None = None
    latest_versions: list[AnswerVersion] = []
    tags: list[KeyValue] = []
    aliases: list[AnswerAlias] = []


class OneModel(Answer):
    registered_model: AnswerModel


class ManyModels(Answer):
    registered_models: list[AnswerModel] = []
    next_page_token: str | None = None


class OneVersion(Answer):
    model_version: AnswerVersion


class ManyVersions(Answer):
    model_versions: list[AnswerVersion] = []
    next_page_token: str | None = None


class DownloadUri(Answer):
    artifact_uri: str


def items(values: dict[str, str]) -> list[KeyValue]:
    """Tags or params as a list."""
    return [KeyValue(key, value) for key, value in values.items()]


def experiment(found: Experiment) -> AnswerExperiment:
    """An experiment on the wire."""
    return AnswerExperiment(
        found.id, found.name, found.artifact_uri, found.lifecycle, found.updated, found.created, items(found.tags)
    )


def metric(point: Metric, run_id: str | None = None) -> AnswerMetric:
    """A metric point on the wire."""
    value = "NaN" if math.isnan(point.value) else point.value
    return AnswerMetric(
        point.key, value, point.timestamp, point.step, point.dataset_name, point.dataset_digest, point.model_id, run_id
    )


def run_info(found: Run) -> RunInfo:
    """A run's head on the wire."""
    return RunInfo(
        found.id,
        found.id,
        found.name,
        found.experiment_id,
        found.user,
        found.status,
        found.started,
        found.artifact_uri,
        found.lifecycle,
        found.ended,
    )


def run(found: Run) -> AnswerRun:
    """A run on the wire."""
    return AnswerRun(
        run_info(found),
        RunData([metric(point) for point in found.metrics.values()], items(found.params), items(found.tags)),
        RunInputs([_dataset(item) for item in found.inputs], [AnswerModelInput(model) for model in found.model_inputs]),
        RunOutputs([AnswerModelOutput(model.model_id, model.step) for model in found.model_outputs]),
    )


def _dataset(item: DatasetInput) -> AnswerDatasetInput:
    data = AnswerDataset(item.name, item.digest, item.source_type, item.source, item.schema, item.profile)
    return AnswerDatasetInput(data, items(item.tags))


def files(listed: Iterable[ListedArtifact], root_uri: str | None = None, *, names_only: bool = False) -> ManyFiles:
    """A folder on the wire; the proxy names files by their last part only."""
    return ManyFiles(
        root_uri,
        [FileInfo(f.path.rpartition("/")[2] if names_only else f.path, f.is_dir, f.size) for f in listed],
    )


def logged_model(found: LoggedModel) -> AnswerLoggedModel:
    """A logged model on the wire."""
    info = LoggedModelInfo(
        found.id,
        found.experiment_id,
        found.name,
        found.created,
        found.updated,
        found.artifact_uri,
        found.status,
        found.model_type or None,
        found.source_run or None,
        items(found.tags),
    )
    points = [metric(point, run_id) for run_id, point in found.metrics]
    return AnswerLoggedModel(info, LoggedModelData(items(found.params), points))


def version(found: ModelVersion) -> AnswerVersion:
    """A model version on the wire."""
    return AnswerVersion(
        found.name,
        str(found.version),
        found.created,
        found.updated,
        found.stage,
        found.source,
        "READY",
        found.user or None,
        found.description or None,
        found.run_id or None,
        found.run_link or None,
        found.logged_model_id or None,
        items(found.tags),
        found.aliases,
    )


def model(found: RegisteredModel, latest: Sequence[ModelVersion] = ()) -> AnswerModel:
    """A registered model on the wire, with the highest version of each stage."""
    return AnswerModel(
        found.name,
        found.created,
        found.updated,
        found.user or None,
        found.description or None,
        [version(one) for one in latest],
        items(found.tags),
        [AnswerAlias(alias, str(number)) for alias, number in found.aliases.items()],
    )
