"""Steps of pipeline runs: told of as they start and end, looked at, answered by people."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import now_ms, rfc3339
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.pipelines import reading, store
from modelkeel.pipelines.finding import own_run, visible_run
from modelkeel.pipelines.models import (
    STEP_OPEN,
    check_alive,
    check_answer,
    check_report,
    check_waits,
    miss_reasons,
)
from modelkeel.pipelines.paying import Paid
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import held
from modelkeel.storage.transaction import Tx
from modelkeel.wire.pipelines import CachedStep, Decide, StepReport, StepRun

MOST_STEPS = 1 << 31
"""No run has a step of a higher number."""


class Steps:
    """Steps of runs.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every end and every answer.
        blobs: holds logs.
        authorizer: decides who may do what.
        identity: knows people's names.
        paid: results that need not be computed.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        blobs: BlobStore,
        authorizer: Authorizer,
        identity: Identity,
        paid: Paid,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._blobs = blobs
        self._authorizer = authorizer
        self._identity = identity
        self._paid = paid

    async def report(self, principal: Principal, run_id: str, reports: list[StepReport]) -> None:
        """Records what became of steps; each end is an entry, and a finished step's result is cached."""
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        for report in reports:
            check_report(report)

        def work(tx: Tx) -> None:
            row = own_run(tx, self._authorizer, principal, run_id)
            check_alive(run_id, row.status, row.error)
            _check_held(tx, principal.workspace, reports)
            before = store.known_steps(tx, run_id, [report.index for report in reports])
            keys = [report.key for report in reports if report.status == "cached" and report.key is not None]
            known = self._paid.paid(tx, principal, row, keys)
            for report in reports:
                status, miss, asked = before.get(report.index, ("", b"", None))
                if status in {"", *STEP_OPEN}:
                    told = _from_cache(known, report) if report.status == "cached" else report
                    approval = check_answer(status, asked, report)
                    self._record_step(tx, principal, row, told, miss, approval)
                    before[report.index] = (report.status, miss, approval)
            store.saw_run(tx, run_id)

        await self._db.write(work)

    async def step(self, principal: Principal, run_id: str, index: int) -> StepRun:
        """One step of a run.

        Raises:
            NotFound: no such run, or no such step in it.
        """
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")

        def work(tx: Tx) -> StepRun:
            visible_run(tx, self._authorizer, principal, run_id)
            return reading.step_of(_step(tx, run_id, index))

        return await self._db.read(work)

    async def log(self, principal: Principal, run_id: str, index: int) -> str:
        """What a step printed; empty if nothing.

        Raises:
            NotFound: no such step, or its log is gone.
        """
        digest = (await self.step(principal, run_id, index)).log
        return (await self._blobs.read(digest)).decode(errors="replace") if digest is not None else ""

    async def decide(self, principal: Principal, run_id: str, index: int, wanted: Decide) -> StepRun:
        """Answers a step that waits for a person.

        Raises:
            NotFound: no such step.
            Conflict: it does not wait any more, or somebody answered.
            PermissionDenied: the principal may not approve, or started the run and may not answer itself.
        """
        self._authorizer.require(principal, Permission.APPROVE, what="steps that wait")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> StepRun:
            row = visible_run(tx, self._authorizer, principal, run_id)
            step = _step(tx, run_id, index)
            asked = check_waits(step.name, row.status, step.status, step.approval)
            starters = {row.principal, msgspec.json.decode(row.reason).get("asked_by")}
            if principal.id in starters and not asked.own:
                raise PermissionDenied(
                    "Whoever started a run does not approve its steps.",
                    hint="Ask somebody else, or write keel.approval(…, own=True).",
                )
            verdict = "approved" if wanted.approve else "rejected"
            by = names.get(principal.id, principal.name)
            answer = msgspec.structs.replace(
                asked, verdict=verdict, by=by, reason=wanted.reason[:2000], decided=rfc3339(tx.now)
            )
            store.answer(tx, run_id, index, msgspec.json.encode(answer))
            subject = {"run": run_id, "step": str(index)}
            texts = {"name": step.name, "question": asked.question, "reason": wanted.reason[:2000]}
            self._ledger.record(tx, principal, f"step.{verdict}", subject, {}, texts)
            return reading.step_of(_step(tx, run_id, index))

        return await self._db.write(work)

    def _record_step(
        self,
        tx: Tx,
        principal: Principal,
        run: sa.Row[Any],
        report: StepReport,
        miss: bytes,
        approval: bytes | None,
    ) -> None:
        if not miss and report.status != "cached" and report.parts is not None:
            last = reading.parts_of(store.last_parts(tx, run.workspace, f"{run.pipeline}/{report.name}"))
            miss = msgspec.json.encode(miss_reasons(report.parts, last))
        miss = miss or b"[]"
        store.put_step(tx, {**_step_row(run, report, miss), "approval": approval})
        if report.status in STEP_OPEN:
            return
        subject = {"run": run.run_id, "step": str(report.index)}
        data: dict[str, Any] = {"status": report.status, "key": report.key, "wall_us": report.wall_us}
        if report.attempt > 1:
            data["attempts"] = report.attempt
        if report.output is not None:
            data["output"] = report.output.digest
        kind = "step.ended"
        if report.status == "cached":
            kind = "step.cached"
            data |= {"paid_by": report.paid_by, "paid_step": report.paid_step, "saved_us": report.saved_us}
        elif report.status == "finished" and report.key is not None and report.parts is not None:
            row = {
                "workspace": run.workspace,
                "key": report.key,
                "run_id": run.run_id,
                "step": report.index,
                "output": msgspec.json.encode(report.output),
                "logged": msgspec.json.encode(report.logged),
                "wall_us": report.wall_us,
            }
            store.publish(tx, row)
            store.set_last_parts(tx, run.workspace, f"{run.pipeline}/{report.name}", msgspec.json.encode(report.parts))
        self._ledger.record(tx, principal, kind, subject, data, {"name": report.name})


