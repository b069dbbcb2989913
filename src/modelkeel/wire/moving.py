"""What is moved between a source and a server: experiments, runs, points, files, models and versions, one item each.

Ids in an item are the source's. The server says in an `Outcome` which ids the things have there.
"""

from typing import Literal

import msgspec

from modelkeel.wire.moving_traces import EvaluationItem, RecordsItem, SpansItem, TraceItem

Owner = Literal["run", "logged_model"]
Whole = Literal["run", "logged_model", "trace", "evaluation_dataset"]


class FileItem(msgspec.Struct, frozen=True):
    """A file by its path, its content's SHA-256 and its size in bytes."""

    path: str
    digest: str
    size: int


class DatasetItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A data set that a run read, as MLflow describes it."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = {}


class OutputItem(msgspec.Struct, frozen=True):
    """A logged model that a run made, at a step."""

    model: str
    step: int = 0


class ModelPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A point that measures a logged model; a value of None is NaN."""

    run: str
    key: str
    step: int
    time: int
    value: float | None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class ExperimentItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="experiment"):
    """An experiment. `default` says that it is the source's Default, whatever its id."""

    id: str
    name: str
    lifecycle: Literal["active", "deleted"] = "active"
    created: int = 0
    updated: int = 0
    tags: dict[str, str] = {}
    default: bool = False


class RunItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="run"):
    """A run without its points and files. Times are milliseconds since 1970 by the source."""

    id: str
    experiment: str
    name: str
    user: str
    status: Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
    started: int
    ended: int | None = None
    lifecycle: Literal["active", "deleted"] = "active"
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    datasets: list[DatasetItem] = []
    model_inputs: list[str] = []
    model_outputs: list[OutputItem] = []


class PointsItem(msgspec.Struct, frozen=True, tag_field="item", tag="points"):
    """Points of one metric of a run, as columns. A value of None is NaN."""

    run: str
    key: str
    steps: list[int]
    times: list[int]
    values: list[float | None]


class LoggedModelItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="logged_model"):
    """A logged model without its files."""

    id: str
    experiment: str
    name: str
    type: str
    source_run: str
    lifecycle: Literal["active", "deleted"] = "active"
    created: int = 0
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    points: list[ModelPoint] = []


class FilesItem(msgspec.Struct, frozen=True, tag_field="item", tag="files"):
    """All files of a run or logged model; their content was put before."""

    kind: Owner
    owner: str
    files: list[FileItem]


class ModelItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="model"):
    """A registered model without its versions and aliases."""

    name: str
    description: str = ""
    user: str = ""
    created: int = 0
    updated: int = 0
    tags: dict[str, str] = {}


class VersionItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="version"):
    """A version and the folder of a run or logged model that holds its files.

    Attributes:
        model: the registered model's name.
        version: the source's number.
        owner_kind: what has the files.
        owner: its id.
        prefix: the folder in it; empty: the whole.
        source: what the source named as the version's source.
        keep: whether the number must stay: an import keeps it, a sync takes the next one.
        elsewhere: where else it is, as `peer/NAME/NUMBER`: it may have come from this very server.
    """

    model: str
    version: int
    owner_kind: Owner
    owner: str
    prefix: str = ""
    source: str = ""
    run: str = ""
    description: str = ""
    run_link: str = ""
    user: str = ""
    created: int = 0
    updated: int = 0
    tags: dict[str, str] = {}
    stage: str = ""
    keep: bool = True
    elsewhere: list[str] = []


class AliasItem(msgspec.Struct, frozen=True, tag_field="item", tag="alias"):
    """An alias and the version, by the source's number, that it means."""

    model: str
    alias: str
    version: int


class StageItem(msgspec.Struct, frozen=True, tag_field="item", tag="stage"):
    """The stage, as MLflow names it (`None` where it has none), of a version, by the source's number."""

    model: str
    version: int
    stage: str


