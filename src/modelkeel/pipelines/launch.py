"""Runs that the server starts: a worker process with the code and environment that the pipeline's last run captured."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Grants, Kind, Permission, Principal, Role, Visible
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, KeelError, NotFound
from modelkeel.core.secrets import PREFIX, resolve
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import SYSTEM
from modelkeel.pipelines import store
from modelkeel.pipelines.models import LOST_MS, MLFLOW_STATUS, TrackedRuns
from modelkeel.pipelines.service import Pipelines
from modelkeel.storage.database import Database
from modelkeel.storage.home import Home
from modelkeel.storage.transaction import Tx
from modelkeel.wire.pipelines import Confined, Job, StartRun

ACCOUNT = "pipelines"
TOKEN_SECONDS = 24 * 3600
LOOK_SECONDS = 1.0
WORKER = "modelkeel.sdk.worker"
_CHILD = frozenset({Permission.READ, Permission.TRACK, Permission.REGISTER})
_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "UV_CACHE_DIR")
_log = logging.getLogger(__name__)


class Launches:
    """Starts worker processes and looks after every run that has not ended.

    Args:
        database: knows the runs.
        pipelines: makes and ends them.
        authorizer: decides who may launch.
        identity: keeps the account under which workers act, and mints their tokens.
        tracking: ends the MLflow runs of lost workers.
        home: holds jobs, logs, environments and scratch folders.
        url: where workers find the server.
        read: further files and folders that workers may read.
        demanded: whether nothing is started where this machine can't confine it.
        secrets: which pipelines the operator gives which secrets, each as `PIPELINE:NAME`.
    """

    def __init__(
        self,
        database: Database,
        pipelines: Pipelines,
        authorizer: Authorizer,
        identity: Identity,
        tracking: TrackedRuns,
        home: Home,
        url: str,
        *,
        read: Sequence[Path] = (),
        demanded: bool = False,
        secrets: Sequence[str] = (),
    ) -> None:
        self._db = database
        self._pipelines = pipelines
        self._authorizer = authorizer
        self._identity = identity
        self._tracking = tracking
        self._home = home
        self._url = url
        self._secrets = [one.partition(":") for one in secrets]
        self._confined = Confined(urlsplit(url).netloc, [str(path) for path in read], demanded)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._starting: set[str] = set()

    async def launch(self, principal: Principal, pipeline: str, params: dict[str, Any], reason: dict[str, Any]) -> str:
        """Starts a run of a pipeline and returns its id; the same `reason["action"]` again returns the same run.

        Args:
            principal: who asks; the run itself acts as a service account.
            pipeline: its name.
            params: what differs from the parameters of its last captured run. A name that the pipeline does not have
                is left out.
            reason: why, as opaque ids and numbers.

        Raises:
            NotFound: no finished run of this pipeline was captured.
        """
        self._authorizer.require(principal, Permission.TRACK, what="pipeline runs")
        cause = str(reason["action"]) if reason.get("action") else None

        def find(tx: Tx) -> tuple[str | None, sa.Row[Any] | None]:
            before = store.run_by_cause(tx, principal.workspace, cause) if cause else None
            at = (tx, principal.workspace, pipeline)
            return before, store.last_run(*at, captured=True, visible=_tracked_by(principal))

        before, source = await self._db.read(find)
        if before is not None:
            return before
        if source is None:
            raise NotFound(
                f"No finished run of the pipeline {pipeline!r} has a snapshot.", hint="Run it once: `modelkeel run`."
            )
        actor = await self._account(principal.workspace)
        known = msgspec.json.decode(source.params)
        wanted = StartRun(
            pipeline=pipeline,
            project=source.project,
            target=source.target,
            params=known | {name: value for name, value in params.items() if name in known},
            seed=source.seed,
            paths=msgspec.json.decode(source.paths),
            code=source.code,
            experiment=source.experiment,
            environment=source.environment,
            python=source.python,
        )
        told = {**reason, "source": source.run_id, "asked_by": principal.id}
        try:
            run_id = await self._pipelines.open_run(
                actor, wanted, origin="launch", status="launching", reason=told, cause=cause
            )
        except Conflict:
            again, _ = await self._db.read(find)
            if again is None:
                raise
            return again
        await self._start(run_id, principal.workspace)
        return run_id

    async def watch(self) -> None:
        """Looks after runs for ever: starts those that wait for a worker, ends those that nobody works on."""
        while True:
            for row in await self._db.read(store.alive):
                try:
                    await self._look(row)
                except KeelError:
                    _log.exception("run %s could not be looked after", row.run_id)
            for run in [run for run, child in self._children.items() if child.poll() is not None]:
                del self._children[run]
                # The worker could empty its folder, but not remove it.
                await asyncio.to_thread(shutil.rmtree, self._home.folder("scratch") / run, ignore_errors=True)
            await asyncio.sleep(LOOK_SECONDS)

    async def cancel(self, principal: Principal, run_id: str, reason: str) -> None:
        """Ends a run from outside, and its worker at once where that is this server's. See `Pipelines.cancel`."""
        await self._pipelines.cancel(principal, run_id, reason)
        child = self._children.get(run_id)
        if child is not None and child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    async def end(self, workspace: str, run_id: str, reason: str) -> None:
        """Ends a run that the server started, for a reason of the server's own."""
        await self.cancel(await self._account(workspace), run_id, reason)

    async def _look(self, row: sa.Row[Any]) -> None:
        if row.origin != "launch":
            if now_ms() - row.seen > LOST_MS:
                await self._lost(row, "The process that ran it was not heard of for five minutes.")
        elif row.pid is None:
            await self._start(row.run_id, row.workspace)
        elif not self._lives(row):
            await self._lost(row, self._last_words(row.run_id))

    async def _start(self, run_id: str, workspace: str) -> None:
        """Starts the worker of a run that waits for one."""
        if run_id in self._starting:
            return
        self._starting.add(run_id)
        try:
            row = await self._db.read(lambda tx: store.run(tx, workspace, run_id))
            if row is None or row.status != "launching" or row.pid is not None:
                return
            actor = await self._account(workspace)
            token = await self._identity.tokens.mint_child(actor, _CHILD, TOKEN_SECONDS)
            child = await asyncio.to_thread(self._spawn, row, token.secret)
            self._children[run_id] = child
            await self._db.write(lambda tx: store.change_run(tx, run_id, {"pid": child.pid}))
        finally:
            self._starting.discard(run_id)

    def _spawn(self, row: sa.Row[Any], token: str) -> "subprocess.Popen[bytes]":
        job = Job(
            source=msgspec.json.decode(row.reason)["source"],
            params=msgspec.json.decode(row.params),
            seed=row.seed,
            cache=True,
            environments=str(self._home.folder("environments")),
            scratch=str(self._home.folder("scratch") / row.run_id),
            run_id=row.run_id,
            confined=self._confined,
        )
        file = self._job(row.run_id)
        file.write_bytes(msgspec.json.encode(job))
        variables = {name: os.environ[name] for name in _KEPT if name in os.environ}
        variables |= {"MODELKEEL_URL": self._url, "MODELKEEL_TOKEN": token, "PYTHONUNBUFFERED": "1"}
        variables |= self._given(row.pipeline)
        with self._log_of(row.run_id).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", WORKER, str(file)],
                env=variables,
                cwd=self._home.path,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _given(self, pipeline: str) -> dict[str, str]:
        """The secrets that the operator gives a pipeline, by variable. One that is not there is the step's to miss."""
        found = {}
        for whose, _, name in self._secrets:
            if whose == pipeline:
                with contextlib.suppress(NotFound):
                    found[PREFIX + name] = resolve(name, os.environ, self._home.path / "secrets")
        return found

    async def _lost(self, row: sa.Row[Any], error: str) -> None:
        def work(tx: Tx) -> bool:
            now = store.run(tx, row.workspace, row.run_id)
            if now is None or now.ended is not None or now.seen > row.seen:
                return False
            self._pipelines.close_run(tx, SYSTEM, now, "failed", error)
            return True

        if await self._db.write(work):
            about = Principal(row.principal, ACCOUNT, "service", row.workspace, _CHILD)
            await self._tracking.end(about, row.run_id, MLFLOW_STATUS["failed"])

    def _lives(self, row: sa.Row[Any]) -> bool:
        """Whether the worker's process is there; of another server's child the command line tells."""
        child = self._children.get(row.run_id)
        if child is not None and child.poll() is not None:
            return False
        try:
            told = Path(f"/proc/{row.pid}/cmdline").read_bytes()
        except OSError:
            return False
        return os.fsencode(self._job(row.run_id)) in told

    def _last_words(self, run_id: str) -> str:
        try:
            lines = self._log_of(run_id).read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"The worker ended without a word of its run. {lines[-1] if lines else ''}".strip()

    def _job(self, run_id: str) -> Path:
        return self._home.folder("jobs") / f"{run_id}.json"

    def _log_of(self, run_id: str) -> Path:
        return self._home.folder("logs") / f"{run_id}.log"

    async def _account(self, workspace: str) -> Principal:
        return await self._identity.service_account(workspace, ACCOUNT, [Role.CONTRIBUTOR])


def _tracked_by(principal: Principal) -> Visible:
    """The experiments in which somebody who may track in the workspace may do so: all but those denied."""
    held = principal.grants.get(Kind.EXPERIMENT, Grants())
    barred = {Permission.READ, Permission.TRACK}
    return Visible(None, frozenset(at for at, denied in held.denied.items() if barred & denied))
