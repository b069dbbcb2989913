"""Endpoints, revisions, traffic and rollouts, and the ports that others fill. No I/O."""

from enum import StrEnum
from typing import Annotated, Protocol

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.wire.serving import LogPolicy, RoutingTable, Status

Percent = Annotated[float, msgspec.Meta(gt=0, le=100)]


class RevisionState(StrEnum):
    """Where a revision is in its life."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"
    RETIRED = "retired"


class RolloutState(StrEnum):
    """Where a rollout is."""

    PREPARING = "preparing"
    SHADOW = "shadow"
    STEPPING = "stepping"
    COMPLETED = "completed"
    ABORTED = "aborted"

    @property
    def is_open(self) -> bool:
        """Whether it still moves."""
        return self not in {RolloutState.COMPLETED, RolloutState.ABORTED}


class Share(msgspec.Struct, frozen=True):
    """A revision's part of an endpoint's traffic."""

    revision: str
    weight: float


class Revision(msgspec.Struct, frozen=True):
    """One model version made ready for one endpoint; it never changes under its id.

    Attributes:
        number: counts up per endpoint.
        kind: `onnx` runs in the runtime, `native` in a process of its own; empty until prepared.
        note: why it is native, or why it failed.
        model: its name; empty, as are `model_id` and `run_id`, where the reader may not see it.
    """

    id: str
    endpoint: str
    number: int
    model: str
    model_id: str
    version: int
    run_id: str
    digest: str
    state: RevisionState
    kind: str
    note: str
    created: int
    created_by: str


class Traffic(msgspec.Struct, frozen=True):
    """How traffic was divided from `since` on (server time, ms), until the next row."""

    since: int
    routes: list[Share]
    shadow: str | None
    entry: int


class RolloutPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a new revision takes over.

    Attributes:
        shadow_rows: rows mirrored to it before it answers anybody; 0 skips the shadow.
        steps: percentages of traffic it passes through before 100.
        rows_per_step: rows that it answers at each step.
        max_error_rate: more failed rows than this share aborts.
    """

    shadow_rows: Annotated[int, msgspec.Meta(ge=0)] = 0
    steps: list[Percent] = []
    rows_per_step: Annotated[int, msgspec.Meta(ge=0)] = 0
    max_error_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01

    def __post_init__(self) -> None:
        if sorted(self.steps) != self.steps or len(set(self.steps)) != len(self.steps):
            raise InvalidInput("Rollout steps must grow, for example [10, 50].")


class Rollout(msgspec.Struct, frozen=True):
    """A new revision's way to all the traffic.

    Attributes:
        step: index into the policy's steps, when stepping.
        since: server time (ms) at which the present state or step began.
        base: rows that the candidate had handled by then.
        ticket: the promotion that this rollout carries out; its alias moves on completion.
    """

    id: str
    endpoint: str
    candidate: str
    champion: str | None
    state: RolloutState
    step: int
    since: int
    base: int
    policy: RolloutPolicy
    ticket: str | None
    note: str
    started: int
    started_by: str


class Endpoint(msgspec.Struct, frozen=True):
    """A stable prediction address and what stands behind it now."""

    id: str
    name: str
    url: str
    simulated: bool
    log: LogPolicy
    created: int
    routes: list[Share]
    shadow: str | None
    revisions: list[Revision]
    rollout: Rollout | None


class Deploy(msgspec.Struct, forbid_unknown_fields=True):
    """Asks for a model version at an endpoint: `model` is `name@alias` or `name/7`."""

    model: str
    simulated: bool = False
    log: LogPolicy = "background"


class Verdict(msgspec.Struct, frozen=True):
    """What a judge says of a candidate: `rows` it has handled in all, and reasons to abort, if any."""

    rows: int
    reasons: list[str] = []


class DeploymentCheck(Protocol):
    """Asked before a version may take traffic; governance is one."""

    async def admit(self, principal: Principal, endpoint: str, model_id: str, model: str, version: int) -> str | None:
        """Returns the ticket of the promotion to complete, or None where none is needed.

        Raises:
            Refused: with the reasons.
        """

    async def complete(self, principal: Principal, ticket: str) -> None:
        """Called when the version has all the traffic: the protected alias moves now."""


class RolloutJudge(Protocol):
    """Asked while a candidate is in shadow or takes part of the traffic; monitoring is one."""

    async def judge(self, principal: Principal, endpoint: Endpoint, rollout: Rollout) -> Verdict:
        """How the candidate has done so far."""


class DataPlane(Protocol):
    """The prediction processes of this home; the runtime's control socket is one."""

    async def start(self) -> Status:
        """Starts the supervisor, or finds the running one."""

    async def apply(self, table: RoutingTable) -> list[str]:
        """Serves a table; returns why not, or nothing."""

    async def status(self) -> Status | None:
        """How the prediction processes are, None where none run."""


def next_state(rollout: Rollout, verdict: Verdict) -> tuple[RolloutState, int]:
    """The state and step that follow, pure: the same again where there is nothing to do yet."""
    policy = rollout.policy
    rows = verdict.rows - rollout.base
    if verdict.reasons:
        return RolloutState.ABORTED, rollout.step
    if rollout.state is RolloutState.SHADOW and rows >= policy.shadow_rows:
        return (RolloutState.STEPPING, 0) if policy.steps else (RolloutState.COMPLETED, 0)
    if rollout.state is RolloutState.STEPPING and rows >= policy.rows_per_step:
        last = rollout.step + 1 >= len(policy.steps)
        return (RolloutState.COMPLETED, rollout.step) if last else (RolloutState.STEPPING, rollout.step + 1)
    return rollout.state, rollout.step


def traffic_of(rollout: Rollout) -> tuple[list[Share], str | None]:
    """The division of traffic that a rollout's state asks for: routes, the champion first, and the shadow."""
    old, new = rollout.champion, rollout.candidate
    if rollout.state is RolloutState.COMPLETED or old is None:
        return [Share(new, 100)], None
    if rollout.state is RolloutState.SHADOW:
        return [Share(old, 100)], new
    if rollout.state is RolloutState.STEPPING:
        part = rollout.policy.steps[rollout.step]
        return [Share(old, 100 - part), Share(new, part)], None
    return [Share(old, 100)], None
