# ruff: noqa: D101 - a message of the protocol is named after what it carries
"""Requests of the protocol: field names as on the wire, unset ones at their defaults."""

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.tracking.models import Lifecycle, Metric, RunStatus
from modelkeel.tracking.rules import PARAM_LENGTH, TAG_LENGTH


class KeyValue(msgspec.Struct, gc=False):
    """A tag or param."""

    key: str = ""
    value: str = ""


class ExperimentName(msgspec.Struct):
    experiment_name: str = ""


class CreateExperiment(msgspec.Struct):
    name: str = ""
    artifact_location: str = ""
    tags: list[KeyValue] = []


class Search(msgspec.Struct):
    """The common part of searches; on GET all of it comes as query parameters."""

    max_results: int | None = None
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: str | int = "ACTIVE_ONLY"


class ExperimentId(msgspec.Struct):
    experiment_id: str = ""


class SearchDatasets(msgspec.Struct):
    experiment_ids: list[str] = []


class UpdateExperiment(msgspec.Struct):
    experiment_id: str = ""
    new_name: str = ""


class ExperimentTag(msgspec.Struct):
    experiment_id: str = ""
    key: str = ""
    value: str = ""


class CreateRun(msgspec.Struct):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: int | None = None
    tags: list[KeyValue] = []


class RunId(msgspec.Struct):
    run_id: str = ""
    run_uuid: str = ""

    @property
    def id(self) -> str:
        """The run's id, under either of its names."""
        return self.run_id or self.run_uuid


class UpdateRun(RunId):
    status: str | int | None = None
    end_time: int | None = None
    run_name: str = ""


class LogMetric(RunId):
    key: str = ""
    value: float | None = None
    timestamp: int | None = None
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class RunKeyValue(RunId):
    """`log-parameter`, `set-tag` and `delete-tag`."""

    key: str = ""
    value: str = ""


class LogModel(RunId):
    """`log-model` of clients before 3.0."""

    model_json: str = ""


class LogBatch(RunId):
    """Metrics are decoded as they are stored; a value may be a number or `"NaN"`, `"Infinity"`, `"-Infinity"`."""

    metrics: list[Metric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class WireDataset(msgspec.Struct):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class WireDatasetInput(msgspec.Struct):
    tags: list[KeyValue] = []
    dataset: WireDataset | None = None


class WireModelInput(msgspec.Struct):
    model_id: str = ""


class WireModelOutput(msgspec.Struct):
    model_id: str = ""
    step: int = 0


class LogInputs(RunId):
    datasets: list[WireDatasetInput] = []
    models: list[WireModelInput] = []


class LogOutputs(RunId):
    models: list[WireModelOutput] = []


class SearchRuns(msgspec.Struct):
    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str | int = "ACTIVE_ONLY"
    max_results: int | None = None
    order_by: list[str] = []
    page_token: str = ""


class MetricHistory(RunId):
    metric_key: str = ""
    page_token: str = ""
    max_results: int | None = None


class ListArtifacts(RunId):
    path: str = ""
    page_token: str = ""


class Path(msgspec.Struct):
    path: str = ""


class CreateLoggedModel(msgspec.Struct):
    experiment_id: str = ""
    name: str | None = None
    model_type: str = ""
    source_run_id: str = ""
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class LoggedModelId(msgspec.Struct):
    model_id: str = ""
    allow_deleted: str | bool = False


class FinalizeLoggedModel(msgspec.Struct):
    model_id: str = ""
    status: str | int | None = None


class LoggedModelTags(msgspec.Struct):
    model_id: str = ""
    tags: list[KeyValue] = []


class LoggedModelTagKey(msgspec.Struct):
    model_id: str = ""
    tag_key: str = ""


class LoggedModelParams(msgspec.Struct):
    model_id: str = ""
    params: list[KeyValue] = []


class LoggedModelFolder(msgspec.Struct):
    model_id: str = ""
    artifact_directory_path: str = ""


class WireOrder(msgspec.Struct):
    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class DatasetFilter(msgspec.Struct):
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchLoggedModels(msgspec.Struct):
    experiment_ids: list[str] = []
    filter: str = ""
    datasets: list[DatasetFilter] = []
    max_results: int | None = None
    order_by: list[WireOrder] = []
    page_token: str = ""


class CreateRegisteredModel(msgspec.Struct):
    name: str = ""
    tags: list[KeyValue] = []
    description: str = ""


class ModelName(msgspec.Struct):
    name: str = ""


class RenameModel(msgspec.Struct):
    name: str = ""
    new_name: str = ""


class DescribeModel(msgspec.Struct):
    name: str = ""
    description: str = ""


class LatestVersions(msgspec.Struct):
    name: str = ""
    stages: list[str] = []


class ModelTag(msgspec.Struct):
    name: str = ""
    key: str = ""
    value: str = ""


class Alias(msgspec.Struct):
    name: str = ""
    alias: str = ""
    version: str = ""


class CreateVersion(msgspec.Struct):
    name: str = ""
    source: str = ""
    run_id: str = ""
    tags: list[KeyValue] = []
    run_link: str = ""
    description: str = ""
    model_id: str = ""


class VersionId(msgspec.Struct):
    name: str = ""
    version: str = ""


class DescribeVersion(VersionId):
    description: str = ""


class VersionTag(VersionId):
    key: str = ""
    value: str = ""


class TransitionStage(VersionId):
    stage: str = ""
    archive_existing_versions: bool = False


def pairs(items: list[KeyValue]) -> dict[str, str]:
    """Keys and values; of a repeated key the last counts."""
    return {item.key: item.value for item in items}


def params(items: list[KeyValue]) -> dict[str, str]:
    """Params, cut to the longest value that is kept: stock servers do so, and users' runs rely on it."""
    return {item.key: item.value[:PARAM_LENGTH] for item in items}


def tags(items: list[KeyValue]) -> dict[str, str]:
    """Tags of runs and logged models, cut like params."""
    return {item.key: item.value[:TAG_LENGTH] for item in items}


def lifecycles(view: str | int) -> tuple[Lifecycle, ...]:
    """MLflow's view type, by name or number."""
    name = {1: "ACTIVE_ONLY", 2: "DELETED_ONLY", 3: "ALL"}.get(int(view)) if str(view).isdigit() else str(view)
    if name == "ACTIVE_ONLY":
        return (Lifecycle.ACTIVE,)
    if name == "DELETED_ONLY":
        return (Lifecycle.DELETED,)
    if name == "ALL":
        return (Lifecycle.ACTIVE, Lifecycle.DELETED)
    raise InvalidInput(f"Invalid value '{view}' for parameter 'view_type' supplied.")


def run_status(status: str | int) -> RunStatus:
    """MLflow's run status, by name or number."""
    numbers = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
    name = str(status)
    if name.isdigit() and 1 <= int(name) <= len(numbers):
        name = numbers[int(name) - 1]
    try:
        return RunStatus(name)
    except ValueError:
        raise InvalidInput(f"Invalid value '{status}' for parameter 'status' supplied.") from None


def page_size(asked: int | None, default: int, most: int) -> int:
    """How many results a page holds.

    Raises:
        InvalidInput: not positive, or more than the limit.
    """
    size = default if asked is None else asked
    if size > most:
        raise InvalidInput(
            f"Invalid value {size} for parameter 'max_results' supplied. It must be at most {most}, but got value "
            f"{size}. See the API docs for more information about request parameters."
        )
    if size <= 0:
        raise InvalidInput(
            f"Invalid value {size} for parameter 'max_results' supplied. It must be a positive integer, but got value "
            f"{size}."
        )
    return size
