"""Turns rows into what others read."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.clock import now_ms, rfc3339
from modelkeel.pipelines.models import RunUsage, edges
from modelkeel.wire.captures import Capture
from modelkeel.wire.pipelines import (
    Approval,
    CachedStep,
    KeyParts,
    Logged,
    MissReason,
    PipelineRun,
    RunSummary,
    StepGroup,
    StepRun,
)
from modelkeel.wire.reproductions import RecordedReproduction, Reproduction
from modelkeel.wire.values import Value

_APPROVAL = msgspec.json.Decoder(Approval)
_CAPTURE = msgspec.json.Decoder(Capture)
_INPUTS = msgspec.json.Decoder(dict[str, Value])
_LOGGED = msgspec.json.Decoder(Logged)
_MISS = msgspec.json.Decoder(list[MissReason])
_PARTS = msgspec.json.Decoder(KeyParts)
_CALL = re.compile(r"\[\d+\]$")
_VALUE = msgspec.json.Decoder(Value)


def step_of(row: sa.Row[Any]) -> StepRun:
    """A step from its row."""
    return StepRun(
        index=row.step,
        name=row.name,
        status=row.status,
        cached=row.status == "cached",
        key=row.key,
        parts=_PARTS.decode(row.parts) if row.parts else None,
        inputs=_INPUTS.decode(row.inputs),
        output=_VALUE.decode(row.output) if row.output else None,
        started=rfc3339(row.started),
        seconds=row.wall_us / 1e6,
        cpu_seconds=row.cpu_us / 1e6,
        peak_bytes=row.peak_bytes,
        paid_by=row.paid_by,
        paid_step=row.paid_step,
        saved_seconds=row.saved_us / 1e6,
        logged=_LOGGED.decode(row.logged),
        miss=_MISS.decode(row.miss),
        error=row.error,
        attempts=row.attempts,
        log=row.log,
        approval=_APPROVAL.decode(row.approval) if row.approval else None,
    )


def summary_of(row: sa.Row[Any], sums: sa.Row[Any] | None, names: Mapping[str, str]) -> RunSummary:
    """A run in a list, from its row and the sums over its steps."""
    return RunSummary(
        run_id=row.run_id,
        pipeline=row.pipeline,
        project=row.project,
        status=row.status,
        origin=row.origin,
        started=rfc3339(row.started),
        ended=rfc3339(row.ended) if row.ended is not None else None,
        seconds=_seconds(row),
        user=names.get(row.principal, row.principal),
        steps=sums.steps if sums else 0,
        cached_steps=sums.cached if sums else 0,
        saved_seconds=sums.saved_us / 1e6 if sums else 0.0,
        cpu_seconds=sums.cpu_us / 1e6 if sums else 0.0,
        params=msgspec.json.decode(row.params),
        error=row.error,
    )


def usage_of(row: sa.Row[Any]) -> RunUsage:
    """What a run used, from the sums over its steps."""
    return RunUsage(
        run_id=row.run_id,
        pipeline=row.pipeline,
        origin=row.origin,
        started=row.started,
        ended=row.ended,
        seconds=int(row.wall_us) / 1e6,
        cpu_seconds=int(row.cpu_us) / 1e6,
        gib_seconds=float(row.byte_us) / 1e6 / 2**30,
        cached_steps=int(row.cached),
        saved_seconds=int(row.saved_us) / 1e6,
        saved_cpu_seconds=int(row.saved_cpu_us) / 1e6,
        saved_gib_seconds=float(row.saved_byte_us) / 1e6 / 2**30,
    )


def groups_of(rows: Sequence[sa.Row[Any]]) -> list[StepGroup]:
    """The steps of a run by name, from sums by name and status: `fit`, `fit[2]` and so on are one group."""
    found: dict[str, list[sa.Row[Any]]] = {}
    for row in rows:
        found.setdefault(_CALL.sub("", row.name), []).append(row)
    return [
        StepGroup(
            name=name,
            steps=sum(row.steps for row in group),
            status={
                status: sum(row.steps for row in group if row.status == status)
                for status in sorted({row.status for row in group})
            },
            seconds=sum(int(row.wall_us) for row in group) / 1e6,
            cpu_seconds=sum(int(row.cpu_us) for row in group) / 1e6,
            saved_seconds=sum(int(row.saved_us) for row in group) / 1e6,
        )
        for name, group in found.items()
    ]


def run_of(
    row: sa.Row[Any], step_rows: Sequence[sa.Row[Any]], groups: list[StepGroup], names: Mapping[str, str]
) -> PipelineRun:
    """A run from its rows, with a part of its steps or all of them."""
    steps = [step_of(step) for step in step_rows]
    capture = _CAPTURE.decode(row.capture) if row.capture else None
    return PipelineRun(
        run_id=row.run_id,
        pipeline=row.pipeline,
        project=row.project,
        target=row.target,
        status=row.status,
        origin=row.origin,
        reason=msgspec.json.decode(row.reason),
        experiment=row.experiment,
        started=rfc3339(row.started),
        ended=rfc3339(row.ended) if row.ended is not None else None,
        seconds=_seconds(row),
        user=names.get(row.principal, row.principal),
        params=msgspec.json.decode(row.params),
        seed=row.seed,
        paths=msgspec.json.decode(row.paths),
        code=row.code,
        python=row.python,
        snapshot=capture.snapshot if capture else None,
        environment=capture.environment if capture else None,
        machine=capture.machine if capture else {},
        data=capture.data if capture else [],
        reproduces=row.reproduces,
        resumes=row.resumes,
        step_count=sum(group.steps for group in groups),
        cached_steps=sum(group.status.get("cached", 0) for group in groups),
        saved_seconds=sum(group.saved_seconds for group in groups),
        cpu_seconds=sum(group.cpu_seconds for group in groups),
        groups=groups,
        steps=steps,
        edges=edges(steps),
        error=row.error,
    )


def cached_of(row: sa.Row[Any]) -> CachedStep:
    """A cached step from its row."""
    return CachedStep(
        row.key, row.run_id, row.step, _VALUE.decode(row.output), row.wall_us, _LOGGED.decode(row.logged), row.created
    )


def resumed_of(row: sa.Row[Any]) -> CachedStep:
    """A finished step of a run that is resumed; one that is never cached is known by the digest of its parts."""
    key = row.key or _PARTS.decode(row.parts).digest()
    run_id, index = (row.paid_by, row.paid_step) if row.status == "cached" else (row.run_id, row.step)
    wall = row.saved_us if row.status == "cached" else row.wall_us
    return CachedStep(key, run_id, index, _VALUE.decode(row.output), wall, _LOGGED.decode(row.logged), row.started)


def reproduction_of(row: sa.Row[Any], names: Mapping[str, str]) -> RecordedReproduction:
    """A recorded verdict from its row."""
    return RecordedReproduction(
        id=row.id,
        recorded=rfc3339(row.created),
        user=names.get(row.principal, row.principal),
        entry=row.entry,
        reproduction=msgspec.json.decode(row.report, type=Reproduction),
    )


def parts_of(stored: bytes | None) -> KeyParts | None:
    """Key parts as stored, or None; parts of an older layout count as none."""
    if stored is None:
        return None
    try:
        return _PARTS.decode(stored)
    except msgspec.ValidationError:
        return None


def _seconds(row: sa.Row[Any]) -> float:
    ended: int = row.ended if row.ended is not None else now_ms()
    return (ended - int(row.started)) / 1000
