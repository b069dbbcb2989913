"""What every part of the service of traces works with."""

from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.errors import NotFound
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.traces import store
from modelkeel.tracking.service import Tracking


class Base:
    """The shared ground.

    Args:
        database: where rows and entries commit together.
        ledger: where tags, deletions and assessments are recorded.
        authorizer: decides who may do what.
        tracking: knows experiments and runs.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, tracking: Tracking) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._tracking = tracking

    def _may_read(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.READ, what="traces", on=Kind.EXPERIMENT)

    def _reads(self, principal: Principal, experiment: str) -> bool:
        return principal.may(Permission.READ, Object(Kind.EXPERIMENT, experiment))

    def _require_track(self, principal: Principal, experiment: str) -> None:
        on = Object(Kind.EXPERIMENT, experiment)
        self._authorizer.require(principal, Permission.TRACK, what="traces", on=on)

    def _row(self, tx: Tx, principal: Principal, trace_id: str) -> sa.Row[Any]:
        """A trace's row; one that may not be read is as if it were not there."""
        found = store.traces.row(tx, principal.workspace, trace_id)
        if found is None or not self._reads(principal, found.experiment):
            raise NotFound(f"Trace with ID '{trace_id}' not found.")
        return found

    def _writable(self, tx: Tx, principal: Principal, trace_id: str) -> sa.Row[Any]:
        found = self._row(tx, principal, trace_id)
        self._require_track(principal, found.experiment)
        return found
