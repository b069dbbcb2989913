"""Rules of pipeline runs that need no I/O: which status may follow, why a step missed, how results travel."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import Conflict, InvalidInput
from modelkeel.core.hashing import is_digest
from modelkeel.wire.pipelines import Approval, Edge, KeyParts, MissReason, StepReport, StepRun
from modelkeel.wire.values import Value

ALIVE = frozenset({"launching", "running"})
ENDS = frozenset({"finished", "failed", "killed"})
STEP_ENDS = frozenset({"finished", "failed", "cached"})
STEP_OPEN = frozenset({"running", "waiting"})
MAX_NAME = 250
LOST_MS = 5 * 60_000
"""A run whose process said nothing for so long is lost."""

VERDICTS = ("identical", "equivalent", "diverged")
MLFLOW_STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


class RunUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps of one run used, measured in their process.

    Attributes:
        seconds: wall time of the steps that ran.
        cpu_seconds: of those steps.
        gib_seconds: peak memory times wall time of each of them.
        cached_steps: how many were not run.
        saved_seconds: wall time that those took when they ran; `saved_cpu_seconds` and `saved_gib_seconds` likewise.
    """

    run_id: str
    pipeline: str
    origin: str
    started: int
    ended: int | None
    seconds: float
    cpu_seconds: float
    gib_seconds: float
    cached_steps: int
    saved_seconds: float
    saved_cpu_seconds: float
    saved_gib_seconds: float


class TrackedRuns(Protocol):
    """Makes and ends the MLflow run behind a pipeline run; `tracking` does."""

    async def make(self, principal: Principal, experiment: str, name: str, tags: dict[str, str]) -> str:
        """A new run in the experiment of that name, made where it is missing; returns the run's id."""

    async def end(self, principal: Principal, run_id: str, status: str) -> None:
        """Ends the run unless it has ended: `FINISHED`, `FAILED` or `KILLED`."""


def check_name(what: str, name: str) -> None:
    """Refuses a name that is empty or too long.

    Raises:
        InvalidInput: it is.
    """
    if not name or len(name) > MAX_NAME:
        raise InvalidInput(f"The name of a {what} has 1 to {MAX_NAME} characters.")


def check_alive(run_id: str, status: str, error: str = "") -> None:
    """Refuses a change to a run that ended.

    Raises:
        Conflict: it did.
    """
    if status not in ALIVE:
        why = f" {error}" if error else ""
        raise Conflict(f"The pipeline run {run_id} has ended ({status}).{why}", hint="Start another run.")


def check_report(report: StepReport) -> None:
    """Refuses a step report that contradicts itself.

    Raises:
        InvalidInput: it does.
    """
    check_name("step", report.name)
    if report.index < 0 or report.status not in STEP_ENDS | STEP_OPEN:
        raise InvalidInput("A step has an index from 0 and is `running`, `waiting`, `finished`, `failed` or `cached`.")
    if (report.status == "waiting") != (report.approval is not None) or (report.approval and report.approval.verdict):
        raise InvalidInput("A step that waits, and only one that waits, says what it asks; the answer is given to it.")
    if report.log is not None and not is_digest(report.log):
        raise InvalidInput("The log of a step is a SHA-256 digest.")
    if report.key is not None and not is_digest(report.key):
        raise InvalidInput("A cache key is a SHA-256 digest.")
    if report.status in {"finished", "cached"} and report.output is None:
        raise InvalidInput(f"A {report.status} step has an output.")
    if report.status == "cached" and (report.key is None or report.paid_by is None):
        raise InvalidInput("A cached step names its key and the run that paid for it.")


def check_answer(status: str, asked: bytes | None, report: StepReport) -> bytes | None:
    """What a step asks, with its answer, as it is stored: a step that waits goes on only when a person said yes.

    Raises:
        Conflict: nobody did, and the step is told of as done.
    """
    if report.status == "waiting" and status != "waiting":
        return msgspec.json.encode(report.approval)
    if status == "waiting" and report.status == "finished":
        verdict = msgspec.json.decode(asked, type=Approval).verdict if asked else ""
        if verdict != "approved":
            raise Conflict(f"Nobody has approved {report.name}.")
    return asked


def check_waits(name: str, run_status: str, status: str, asked: bytes | None) -> Approval:
    """What a step asks that still waits for an answer.

    Raises:
        Conflict: it does not wait, or somebody answered.
    """
    found = msgspec.json.decode(asked, type=Approval) if asked else None
    if found is None or run_status not in ALIVE or status != "waiting":
        raise Conflict(f"{name} does not wait for anybody.")
    if found.verdict:
        raise Conflict(f"{name} was {found.verdict} by {found.by} already.")
    return found


def miss_reasons(now: KeyParts, last: KeyParts | None) -> list[MissReason]:
    """Which parts of the key changed since the last run of the step; none: it never ran before."""
    if last is None:
        return [MissReason("first")]
    found = [
        MissReason(part, changed)
        for part, changed in (
            ("code", _changed(now.code, last.code)),
            ("inputs", _changed(now.inputs, last.inputs)),
            ("params", _changed(now.params, last.params)),
            ("data", _changed(now.data, last.data)),
        )
        if changed
    ]
    found += [
        MissReason(part)
        for part, differs in (
            ("environment", now.environment != last.environment),
            ("python", now.python != last.python),
            ("seed", now.seed != last.seed),
        )
        if differs
    ]
    return found or [MissReason("content")]


def edges(steps: Iterable[StepRun]) -> list[Edge]:
    """Every result that travels between steps; a container's items each travel by themselves."""
    return [
        Edge(-1 if leaf.step is None else leaf.step, step.index, name, leaf.kind, leaf.digest)
        for step in steps
        for name, value in step.inputs.items()
        for leaf in _sources(value)
    ]


def _sources(value: Value) -> list[Value]:
    """The value itself if a step made it or no step made a part of it, else its parts that steps made."""
    if value.step is not None:
        return [value]
    parts = [leaf for item in value.items for leaf in _sources(item) if leaf.step is not None]
    return parts or [value]


def _changed(now: Mapping[str, str], last: Mapping[str, str]) -> list[str]:
    return sorted(name for name in now.keys() | last.keys() if now.get(name) != last.get(name))
