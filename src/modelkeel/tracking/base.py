"""What every part of the tracking service works with."""

import asyncio
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal, Visible
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import experiment_id
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.live import Growth, Live
from modelkeel.tracking.models import DEFAULT_EXPERIMENT, RunStatus, require_active
from modelkeel.tracking.store.metrics import KeyCache
from modelkeel.tracking.store.runs import RunRow

DEFAULT_ALIAS = "0"


class Base:
    """The shared ground of the parts of `Tracking`.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        blobs: where content is.
        authorizer: decides who may do what.
    """

    def __init__(self, database: Database, ledger: Ledger, blobs: BlobStore, authorizer: Authorizer) -> None:
        self._db = database
        self._ledger = ledger
        self._blobs = blobs
        self._authorizer = authorizer
        self._growth, self._live = Growth(), Live()
        self._keys = KeyCache(grew=self._grew)
        self._defaults: dict[str, str] = {}
        self._default_lock = asyncio.Lock()

    def _grew(self, points: dict[int, int]) -> None:
        """On the database's writer thread, after a commit."""
        self._growth.add(points)
        self._live.wake(points)

    def _may_read(self, principal: Principal, what: str) -> None:
        """Whether anything may be read; each method then names the experiment, or filters by `_seen`."""
        self._authorizer.require(principal, Permission.READ, what=what, on=Kind.EXPERIMENT)

    def _may_track(self, principal: Principal, what: str) -> None:
        """Whether anything may be tracked; each method then names the experiment."""
        self._authorizer.require(principal, Permission.TRACK, what=what, on=Kind.EXPERIMENT)

    def _seen(self, principal: Principal) -> Visible:
        return self._authorizer.visible(principal, Kind.EXPERIMENT)

    def _reads(self, principal: Principal, experiment: str) -> bool:
        """Whether the experiment, and all below it, may be read; else it is as if it were not there."""
        return principal.may(Permission.READ, Object(Kind.EXPERIMENT, experiment))

    def _require_track(self, principal: Principal, experiment: str, what: str) -> None:
        """Writing below one experiment; `what` is what is written, in words."""
        self._authorizer.require(principal, Permission.TRACK, what=what, on=Object(Kind.EXPERIMENT, experiment))

    def _run_seen(self, tx: Tx, principal: Principal, run_id: str) -> RunRow | None:
        """A run's row, unless it is none that the principal may read."""
        row = store.runs.find(tx, principal.workspace, run_id)
        return row if row is not None and self._reads(principal, row.experiment) else None

    async def _experiment_id(self, principal: Principal, identity: str) -> str:
        """An experiment's id; `0`, or nothing, names the workspace's Default."""
        if identity not in {DEFAULT_ALIAS, ""}:
            return identity
        return await self._default(principal)

    async def _default(self, principal: Principal) -> str:
        """The id of the workspace's Default experiment, made on first use."""
        at = principal.workspace
        if at in self._defaults:
            return self._defaults[at]

        def work(tx: Tx) -> str:
            found = store.experiments.default_of(tx, at)
            if found is None:
                found = experiment_id()
                store.experiments.add(tx, found, at, DEFAULT_EXPERIMENT, {})
                store.experiments.set_default(tx, at, found)
                texts = {"name": DEFAULT_EXPERIMENT}
                self._ledger.record(tx, SYSTEM, "experiment.created", {"experiment": found}, {}, texts, workspace=at)
            return found

        async with self._default_lock:
            if at not in self._defaults:
                self._defaults[at] = await self._db.write(work)
        return self._defaults[at]

    def _writable_run(self, tx: Tx, principal: Principal, run_id: str) -> RunRow:
        """The run that is to be written to.

        Raises:
            NotFound: no such run in the principal's workspace.
            InvalidInput: it is deleted.
        """
        if not run_id:
            raise InvalidInput("Missing value for required parameter 'run_id'.")
        found = self._run_seen(tx, principal, run_id)
        if found is None:
            raise NotFound(f"Run with id={run_id} not found")
        self._require_track(principal, found.experiment, f"run {run_id}")
        require_active(found.lifecycle, "run", run_id)
        return found

    def _wrote(self, tx: Tx, row: RunRow | sa.Row[Any]) -> None:
        """After a write to a run that has ended: its seal no longer holds, it wants another."""
        if RunStatus(row.status).ended:
            store.runs.touched(tx, row.seq)
