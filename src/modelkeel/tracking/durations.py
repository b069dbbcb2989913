"""How long runs took, as far as this server saw it."""

import msgspec

from modelkeel.core.access import Authorizer, Kind, Permission, Principal
from modelkeel.storage.database import Database
from modelkeel.tracking.store import durations as store


class Duration(msgspec.Struct, frozen=True):
    """An ended run and its wall time in seconds.

    Start and end are the client's; time before the server heard of the run (an import, a wrong clock) does not count.
    """

    id: str
    name: str
    seconds: float


class Durations:
    """Reads how long runs took.

    Args:
        database: holds the runs.
        authorizer: decides who may see them.
    """

    def __init__(self, database: Database, authorizer: Authorizer) -> None:
        self._db = database
        self._authorizer = authorizer

    async def of(self, principal: Principal) -> list[Duration]:
        """Every ended run of the workspace, deleted ones too: they took their time all the same."""
        self._authorizer.require(principal, Permission.READ, what="runs", on=Kind.EXPERIMENT)
        seen = self._authorizer.visible(principal, Kind.EXPERIMENT)
        rows = await self._db.read(lambda tx: store.ended(tx, principal.workspace, seen))
        return [Duration(row.id, row.name, max(row.ended - max(row.started, row.created), 0) / 1000) for row in rows]
