"""Pipeline runs: started, filled with steps, captured, ended; and the cache that every finished step feeds."""

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core import ids
from modelkeel.core.access import Authorizer, Kind, Permission, Principal, Visible
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.pipelines import reading, store
from modelkeel.pipelines.models import (
    ENDS,
    MLFLOW_STATUS,
    VERDICTS,
    RunUsage,
    TrackedRuns,
    check_alive,
    check_name,
    check_report,
    miss_reasons,
)
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import held
from modelkeel.storage.transaction import Tx
from modelkeel.wire.pipelines import (
    CachedStep,
    Capture,
    EndRun,
    PipelineRun,
    RecordedReproduction,
    Reproduction,
    RunSummary,
    Savings,
    Started,
    StartRun,
    StepReport,
)

MOST_KNOWN = 2000


class Pipelines:
    """Pipeline runs of an installation.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every state change.
        blobs: holds snapshots, locks and results.
        authorizer: decides who may do what.
        identity: knows people's names.
        tracking: makes and ends the MLflow run behind each pipeline run.
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
        self._blobs = blobs
        self._authorizer = authorizer
        self._identity = identity
        self._tracking = tracking

    async def start(self, principal: Principal, wanted: StartRun) -> Started:
        """Starts a pipeline run and its MLflow run, or takes up one that was launched.

        Returns:
            The run's id, and what the last finished run of the pipeline left in the cache.
        """
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        check_name("pipeline", wanted.pipeline)
        if wanted.run_id is not None:
            await self._take_up(principal, wanted)
            run_id = wanted.run_id
        else:
            origin = "user" if wanted.reproduces is None else "reproduce"
            run_id = await self.open_run(principal, wanted, origin=origin, status="running", reason={})
        known = await self._known(principal, wanted) if wanted.cache else []
        return Started(run_id, known)

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

    async def lookup(self, principal: Principal, keys: list[str]) -> list[CachedStep]:
        """Those of `keys` whose results the workspace has, whole. A damaged or missing result is left out."""
        self._authorizer.require(principal, Permission.READ, what="the step cache")
        rows = await self._db.read(
            lambda tx: store.cached(
                tx, principal.workspace, keys[:MOST_KNOWN], launched=_trusts_launched_only(principal)
            )
        )
        return await self._whole(reading.cached_of(row) for row in rows)

    async def report(self, principal: Principal, run_id: str, reports: list[StepReport]) -> None:
        """Records what became of steps; each end is an entry, and a finished step's result is cached."""
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        for report in reports:
            check_report(report)

        def work(tx: Tx) -> None:
            row = self._mine(tx, principal, run_id)
            check_alive(run_id, row.status)
            _check_held(tx, principal.workspace, reports)
            before = store.known_steps(tx, run_id, [report.index for report in reports])
            keys = [report.key for report in reports if report.status == "cached" and report.key is not None]
            found = store.cached(tx, row.workspace, keys, launched=_trusts_launched_only(principal))
            known = {cached.key: cached for cached in map(reading.cached_of, found)}
            for report in reports:
                status, miss = before.get(report.index, ("", b""))
                if status in {"", "running"}:
                    told = _from_cache(known, report) if report.status == "cached" else report
                    self._record_step(tx, principal, row, told, miss)
                    before[report.index] = (report.status, miss)
            store.saw_run(tx, run_id)

        await self._db.write(work)

    async def capture(self, principal: Principal, run_id: str, found: Capture) -> None:
        """Records what stood behind a run. The blobs that it names must be stored already."""
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        snapshot, environment = found.snapshot, found.environment
        named = [snapshot.digest, snapshot.diff] if snapshot else []
        named += [environment.lock, *(wheel.digest for wheel in environment.wheels)]

        def work(tx: Tx) -> None:
            row = self._mine(tx, principal, run_id)
            check_alive(run_id, row.status)
            _check_digests(tx, principal.workspace, {digest for digest in named if digest is not None})
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
            row = self._mine(tx, principal, run_id)
            if row.status == wanted.status:
                return False
            check_alive(run_id, row.status)
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

    async def run(self, principal: Principal, run_id: str) -> PipelineRun:
        """One run with its steps.

        Raises:
            NotFound: no pipeline run of the workspace has this id.
        """
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> PipelineRun:
            row = store.run(tx, principal.workspace, run_id, self._seen(principal))
            if row is None:
                raise _no_run(run_id)
            return reading.run_of(row, store.steps(tx, run_id), names)

        return await self._db.read(work)

    async def runs(
        self, principal: Principal, pipeline: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[RunSummary]:
        """Runs of the workspace, newest first."""
        self._authorizer.require(principal, Permission.READ, what="pipeline runs")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> list[RunSummary]:
            rows = store.runs(
                tx, principal.workspace, pipeline=pipeline, before=before, limit=limit, visible=self._seen(principal)
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
        rows = await self._db.read(lambda tx: store.usage(tx, principal.workspace, self._seen(principal)))
        return [reading.usage_of(row) for row in rows]

    async def record_reproduction(self, principal: Principal, found: Reproduction) -> RecordedReproduction:
        """Records the verdict on a rerun, whose steps must bear out an `identical`."""
        self._authorizer.require(principal, Permission.TRACK, what="reproductions")
        if found.verdict not in VERDICTS:
            raise InvalidInput(f"A verdict is {', '.join(VERDICTS)}.")
        identity = ids.uuid7()

        def work(tx: Tx) -> sa.Row[Any]:
            first = store.run(tx, principal.workspace, found.run_id, self._seen(principal))
            again = store.run(tx, principal.workspace, found.rerun_id, self._seen(principal))
            if first is None or again is None:
                raise _no_run(found.run_id if first is None else found.rerun_id)
            if again.reproduces != found.run_id:
                raise InvalidInput(f"The run {found.rerun_id} is no rerun of {found.run_id}.")
            data = {
                "verdict": found.verdict,
                "steps": found.steps,
                "models": found.models,
                "files": found.files,
                "metrics": found.metrics,
                "differences": len(found.differences),
            }
            subject = {"run": found.run_id, "rerun": found.rerun_id}
            texts = {"first": f"{found.differences[0].kind} {found.differences[0].name}"} if found.differences else {}
            entry = self._ledger.record(tx, principal, "reproduction.recorded", subject, data, texts)
            row = {
                "id": identity,
                "workspace": principal.workspace,
                "run_id": found.run_id,
                "rerun_id": found.rerun_id,
                "verdict": found.verdict,
                "report": msgspec.json.encode(found),
                "principal": principal.id,
                "entry": entry,
                "created": tx.now,
            }
            store.add_reproduction(tx, row)
            return store.reproductions(tx, principal.workspace, found.run_id, 1)[0]

        row = await self._db.write(work)
        return reading.reproduction_of(row, await self._identity.names(principal))

    async def reproductions(self, principal: Principal, run_id: str | None = None) -> list[RecordedReproduction]:
        """Verdicts of the workspace, or on one run, newest first."""
        self._authorizer.require(principal, Permission.READ, what="reproductions")
        names = await self._identity.names(principal)
        rows = await self._db.read(
            lambda tx: store.reproductions(tx, principal.workspace, run_id, 100, self._seen(principal))
        )
        return [reading.reproduction_of(row, names) for row in rows]

    def _seen(self, principal: Principal) -> Visible:
        """Which experiments may be read: pipeline runs follow the experiment of their run."""
        return self._authorizer.visible(principal, Kind.EXPERIMENT)

    async def _take_up(self, principal: Principal, wanted: StartRun) -> None:
        def work(tx: Tx) -> None:
            row = self._mine(tx, principal, str(wanted.run_id))
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

    async def _known(self, principal: Principal, wanted: StartRun) -> list[CachedStep]:
        def work(tx: Tx) -> list[CachedStep]:
            at = (tx, principal.workspace, wanted.pipeline)
            last = store.last_run(*at, captured=False, project=wanted.project, visible=self._seen(principal))
            keys = store.keys_of(tx, last.run_id)[:MOST_KNOWN] if last is not None else []
            found = store.cached(tx, principal.workspace, keys, launched=_trusts_launched_only(principal))
            return [reading.cached_of(row) for row in found]

        return await self._whole(await self._db.read(work))

    async def _whole(self, found: Iterable[CachedStep]) -> list[CachedStep]:
        """Those cached steps of whose result every blob is there with its full size."""
        whole = []
        for step in found:
            for digest, size in step.output.blobs().items():
                try:
                    ref = await self._blobs.stat(digest)
                except NotFound:
                    break
                if ref.size != size:
                    break
            else:
                whole.append(step)
        return whole

    def _mine(self, tx: Tx, principal: Principal, run_id: str) -> sa.Row[Any]:
        """The run, if the principal itself started it: only its token adds to it and feeds the cache from it."""
        row = store.run(tx, principal.workspace, run_id, self._seen(principal))
        if row is None:
            raise _no_run(run_id)
        if row.principal != principal.id:
            raise PermissionDenied("Only the one who started a pipeline run adds to it.")
        return row

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

    def _record_step(self, tx: Tx, principal: Principal, run: sa.Row[Any], report: StepReport, miss: bytes) -> None:
        if not miss and report.status != "cached" and report.parts is not None:
            last = reading.parts_of(store.last_parts(tx, run.workspace, f"{run.pipeline}/{report.name}"))
            miss = msgspec.json.encode(miss_reasons(report.parts, last))
        miss = miss or b"[]"
        store.put_step(tx, _step_row(run, report, miss))
        if report.status == "running":
            return
        subject = {"run": run.run_id, "step": str(report.index)}
        data: dict[str, Any] = {"status": report.status, "key": report.key, "wall_us": report.wall_us}
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
    _check_digests(tx, workspace, {digest for output in outputs for digest in output.blobs()})


def _check_digests(tx: Tx, workspace: str, digests: set[str]) -> None:
    missing = digests - held(tx, workspace, digests).keys()
    if missing:
        raise InvalidInput(f"The blob {min(missing)} is not stored.", hint="Put it to /api/v1/blobs first.")


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"There is no pipeline run {run_id[:64]}.", hint="`modelkeel runs` lists them.")


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
        "started": now,
        "seen": now,
        "ended": None,
        "pid": None,
        "error": "",
    }


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
    }


def _trusts_launched_only(principal: Principal) -> bool:
    """A run that the server started may be promoted without a person, so nobody else's results may flow into it."""
    return principal.kind == "service"
