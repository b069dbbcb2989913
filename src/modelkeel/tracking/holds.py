"""Legal holds: what they lie on, and their life. Who may place one is judged by `keeping`, which knows versions too."""

from enum import StrEnum
from typing import Any

import msgspec

from modelkeel.core.access import Kind, Object, Permission, Principal
from modelkeel.core.errors import NotFound
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.base import Base


class HoldKind(StrEnum):
    """On what a legal hold may lie. On an experiment it covers its runs and logged models."""

    RUN = "run"
    EXPERIMENT = "experiment"
    VERSION = "version"


class Hold(msgspec.Struct, frozen=True):
    """A legal hold in force.

    Attributes:
        id: of the hold.
        kind: on what it lies.
        object: that thing's id; of a version, the model's id, a slash and the number.
        reason: why.
        placed: when, in ms since 1970.
        placed_by: id of who placed it.
    """

    id: str
    kind: HoldKind
    object: str
    reason: str
    placed: int
    placed_by: str


class Holds(Base):
    """Holds of a workspace."""

    async def holds(self, principal: Principal) -> list[Hold]:
        """Those in force on what the principal may read, oldest first."""

        def work(tx: Tx) -> list[Any]:
            rows = store.holds.in_force(tx, principal.workspace)
            return [row for row in rows if principal.may(Permission.READ, self._object(tx, row))]

        rows = await self._db.read(work)
        return [Hold(row.id, HoldKind(row.kind), row.object, row.reason, row.placed, row.placed_by) for row in rows]

    async def place_hold(self, principal: Principal, identity: str, kind: HoldKind, place: str, reason: str) -> Hold:
        """A new hold on an object that is known to be there."""

        def work(tx: Tx) -> Hold:
            row = {"id": identity, "workspace": principal.workspace, "kind": kind, "object": place, "reason": reason}
            store.holds.add(tx, {**row, "placed_by": principal.id})
            held = store.holds.find(tx, principal.workspace, identity)
            self._authorizer.require(principal, Permission.AUDIT, what=place, on=self._object(tx, held))
            about, texts = {"hold": identity, str(kind): place}, {"reason": reason}
            self._ledger.record(tx, principal, "hold.placed", about, {"kind": kind}, texts)
            return Hold(identity, kind, place, reason, tx.now, principal.id)

        return await self._db.write(work)

    async def release_hold(self, principal: Principal, identity: str) -> None:
        """Ends a hold.

        Raises:
            NotFound: there is none of that id in force.
        """

        def work(tx: Tx) -> None:
            row = store.holds.find(tx, principal.workspace, identity)
            if row is None or not principal.may(Permission.READ, self._object(tx, row)):
                raise NotFound(f"There is no legal hold {identity[:64]} in force.", hint="See `modelkeel hold list`.")
            self._authorizer.require(principal, Permission.AUDIT, what="this hold", on=self._object(tx, row))
            store.holds.release(tx, identity)
            about = {"hold": identity, row.kind: row.object}
            self._ledger.record(tx, principal, "hold.released", about, {"kind": row.kind})

        await self._db.write(work)

    def _object(self, tx: Tx, row: Any) -> Object:
        """What a hold belongs to: whoever is denied that is not told of the hold either."""
        if row.kind == HoldKind.VERSION:
            return Object(Kind.MODEL, row.object.partition("/")[0])
        if row.kind == HoldKind.EXPERIMENT:
            return Object(Kind.EXPERIMENT, row.object)
        run = store.runs.find(tx, row.workspace, row.object)
        return Object(Kind.EXPERIMENT, run.experiment if run is not None else "")
