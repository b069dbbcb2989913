"""Carries out what alerts ask for, and follows it to its end.

An action's row is written in the transaction that raised its alert. Launching is outside any transaction, so a crash
between the launch and its note repeats the launch: the launcher is told the action's id and answers a repeat with the
same run.
"""

import logging
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Principal, Role
from modelkeel.core.errors import KeelError, Unavailable
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.ports import Retrain
from modelkeel.monitoring.store import alerts as store
from modelkeel.monitoring.store import windows
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

ACCOUNT = "monitoring"
Row = sa.Row[Any]
_logger = logging.getLogger(__name__)


class Actions:
    """The hand of monitoring.

    Args:
        database: holds what is to be done.
        ledger: hears what was begun and how it ended.
        identity: keeps the service account that acts.
        retrain: starts pipelines; without one, actions wait.
    """

    def __init__(self, database: Database, ledger: Ledger, identity: Identity, retrain: Retrain | None) -> None:
        self._db = database
        self._ledger = ledger
        self._identity = identity
        self._retrain = retrain

    async def tick(self) -> bool:
        """Starts what waits and looks after what runs; says whether anything changed."""
        due = await self._db.read(lambda tx: store.actions_in(tx, ["pending", "running"]))
        changed = False
        for row in due:
            actor = await self._identity.service_account(row.workspace, ACCOUNT, [Role.MAINTAINER])
            if row.status == "pending":
                changed |= await self._start(actor, row)
            else:
                changed |= await self._follow(actor, row)
        return changed

    async def _start(self, actor: Principal, row: Row) -> bool:
        reason = {
            "action": row.id,
            "alert": row.alert,
            "incident": row.incident,
            "monitor": row.monitor,
            "window": row.window_start,
        }
        try:
            if self._retrain is None:
                raise Unavailable("Nothing here starts pipelines.")
            run = await self._retrain.launch(actor, row.target, msgspec.json.decode(row.params), reason)
        except Unavailable as error:
            _logger.warning("action %s waits: %s", row.id, error)
            return False
        except KeelError as error:
            return await self._end(actor, row, "failed", str(error))

        def work(tx: Tx) -> bool:
            store.set_action(tx, row.id, {"status": "running", "run": run, "started": tx.now})
            subject = self._subject(tx, row) | {"run": run}
            self._ledger.record(tx, actor, "action.started", subject, {"kind": row.kind}, {"target": row.target})
            return True

        return await self._db.write(work)

    async def _follow(self, actor: Principal, row: Row) -> bool:
        status = await self._retrain.ended(actor, row.run) if self._retrain is not None else None
        return False if status is None else await self._end(actor, row, status, "")

    async def _end(self, actor: Principal, row: Row, status: str, error: str) -> bool:
        def work(tx: Tx) -> bool:
            store.set_action(tx, row.id, {"status": status, "error": error or None, "ended": tx.now})
            subject = self._subject(tx, row)
            if row.run:
                subject["run"] = row.run
            texts = {"error": error} if error else {}
            self._ledger.record(tx, actor, "action.ended", subject, {"kind": row.kind, "status": status}, texts)
            return True

        return await self._db.write(work)

    def _subject(self, tx: Tx, row: Row) -> dict[str, str]:
        found = {"action": row.id, "alert": row.alert, "incident": row.incident, "monitor": row.monitor}
        monitor = windows.monitor_with_id(tx, row.monitor)
        if monitor is not None:
            found["endpoint"] = windows.endpoint_id(tx, row.workspace, monitor.endpoint)
        return found
