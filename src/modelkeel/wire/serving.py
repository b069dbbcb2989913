"""What server and prediction runtime tell each other: revisions, endpoints, the routing table, control messages.

The server writes a `RoutingTable`; the supervisor hands it to every runtime, which loads, warms and verifies the
revisions before it swaps to the table. Times are whole milliseconds since 1970.
"""

from typing import Annotated, Any, Literal

import msgspec

Variant = Literal["champion", "canary", "shadow"]
LogPolicy = Literal["background", "before-answer"]
ModelKind = Literal["onnx", "native"]
DataType = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP32", "FP64", "BYTES"
]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Column(msgspec.Struct, frozen=True):
    """One input or output of a model: a tensor whose first dimension counts rows.

    Attributes:
        name: as in the model's logged schema.
        dtype: the Open Inference Protocol's name of the element type; datetimes are INT64 microseconds.
        shape: the dimensions after the first; empty for one value a row.
    """

    name: _Name
    dtype: DataType
    shape: tuple[Annotated[int, msgspec.Meta(ge=1)], ...] = ()


class ModelSchema(msgspec.Struct, frozen=True):
    """What a model takes and gives, in order. The first output is what MLflow's `/invocations` answers with."""

    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]


class Tensor(msgspec.Struct, frozen=True):
    """A named tensor in the Open Inference Protocol's JSON form; `data` is flat or nested, null stands for NaN."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    data: list[Any]


class Sample(msgspec.Struct, frozen=True):
    """The sample file of a revision (JSON): logged inputs and what the native model answered to them."""

    inputs: list[Tensor]
    outputs: list[Tensor]


class Revision(msgspec.Struct, frozen=True):
    """One model version made ready to serve at one endpoint.

    Attributes:
        id: opaque; a revision never changes under its id.
        endpoint: id of its endpoint.
        model: name of the registered model.
        version: number of the registered version.
        digest: SHA-256 of the ONNX file, checked before it is loaded; for a native model, of its folder's manifest.
        kind: `onnx` runs inside the runtime, `native` in a process of the model's own environment.
        path: ONNX file or MLflow model folder, relative to the serving folder.
        schema: inputs and outputs.
        python: the interpreter of a native model's environment (an absolute path).
        sample: the `Sample` file, relative to the serving folder; without one nothing is verified.
        timeout_ms: how long one batch of a native model may take before its process is restarted.
    """

    id: _Name
    endpoint: _Name
    model: str
    version: int
    digest: str
    kind: ModelKind
    path: str
    schema: ModelSchema
    python: str = ""
    sample: str = ""
    timeout_ms: int = 30_000


class Route(msgspec.Struct, frozen=True):
    """A share of an endpoint's traffic; only the ratio of the weights counts."""

    revision: str
    weight: Annotated[float, msgspec.Meta(ge=0)]


class Key(msgspec.Struct, frozen=True):
    """A caller's key: SHA-256 of the token (hexadecimal), and when it stops being good (milliseconds; none = never)."""

    hash: str
    expires: int | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """A stable prediction address.

    Attributes:
        id: opaque, stable; also the salt of sticky assignment.
        workspace: the workspace's name, the first part of the address.
        name: the second part.
        routes: who answers; the first is the champion, the others are canaries.
        shadow: id of a revision that sees every request after its answer and never answers.
        log: `before-answer` makes an answer wait until its log row is on disk.
        anonymous: whether callers need no key.
        keys: who may call otherwise.
        simulated: whether event times may lie in the future.
        generation: counts up with every change of this endpoint.
    """

    id: _Name
    workspace: _Name
    name: _Name
    routes: tuple[Route, ...]
    shadow: str | None = None
    log: LogPolicy = "background"
    anonymous: bool = False
    keys: tuple[Key, ...] = ()
    simulated: bool = False
    generation: int = 0


class RoutingTable(msgspec.Struct, frozen=True):
    """All that the runtimes serve, replaced whole.

    Attributes:
        generation: counts up with every change of traffic.
        renewal: counts up with every table that is handed over: keys change without a change of traffic.
        known: tokens and keys that are good somewhere, so that who has one learns that it is not good here.
    """

    generation: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    revisions: tuple[Revision, ...] = ()
    renewal: int = 0
    known: tuple[Key, ...] = ()


class PredictionRow(msgspec.Struct, frozen=True):
    """One predicted row, as the prediction log keeps it.

    Attributes:
        prediction_id: `<request uuid>.<row>`; a shadow's row has the id of the row that was answered.
        endpoint: id of the endpoint.
        revision: id of the revision that predicted.
        model: the registered model's name.
        version: its version number.
        variant: champion, canary or shadow.
        time: server time of the request.
        event_time: when the thing happened, by the caller; the server time if the caller didn't say.
        entity: whom it was about, if the caller said.
        latency_us: microseconds from the decoded request to its outputs.
        inputs: value by column.
        outputs: value by column.
    """

    prediction_id: str
    endpoint: str
    revision: str
    model: str
    version: int
    variant: Variant
    time: int
    event_time: int
    entity: str | None
    latency_us: int
    inputs: dict[str, Any]
    outputs: dict[str, Any]


# --- control socket: each message is answered once --------------------------------------------------------------------


class AskStatus(msgspec.Struct, frozen=True, tag="status"):
    """How are you?"""


class Apply(msgspec.Struct, frozen=True, tag="apply"):
    """Serve this table from now on, or refuse it whole."""

    table: RoutingTable


class Shutdown(msgspec.Struct, frozen=True, tag="shutdown"):
    """Stop accepting, finish what is in flight within `drain_seconds`, end."""

    drain_seconds: float = 10.0


Control = AskStatus | Apply | Shutdown


class WorkerStatus(msgspec.Struct, frozen=True):
    """One runtime process.

    Attributes:
        slot: its place, 0 to workers − 1.
        pid: its process, none while it waits to be restarted.
        ready: whether it serves.
        generation: of the table that it serves.
        restarts: how often this slot's process died and was started again.
        failures: why a revision isn't loaded there, by revision id.
    """

    slot: int
    pid: int | None
    ready: bool
    generation: int
    restarts: int
    failures: dict[str, str] = {}


class Status(msgspec.Struct, frozen=True, tag="is"):
    """The supervisor's state.

    Attributes:
        port: the one it bound, also if asked for any free one.
        used: on which day, counted from 1970, a key was used last, by its hash; today and yesterday only.
    """

    pid: int
    host: str
    port: int
    generation: int
    started: int
    version: str
    workers: list[WorkerStatus]
    renewal: int = 0
    used: dict[str, int] = {}


class Applied(msgspec.Struct, frozen=True, tag="applied"):
    """Every runtime serves this generation, and it is stored."""

    generation: int


class Stopping(msgspec.Struct, frozen=True, tag="stopping"):
    """The shutdown has begun."""


class NotApplied(msgspec.Struct, frozen=True, tag="refused"):
    """Nothing changed; `reasons` say why, one sentence each."""

    reasons: list[str]


Answer = Status | Applied | Stopping | NotApplied