def _from_cache(known: dict[str, CachedStep], report: StepReport) -> StepReport:
    """The report with what the cache itself says was paid, by whom, and for which result."""
    found = known.get(str(report.key))
    if found is None:
        raise Conflict("That result is not in the cache any more.", hint="Run the step.")
    return msgspec.structs.replace(
        report,
        output=found.output,
        paid_by=found.run_id,
        paid_step=found.step,
        saved_us=found.wall_us,
        logged=found.logged,
    )


def _check_held(tx: Tx, workspace: str, reports: list[StepReport]) -> None:
    outputs = [report.output for report in reports if report.output is not None and report.status == "finished"]
    logs = {report.log for report in reports if report.log is not None}
    check_digests(tx, workspace, logs | {digest for output in outputs for digest in output.blobs()})


def check_digests(tx: Tx, workspace: str, digests: set[str]) -> None:
    """Refuses content that the workspace does not hold.

    Raises:
        InvalidInput: some of it is not stored.
    """
    missing = digests - held(tx, workspace, digests).keys()
    if missing:
        raise InvalidInput(f"The blob {min(missing)} is not stored.", hint="Put it to /api/v1/blobs first.")


def _step(tx: Tx, run_id: str, index: int) -> sa.Row[Any]:
    row = store.step(tx, run_id, index) if 0 <= index < MOST_STEPS else None
    if row is None:
        raise NotFound(f"The run {run_id[:64]} has no step {str(index)[:20]}.")
    return row


def _step_row(run: sa.Row[Any], report: StepReport, miss: bytes) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "step": report.index,
        "workspace": run.workspace,
        "name": report.name,
        "status": report.status,
        "key": report.key,
        "parts": msgspec.json.encode(report.parts) if report.parts is not None else None,
        "inputs": msgspec.json.encode(report.inputs),
        "output": msgspec.json.encode(report.output) if report.output is not None else None,
        "logged": msgspec.json.encode(report.logged),
        "miss": miss,
        "started": report.started or now_ms(),
        "wall_us": report.wall_us,
        "cpu_us": report.cpu_us,
        "peak_bytes": report.peak_bytes,
        "paid_by": report.paid_by,
        "paid_step": report.paid_step,
        "saved_us": report.saved_us,
        "error": report.error[:2000],
        "attempts": report.attempt,
        "log": report.log,
    }