class Summary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a thing holds: counts, and digests over its points and its files.

    Attributes:
        params: how many.
        tags: how many.
        points: how many, over all metrics.
        points_digest: `digest_of` {key: {points, digest}}, each metric's digest as in a run's seal.
        files: how many.
        bytes: of all files.
        tree: `digest_of` [[path, digest, size], …] in order of path.
        spans: of a trace, how many.
        assessments: of a trace, how many.
        links: of a trace, to how many runs.
        records: of an evaluation data set, how many.
        content: of these two: `trace_digest` or `records_digest`.
    """

    params: int = 0
    tags: int = 0
    points: int = 0
    points_digest: str = ""
    files: int = 0
    bytes: int = 0
    tree: str = ""
    spans: int = 0
    assessments: int = 0
    links: int = 0
    records: int = 0
    content: str = ""


class DoneItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="item", tag="done"):
    """All of a run, a logged model, a trace or an evaluation data set was sent; the server compares.

    Attributes:
        kind: of what.
        id: its id at the source.
        mark: changes whenever the thing changes at the source; empty: it may change unseen, so it is never skipped.
        sent: what the source holds.
        status: of a logged model, as the source says it.
        updated: of a logged model, milliseconds since 1970.
    """

    kind: Whole
    id: str
    mark: str
    sent: Summary
    status: str = ""
    updated: int = 0


Item = (
    ExperimentItem
    | RunItem
    | PointsItem
    | LoggedModelItem
    | FilesItem
    | ModelItem
    | VersionItem
    | AliasItem
    | StageItem
    | TraceItem
    | SpansItem
    | EvaluationItem
    | RecordsItem
    | DoneItem
)


class Items(msgspec.Struct, frozen=True):
    """Some items, in the order in which they are to be taken."""

    items: list[Item]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an item.

    Attributes:
        item: its kind.
        id: the source's id of the thing.
        here: the id that it has on the server; of a version, its number.
        state: `made`, `changed`, `same`, `kept` (something is different here and stays so), `refused`.
        conflicts: what was changed on both sides, or is otherwise here, and so stays as it is here.
        why: of a refusal, or of a thing that has another id here.
        holds: of a `done`: what the server holds.
    """

    item: str
    id: str
    here: str = ""
    state: Literal["made", "changed", "same", "kept", "refused"] = "same"
    conflicts: list[str] = []
    why: str = ""
    holds: Summary | None = None


class Begin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an import comes from.

    Attributes:
        peer: names the source for good: what came from it before is found by this.
        kind: `mlflow` or `modelkeel`.
        source: its address without credentials, for people.
    """

    peer: str
    kind: Literal["mlflow", "modelkeel"]
    source: str


class Known(msgspec.Struct, frozen=True):
    """Marks, by the source's id, of things of a kind that are still as they were."""

    kind: Whole
    marks: dict[str, str]


class Agreed(msgspec.Struct, frozen=True):
    """What another server now has of ours, told to us so that the next sync the other way knows it.

    Attributes:
        peer: the other server's name for good.
        items: as they were sent.
        here: the ids that they have there, one for each item.
    """

    peer: str
    items: list[Item]
    here: list[str]


class Report(msgspec.Struct, frozen=True):
    """How an import ended.

    Attributes:
        complete: whether all of it came over and was found the same.
        counts: by name.
        differences: what a person should read: refusals, conflicts, what is not the same.
        ids: what has another id here than at the source, each as `kind id`, and that id.
    """

    complete: bool
    counts: dict[str, int]
    differences: list[str] = []
    ids: dict[str, str] = {}


class ImportView(msgspec.Struct, frozen=True):
    """An import as it is shown.

    Attributes:
        id: its own.
        here: this server's workspace, as it is named as a peer.
        kind: `mlflow` or `modelkeel`.
        source: where from.
        started: RFC 3339.
        ended: RFC 3339; None: it was interrupted, or goes on.
        by: who started it.
        report: how it ended.
    """

    id: str
    here: str
    kind: str
    source: str
    started: str
    ended: str | None
    by: str
    report: Report | None


class ExportedRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run to be moved: itself, its files, its metrics' names, and a mark that changes when it does (or nothing)."""

    run: RunItem
    files: list[FileItem] = []
    keys: list[str] = []
    mark: str = ""


class RunsPage(msgspec.Struct, frozen=True):
    """Some runs, and where the next page begins; None: there is none."""

    runs: list[ExportedRun]
    next: int | None


class ExportedLoggedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A logged model to be moved, with its files, status and last change."""

    model: LoggedModelItem
    status: str
    updated: int
    files: list[FileItem] = []
    mark: str = ""


class ExportedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A registered model to be moved, with its versions and aliases."""

    model: ModelItem
    versions: list[VersionItem] = []
    aliases: dict[str, int] = {}


class PointsPage(msgspec.Struct, frozen=True):
    """Points of a metric in order of step, time and value, and the number of the next one; None: that was all."""

    steps: list[int]
    times: list[int]
    values: list[float | None]
    next: int | None


class Here(msgspec.Struct, frozen=True):
    """This server's workspace as others name it as a peer."""

    peer: str
