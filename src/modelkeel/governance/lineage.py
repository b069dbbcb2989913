"""What a trace answers with: one section a slice, each with the ledger entries that prove it."""

from typing import Any

import msgspec

from modelkeel.governance.models import Promotion
from modelkeel.tracking.models import DatasetInput
from modelkeel.wire.captures import DataInput, Environment, Snapshot


class PredictionPart(msgspec.Struct, frozen=True):
    """The prediction itself, in its sealed segment."""

    id: str
    endpoint: str
    revision: str
    variant: str
    server_time: str
    event_time: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    label: float | int | bool | str | None
    segment: str
    segment_digest: str
    leaf: int
    entries: list[int]


class RevisionPart(msgspec.Struct, frozen=True):
    """What was loaded at the endpoint."""

    id: str
    endpoint_id: str
    number: int
    runs_as: str
    digest: str
    deployed_by: str
    deployed_at: str
    entries: list[int]


class VersionPart(msgspec.Struct, frozen=True):
    """The registered version."""

    model_id: str
    model: str
    version: int
    digest: str
    size: int
    registered_by: str
    registered_at: str
    aliases: list[str]
    entries: list[int]


class RunPart(msgspec.Struct, frozen=True):
    """The run that made it, as tracked."""

    id: str
    name: str
    experiment: str
    status: str
    by: str
    started: str
    ended: str | None
    params: dict[str, str]
    metrics: dict[str, float]
    datasets: list[DatasetInput]
    seal: str | None
    entries: list[int]


class PipelinePart(msgspec.Struct, frozen=True):
    """The code, the data, the environment and the machine behind the run, if a pipeline made it.

    Attributes:
        code: digest of everything that the pipeline function reaches.
        snapshot: the project's files as they were.
        environment: interpreter, packages and their lock.
        steps: name and status of each; a cached one names the run that computed it.
        paid_by: other runs whose results were used.
    """

    pipeline: str
    origin: str
    reason: dict[str, Any]
    code: str
    snapshot: Snapshot | None
    environment: Environment | None
    data: list[DataInput]
    params: dict[str, Any]
    seed: int
    machine: dict[str, Any]
    steps: list[dict[str, str]]
    paid_by: list[str]
    entries: list[int]


class CostPart(msgspec.Struct, frozen=True):
    """What the run cost."""

    amount: float
    currency: str
    how: str


class Origin(msgspec.Struct, frozen=True):
    """All that stands behind a version; what nobody recorded is None.

    Attributes:
        promotions: every evaluation of it, newest first, with gates and approvals.
        approved_by: names of those whose yes brought it to its alias.
    """

    version: VersionPart
    run: RunPart | None
    pipeline: PipelinePart | None
    promotions: list[Promotion]
    approved_by: list[str]
    cost: CostPart | None


class Trace(msgspec.Struct, frozen=True):
    """What stands behind one prediction."""

    prediction: PredictionPart
    revision: RevisionPart
    origin: Origin


class Use(msgspec.Struct, frozen=True):
    """Where a version was made ready, and what it answered there."""

    endpoint: str
    revision: str
    number: int
    state: str
    since: str
    rows: int
    requests: int
    shadow_rows: int


class VersionTrace(msgspec.Struct, frozen=True):
    """What stands behind a version, and what came of it."""

    origin: Origin
    uses: list[Use]
    predictions: int


class ServedVersion(msgspec.Struct, frozen=True):
    """One revision that took traffic, with its part in per cent."""

    revision: str
    number: int
    model: str
    version: int
    weight: float
    approved_by: list[str]
    promotion: str | None


class Served(msgspec.Struct, frozen=True):
    """What served at a time.

    Attributes:
        clock: `server`: the division of traffic in force then; `event`: the version that answered the latest row at
            or before that event time, from the prediction log.
        time: the time that was asked for.
        served: the greatest part first; empty: nothing.
        since: from when on it was so (server clock), or the row's event time (event clock).
        prediction: the row that shows it (event clock).
        entries: the ledger entries that prove it.
    """

    endpoint: str
    clock: str
    time: str
    served: list[ServedVersion]
    since: str | None
    prediction: str | None
    entries: list[int]
