"""Pipeline runs: started, captured, ended, looked at."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.errors import Conflict, InvalidInput, PermissionDenied
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.pipelines import reading, store
from modelkeel.pipelines.finding import own_run, seen, visible_run
from modelkeel.pipelines.models import (
    ALIVE,
    ENDS,
    MLFLOW_STATUS,
    RunUsage,
    TrackedRuns,
    check_alive,
    check_name,
)
from modelkeel.pipelines.paying import Paid
from modelkeel.pipelines.reproductions import Reproductions
from modelkeel.pipelines.steps import Steps, check_digests
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.wire.captures import Capture
from modelkeel.wire.pipelines import EndRun, PipelineRun, RunSummary, Savings, Started, StartRun


class Pipelines:
    """Pipeline runs of an installation.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every state change.
        blobs: holds snapshots, locks and results.
        authorizer: decides who may do what.
        identity: knows people's names.
        tracking: makes and ends the MLflow run behind each pipeline run.

    Attributes:
        paid: results that need not be computed.
        steps: of the runs.
        reproductions: verdicts on reruns.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        blobs: BlobStore,
        authorizer: Authorizer,
        identity: Identity,
        tracking: TrackedRuns,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity
        self._tracking = tracking
        self.paid = Paid(database, blobs, authorizer)
        self.steps = Steps(database, ledger, blobs, authorizer, identity, self.paid)
        self.reproductions = Reproductions(database, ledger, authorizer, identity)

    async def start(self, principal: Principal, wanted: StartRun) -> Started:
        """Starts a pipeline run and its MLflow run, or takes up one that was launched.

        Returns:
            The run's id, and what the last finished run of the pipeline left in the cache.
        """
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        check_name("pipeline", wanted.pipeline)
        if wanted.resumes is not None:
            await self.paid.check_resumable(principal, wanted)
        if wanted.run_id is not None:
            await self._take_up(principal, wanted)
            run_id = wanted.run_id
        else:
            origin = "user" if wanted.reproduces is None else "reproduce"
            run_id = await self.open_run(principal, wanted, origin=origin, status="running", reason={})
        known = await self.paid.known(principal, wanted) if wanted.cache else []
        return Started(run_id, known, await self.paid.resumed(principal, wanted))

    async def open_run(
        self,
        principal: Principal,
        wanted: StartRun,
        *,
        origin: str,
        status: str,
        reason: dict[str, Any],
        cause: str | None = None,
    ) -> str:
        """Makes the MLflow run and the pipeline run with the same id.

        Raises:
            Conflict: a run was launched for the same cause.
        """
        tags = {"modelkeel.pipeline": wanted.pipeline, "modelkeel.origin": origin}
        if wanted.reproduces is not None:
            tags["modelkeel.reproduces"] = wanted.reproduces
        run_id = await self._tracking.make(principal, wanted.experiment, wanted.pipeline, tags)

        def work(tx: Tx) -> None:
            store.add_run(tx, {**_row_of(principal, run_id, wanted, tx.now, origin, status, reason), "cause": cause})
            self._record_start(tx, principal, run_id, wanted, origin)

        await self._db.write(work)
        return run_id

    async def capture(self, principal: Principal, run_id: str, found: Capture) -> None:
        """Records what stood behind a run. The blobs that it names must be stored already."""
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        snapshot, environment = found.snapshot, found.environment
        named = [snapshot.digest, snapshot.diff] if snapshot else []
        named += [environment.lock, *(wheel.digest for wheel in environment.wheels)]

        def work(tx: Tx) -> None:
            row = own_run(tx, self._authorizer, principal, run_id)
            check_alive(run_id, row.status, row.error)
            check_digests(tx, principal.workspace, {digest for digest in named if digest is not None})
            if snapshot is not None and store.add_snapshot(
                tx, principal.workspace, snapshot.digest, snapshot.files, snapshot.size
            ):
                data = {"digest": snapshot.digest, "files": snapshot.files, "size": snapshot.size}
                self._ledger.record(tx, principal, "snapshot.stored", {"snapshot": snapshot.digest}, data)
            values = {"capture": msgspec.json.encode(found), "snapshot": snapshot.digest if snapshot else None}
            store.change_run(tx, run_id, {**values, "seen": tx.now})

        await self._db.write(work)

    async def end(self, principal: Principal, run_id: str, wanted: EndRun) -> None:
        """Ends a run and its MLflow run; ending it again as it ended changes nothing."""
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        if wanted.status not in ENDS:
            raise InvalidInput(f"A run ends as {', '.join(sorted(ENDS))}.")

        def work(tx: Tx) -> bool:
            row = own_run(tx, self._authorizer, principal, run_id)
            if row.status == wanted.status:
                return False
            check_alive(run_id, row.status, row.error)
            self.close_run(tx, principal, row, wanted.status, wanted.error)
            return True

        if await self._db.write(work):
            await self._tracking.end(principal, run_id, MLFLOW_STATUS[wanted.status])

    def close_run(self, tx: Tx, principal: Principal, row: sa.Row[Any], status: str, error: str) -> None:
        """Ends a run in a transaction; its entry seals what was captured."""
        store.stop_steps(tx, row.run_id, "The run ended before the step did.")
        store.change_run(tx, row.run_id, {"status": status, "ended": tx.now, "seen": tx.now, "error": error[:2000]})
        sums = store.sums(tx, [row.run_id]).get(row.run_id)
        capture = msgspec.json.decode(row.capture, type=Capture) if row.capture else None
        data = {
            "status": status,
            "steps": sums.steps if sums else 0,
            "cached": sums.cached if sums else 0,
            "saved_us": sums.saved_us if sums else 0,
            "cpu_us": sums.cpu_us if sums else 0,
            "snapshot": row.snapshot,
            "lock": capture.environment.lock if capture else None,
            "environment": row.environment,
        }
        texts = {"error": error[:2000]} if error else {}
        self._ledger.record(tx, principal, "pipeline.ended", {"run": row.run_id}, data, texts, workspace=row.workspace)

    async def cancel(self, principal: Principal, run_id: str, reason: str) -> None:
        """Ends a run from outside; its process stops within seconds. One that has ended stays as it is.

        Raises:
            NotFound: no pipeline run of the workspace has this id.
            PermissionDenied: the principal did not start it, and is no maintainer.
        """
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> bool:
            row = visible_run(tx, self._authorizer, principal, run_id)
            if row.status not in ALIVE:
                return False
            starters = {row.principal, msgspec.json.decode(row.reason).get("asked_by")}
            if principal.id not in starters and Permission.DEPLOY not in principal.permissions:
                raise PermissionDenied("Whoever started a run cancels it, or a maintainer.")
            by = names.get(principal.id, principal.name)
            self.close_run(tx, principal, row, "killed", f"Cancelled by {by}. {reason[:500]}".strip())
            return True

        if await self._db.write(work):
            await self._tracking.end(principal, run_id, MLFLOW_STATUS["killed"])

    async def run(self, principal: Principal, run_id: str, *, after: int = -1, limit: int | None = None) -> PipelineRun:
        """One run with its steps, or with so many of them behind the step `after`.

        Raises:
            NotFound: no pipeline run of the workspace has this id.
        """
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> PipelineRun:
            row = visible_run(tx, self._authorizer, principal, run_id)
            groups = reading.groups_of(store.step_sums(tx, run_id))
            return reading.run_of(row, store.steps(tx, run_id, after=after, limit=limit), groups, names)

        return await self._db.read(work)

    async def runs(
        self, principal: Principal, pipeline: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[RunSummary]:
        """Runs of the workspace, newest first."""
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> list[RunSummary]:
            rows = store.runs(
                tx,
                principal.workspace,
                pipeline=pipeline,
                before=before,
                limit=limit,
                visible=seen(self._authorizer, principal),
            )
            sums = store.sums(tx, [row.run_id for row in rows])
            return [reading.summary_of(row, sums.get(row.run_id), names) for row in rows]

        return await self._db.read(work)

    async def savings(self, principal: Principal) -> Savings:
        """What the cache has spared the workspace so far."""
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")
        row = await self._db.read(lambda tx: store.savings(tx, principal.workspace))
        return Savings(
            cached_steps=int(row.cached),
            run_steps=int(row.ran),
            saved_seconds=int(row.saved_us) / 1e6,
            spent_seconds=int(row.spent_us) / 1e6,
        )

    async def usage(self, principal: Principal) -> list[RunUsage]:
        """What every run of the workspace used and was spared, newest first."""
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")
        rows = await self._db.read(lambda tx: store.usage(tx, principal.workspace, seen(self._authorizer, principal)))
        return [reading.usage_of(row) for row in rows]

    async def _take_up(self, principal: Principal, wanted: StartRun) -> None:
        def work(tx: Tx) -> None:
            row = own_run(tx, self._authorizer, principal, str(wanted.run_id))
            if row.status != "launching":
                raise Conflict(f"The run {wanted.run_id} was taken up already.")
            values = {
                "code": wanted.code,
                "environment": wanted.environment,
                "python": wanted.python,
                "params": msgspec.json.encode(wanted.params),
            }
            store.change_run(tx, row.run_id, {**values, "status": "running", "seen": tx.now})

        await self._db.write(work)

    def _record_start(self, tx: Tx, principal: Principal, run_id: str, wanted: StartRun, origin: str) -> None:
        data = {
            "origin": origin,
            "code": wanted.code,
            "environment": wanted.environment,
            "seed": wanted.seed,
            "reproduces": wanted.reproduces,
        }
        texts = {"pipeline": wanted.pipeline, "params": msgspec.json.encode(wanted.params).decode()}
        self._ledger.record(tx, principal, "pipeline.started", {"run": run_id}, data, texts)


def _row_of(
    principal: Principal, run_id: str, wanted: StartRun, now: int, origin: str, status: str, reason: dict[str, Any]
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "workspace": principal.workspace,
        "principal": principal.id,
        "pipeline": wanted.pipeline,
        "project": wanted.project,
        "target": wanted.target,
        "experiment": wanted.experiment,
        "status": status,
        "origin": origin,
        "reason": msgspec.json.encode(reason),
        "params": msgspec.json.encode(wanted.params),
        "seed": wanted.seed,
        "paths": msgspec.json.encode(wanted.paths),
        "code": wanted.code,
        "environment": wanted.environment,
        "python": wanted.python,
        "snapshot": None,
        "capture": None,
        "reproduces": wanted.reproduces,
        "resumes": wanted.resumes,
        "started": now,
        "seen": now,
        "ended": None,
        "pid": None,
        "error": "",
    }
