"""Verdicts on reruns."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core import ids
from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.pipelines import reading, store
from modelkeel.pipelines.finding import seen, visible_run
from modelkeel.pipelines.models import (
    VERDICTS,
)
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.wire.reproductions import RecordedReproduction, Reproduction


class Reproductions:
    """Verdicts of an installation.

    Args:
        database: where rows and entries commit together.
        ledger: hears of every verdict.
        authorizer: decides who may do what.
        identity: knows people's names.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, identity: Identity) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity

    async def record(self, principal: Principal, found: Reproduction) -> RecordedReproduction:
        """Records the verdict on a rerun, whose steps must bear out an `identical`."""
        self._authorizer.require(principal, Permission.TRACK, what="reproductions")
        if found.verdict not in VERDICTS:
            raise InvalidInput(f"A verdict is {', '.join(VERDICTS)}.")
        identity = ids.uuid7()

        def work(tx: Tx) -> sa.Row[Any]:
            visible_run(tx, self._authorizer, principal, found.run_id)
            again = visible_run(tx, self._authorizer, principal, found.rerun_id)
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

    async def verdicts(self, principal: Principal, run_id: str | None = None) -> list[RecordedReproduction]:
        """Verdicts of the workspace, or on one run, newest first."""
        self._authorizer.require(principal, Permission.READ, what="reproductions")
        names = await self._identity.names(principal)
        rows = await self._db.read(
            lambda tx: store.reproductions(tx, principal.workspace, run_id, 100, seen(self._authorizer, principal))
        )
        return [reading.reproduction_of(row, names) for row in rows]
