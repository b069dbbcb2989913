"""What tracking stores, as frozen types. Times are milliseconds since 1970."""

from enum import StrEnum

import msgspec

from modelkeel.core.errors import InvalidInput
from modelkeel.core.hashing import digest_of
from modelkeel.storage.blobs import BlobRef

DEFAULT_EXPERIMENT = "Default"
RUN_NAME_TAG = "mlflow.runName"
CONTEXT_TAG = "mlflow.data.context"


class Lifecycle(StrEnum):
    """Whether a thing is shown; what is deleted is hidden until it is restored or collected."""

    ACTIVE = "active"
    DELETED = "deleted"


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @property
    def ended(self) -> bool:
        """Whether the run says it is over."""
        return self in {RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED}


class ModelStatus(StrEnum):
    """Where a logged model stands; a ready one can't change any more."""

    PENDING = "LOGGED_MODEL_PENDING"
    READY = "LOGGED_MODEL_READY"
    FAILED = "LOGGED_MODEL_UPLOAD_FAILED"


class OwnerKind(StrEnum):
    """What an artifact tree belongs to."""

    RUN = "run"
    MODEL = "logged_model"


class Experiment(msgspec.Struct, frozen=True):
    """A named group of runs.

    Attributes:
        id: 18 decimal digits.
        name: unique among the active experiments of a workspace.
        lifecycle: whether it is shown.
        created: when.
        updated: last change of name or lifecycle.
        tags: free key and value pairs.
    """

    id: str
    name: str
    lifecycle: Lifecycle
    created: int
    updated: int
    tags: dict[str, str]

    @property
    def artifact_uri(self) -> str:
        """Where the client finds artifacts; always in our own store."""
        return f"mlflow-artifacts:/{self.id}"


class Metric(msgspec.Struct, frozen=True, gc=False):
    """One point of a metric's series.

    Attributes:
        key: the metric's name.
        value: may be NaN; infinities are stored as the largest finite double.
        timestamp: the client's clock.
        step: any integer; 0 where none was given.
        model_id: the logged model it measures, if any.
        dataset_name: the data set it was measured on, if known.
        dataset_digest: that data set's digest.
    """

    key: str
    value: float
    timestamp: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class DatasetUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """A data set that runs of an experiment read, and what for.

    Attributes:
        experiment_id: the experiment of those runs.
        name: the data set, as the client names it.
        digest: its short digest.
        context: what it was used for; None: no run said.
    """

    experiment_id: str
    name: str
    digest: str
    context: str | None = None


class DatasetInput(msgspec.Struct, frozen=True):
    """A data set that a run read.

    Attributes:
        name: as the client names it.
        digest: MLflow's short digest, at most 36 characters.
        source_type: kind of the source.
        source: where it came from, as JSON.
        schema: its columns, as JSON.
        profile: its size and statistics, as JSON.
        tags: what the run used it for; `mlflow.data.context` says `training`, `eval` …
    """

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str] = {}


class ModelOutput(msgspec.Struct, frozen=True):
    """A logged model that a run produced, at a step."""

    model_id: str
    step: int = 0


class Run(msgspec.Struct, frozen=True):
    """One execution, with its latest metrics.

    Attributes:
        id: 32 hexadecimal digits.
        experiment_id: where it belongs.
        name: what people call it.
        user: who the client says ran it.
        status: where it stands.
        started: the client's clock.
        ended: None while it runs.
        lifecycle: whether it is shown.
        params: each written once.
        metrics: of each key the point that is greatest by (step, timestamp, value).
        tags: free key and value pairs.
        inputs: data sets it read.
        model_inputs: ids of logged models it read.
        model_outputs: logged models it produced.
        seal: digest over all of it, made after it ended; None until then, or after a later write.
    """

    id: str
    experiment_id: str
    name: str
    user: str
    status: RunStatus
    started: int
    ended: int | None
    lifecycle: Lifecycle
    params: dict[str, str] = {}
    metrics: dict[str, Metric] = {}
    tags: dict[str, str] = {}
    inputs: list[DatasetInput] = []
    model_inputs: list[str] = []
    model_outputs: list[ModelOutput] = []
    seal: str | None = None

    @property
    def artifact_uri(self) -> str:
        """Where the client finds the run's artifacts."""
        return f"mlflow-artifacts:/{self.experiment_id}/{self.id}/artifacts"


class LoggedModel(msgspec.Struct, frozen=True):
    """A model's files with what is known about it.

    Attributes:
        id: `m-` and 32 hexadecimal digits.
        experiment_id: where it belongs.
        name: what people call it.
        status: where it stands.
        model_type: free text.
        source_run: the run that made it.
        created: when.
        updated: last change.
        params: each written once.
        tags: free key and value pairs.
        metrics: points that name this model.
    """

    id: str
    experiment_id: str
    name: str
    status: ModelStatus
    model_type: str
    source_run: str
    created: int
    updated: int
    lifecycle: Lifecycle
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: list[tuple[str, Metric]] = []  # (run id, point)

    @property
    def artifact_uri(self) -> str:
        """Where the client finds the model's files."""
        return f"mlflow-artifacts:/{self.experiment_id}/models/{self.id}/artifacts"


class ArtifactOwner(msgspec.Struct, frozen=True, omit_defaults=True):
    """The run or logged model to which an artifact tree belongs.

    Attributes:
        kind: which of the two.
        id: its id.
        experiment: where an address says that it belongs; it is not found elsewhere. Empty: anywhere.
    """

    kind: OwnerKind
    id: str
    experiment: str = ""

    @classmethod
    def run(cls, identity: str) -> "ArtifactOwner":
        """The tree of a run."""
        return cls(OwnerKind.RUN, identity)

    @classmethod
    def model(cls, identity: str) -> "ArtifactOwner":
        """The tree of a logged model."""
        return cls(OwnerKind.MODEL, identity)


class ArtifactFile(msgspec.Struct, frozen=True):
    """A file of a tree: its path below the root asked for, its content's SHA-256 and its size in bytes."""

    path: str
    digest: str
    size: int

    @property
    def ref(self) -> BlobRef:
        """The content's name in the blob store."""
        return BlobRef(self.digest, self.size)


class ArtifactTree(msgspec.Struct, frozen=True):
    """Files and the digest over them."""

    digest: str
    files: list[ArtifactFile]


class ListedArtifact(msgspec.Struct, frozen=True):
    """An entry of one folder: its path from the owner's root, and a size in bytes unless it is a folder."""

    path: str
    is_dir: bool
    size: int | None


def tree_of(files: list[ArtifactFile]) -> ArtifactTree:
    """Files in order of path, with `digest_of` [[path, digest, size], …]."""
    ordered = sorted(files, key=lambda file: file.path)
    return ArtifactTree(digest_of([[f.path, f.digest, f.size] for f in ordered]), ordered)


def children(files: list[ArtifactFile], folder: str) -> list[ListedArtifact]:
    """The direct entries of `folder` (empty: the root), given the files below it."""
    start = f"{folder}/" if folder else ""
    found: dict[str, ListedArtifact] = {}
    for file in files:
        if not file.path.startswith(start):
            continue
        name, slash, _ = file.path[len(start) :].partition("/")
        path = start + name
        found[path] = ListedArtifact(path, bool(slash), None if slash else file.size)
    return [found[path] for path in sorted(found)]


def require_active(lifecycle: str, what: str, identity: str) -> None:
    """Refuses a change of something deleted, in MLflow's words."""
    if lifecycle != Lifecycle.ACTIVE:
        raise InvalidInput(f"The {what} {identity} must be in the 'active' state. Current state is {lifecycle}.")
