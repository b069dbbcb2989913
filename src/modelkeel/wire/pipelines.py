"""What a pipeline run and its server say to each other, and how a run, its steps and its proof are shown."""

from typing import Any

import msgspec

from modelkeel.core.hashing import digest_of
from modelkeel.wire.captures import DataInput, Environment, Snapshot
from modelkeel.wire.values import Value


class KeyParts(msgspec.Struct, frozen=True):
    """What a cache key is the digest of. Kept whole, so that a miss explains itself.

    Attributes:
        code: each definition that the step reaches, `file:name` → digest of its normalised syntax tree.
        inputs: arguments made by steps or declared as data, name → content digest.
        params: other arguments, name → content digest.
        data: declared external data, name → content digest.
        environment: digest of the installed packages' names and versions.
        python: the interpreter's version.
        seed: of the run.
    """

    code: dict[str, str]
    inputs: dict[str, str]
    params: dict[str, str]
    data: dict[str, str]
    environment: str
    python: str
    seed: int

    def digest(self) -> str:
        """The key itself: SHA-256 over the parts as canonical JSON."""
        return digest_of(msgspec.to_builtins(self))


class Logged(msgspec.Struct, frozen=True):
    """What a step logged to its MLflow run: a run that takes the step's result from the cache gets it too."""

    params: dict[str, str] = {}
    metrics: dict[str, float] = {}


class CachedStep(msgspec.Struct, frozen=True):
    """A step that somebody in the workspace has paid for already.

    Attributes:
        key: the cache key.
        run_id: of the run that paid.
        step: index of the step in that run.
        output: its result.
        wall_us: microseconds that it took.
        logged: what it logged.
        created: when, in milliseconds since 1970.
    """

    key: str
    run_id: str
    step: int
    output: Value
    wall_us: int
    logged: Logged = msgspec.field(default_factory=Logged)  # hashable defaults only: the OpenAPI writer hashes them
    created: int = 0


class StartRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for a pipeline run.

    Attributes:
        pipeline: its name.
        project: the project's name.
        target: what to run inside the snapshot, `train.py:pipeline`.
        params: arguments of the pipeline function.
        seed: of Python's and numpy's generators.
        paths: folders of the snapshot that were on Python's search path.
        code: digest of everything that the pipeline function reaches.
        experiment: name of the MLflow experiment.
        run_id: a run that the server made already (a launched run).
        reproduces: the run that this one reruns.
        cache: whether steps may be taken from the cache.
        resumes: the run that this one resumes: results of its finished steps are taken, cached or not.
    """

    pipeline: str
    project: str
    target: str
    params: dict[str, Any]
    seed: int
    paths: list[str]
    code: str
    experiment: str
    environment: str
    python: str
    run_id: str | None = None
    reproduces: str | None = None
    cache: bool = True
    resumes: str | None = None


class Started(msgspec.Struct, frozen=True):
    """The run's id, and what need not be computed.

    Attributes:
        run_id: of the run.
        known: what the pipeline's last finished run paid for: a rerun of the same needs no further question.
        resumed: finished steps of the run that this one resumes; a step that is never cached stands here under the
            digest of its key's parts.
    """

    run_id: str
    known: list[CachedStep]
    resumed: list[CachedStep] = []


class Lookup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for cached steps by key."""

    keys: list[str]


class Approval(msgspec.Struct, frozen=True):
    """What a step asks of a person, and what became of it.

    Attributes:
        question: as the pipeline puts it.
        own: whether the one who started the run may answer.
        verdict: `approved` or `rejected`; empty: nobody answered.
        by: who answered.
        reason: in their words.
        decided: when.
    """

    question: str
    own: bool = False
    verdict: str = ""
    by: str = ""
    reason: str = ""
    decided: str = ""


class Decide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers a step that waits for a person."""

    approve: bool
    reason: str = ""


class CancelRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ends a run from outside."""

    reason: str = ""


class StepReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a step.

    Attributes:
        index: its place in the run, from 0.
        name: the function's name.
        status: `running`, `waiting` (for a person), `finished`, `failed` or `cached`.
        key: the cache key; none: the step is never cached.
        parts: what the key was made of.
        inputs: arguments by name.
        output: the result.
        started: milliseconds since 1970.
        wall_us: microseconds from start to end.
        cpu_us: processor microseconds of the process and its children.
        peak_bytes: largest resident memory while it ran.
        paid_by: run that paid for a cached result.
        paid_step: index of the step in that run.
        saved_us: microseconds that the cached result took then.
        error: the last line of a failure; of a step that runs: of the try before.
        logged: what it logged.
        attempt: number of the try, from 1.
        log: blob of what the step printed.
        approval: what a waiting step asks.
    """

    index: int
    name: str
    status: str
    key: str | None = None
    parts: KeyParts | None = None
    inputs: dict[str, Value] = {}
    output: Value | None = None
    started: int = 0
    wall_us: int = 0
    cpu_us: int = 0
    peak_bytes: int = 0
    paid_by: str | None = None
    paid_step: int | None = None
    saved_us: int = 0
    error: str = ""
    logged: Logged = msgspec.field(default_factory=Logged)  # hashable defaults only: the OpenAPI writer hashes them
    attempt: int = 1
    log: str | None = None
    approval: Approval | None = None


class Reports(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Step reports in order; an empty list says only that the run is alive."""

    steps: list[StepReport]


class EndRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ends a run as `finished`, `failed` or `killed`."""

    status: str
    error: str = ""


class MissReason(msgspec.Struct, frozen=True):
    """Why a step was not cached: the part of the key that changed since its last run, and the names in it."""

    part: str
    changed: list[str] = []


class StepRun(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run, as others read it."""

    index: int
    name: str
    status: str
    cached: bool
    key: str | None
    parts: KeyParts | None
    inputs: dict[str, Value]
    output: Value | None
    started: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    paid_by: str | None
    paid_step: int | None
    saved_seconds: float
    logged: Logged
    miss: list[MissReason]
    error: str
    attempts: int
    log: str | None
    approval: Approval | None


class StepGroup(msgspec.Struct, frozen=True, kw_only=True):
    """All calls of one step in a run, summed up.

    Attributes:
        name: of the step.
        steps: how many calls.
        status: how many calls by status.
        seconds: what those that ran took.
        cpu_seconds: processor time of those.
        saved_seconds: what cached ones took when they ran.
    """

    name: str
    steps: int
    status: dict[str, int]
    seconds: float
    cpu_seconds: float
    saved_seconds: float


class Edge(msgspec.Struct, frozen=True):
    """A result that travels from one step to another (`source` -1: from outside), under the argument's name."""

    source: int
    target: int
    name: str
    kind: str
    digest: str


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline run in a list."""

    run_id: str
    pipeline: str
    project: str
    status: str
    origin: str
    started: str
    ended: str | None
    seconds: float
    user: str
    steps: int
    cached_steps: int
    saved_seconds: float
    cpu_seconds: float
    params: dict[str, Any]
    error: str


class PipelineRun(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline run with all that stands behind it.

    Attributes:
        run_id: also the id of its MLflow run.
        status: `launching`, `running`, `finished`, `failed` or `killed`.
        origin: `user`, `launch` (the server started it) or `reproduce`.
        reason: why the server started it.
        code: digest of everything that the pipeline function reaches.
        reproduces: the run that it reruns.
        resumes: the run that it resumed.
        step_count: how many steps it has; `steps` may be a part of them.
        groups: the steps by name.
        steps: in their order, from the one asked for.
        edges: results that travel to those steps.
    """

    run_id: str
    pipeline: str
    project: str
    target: str
    status: str
    origin: str
    reason: dict[str, Any]
    experiment: str
    started: str
    ended: str | None
    seconds: float
    user: str
    params: dict[str, Any]
    seed: int
    paths: list[str]
    code: str
    python: str
    snapshot: Snapshot | None
    environment: Environment | None
    machine: dict[str, Any]
    data: list[DataInput]
    reproduces: str | None
    resumes: str | None
    step_count: int
    cached_steps: int
    saved_seconds: float
    cpu_seconds: float
    groups: list[StepGroup]
    steps: list[StepRun]
    edges: list[Edge]
    error: str


class Confined(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a server confines user code that it starts.

    Attributes:
        control: the server's own address, `host:port`: the one that the code may reach.
        read: further files and folders that the operator lets such code read.
        demanded: whether nothing runs where the machine can't confine it.
    """

    control: str
    read: list[str] = []
    demanded: bool = False


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a process that runs a pipeline again is told. It holds no secret.

    Attributes:
        source: the run whose code and environment it uses.
        params: arguments of the pipeline.
        seed: of the run.
        cache: whether steps may be taken from the cache.
        environments: folder of rebuilt environments.
        scratch: folder for the unpacked files.
        run_id: a run that the server made already.
        reproduces: whether this is a rerun of `source`.
        rebuild: whether the environment is rebuilt even where this one has the same packages.
        result: file for the rerun's id.
        instead: packages that the environment gets in place of what was captured, `scikit-learn==1.6.1`.
        confined: the sandbox of the user's code, for a process that the server started; None: none.
    """

    source: str
    params: dict[str, Any]
    seed: int
    cache: bool
    environments: str
    scratch: str
    run_id: str | None = None
    reproduces: bool = False
    rebuild: bool = False
    result: str = ""
    instead: tuple[str, ...] = ()
    confined: Confined | None = None


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """What the cache has spared the workspace."""

    cached_steps: int
    run_steps: int
    saved_seconds: float
    spent_seconds: float


class Blob(msgspec.Struct, frozen=True):
    """A stored blob."""

    digest: str
    size: int


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Digests: asked about, or held by the workspace."""

    digests: list[str]
