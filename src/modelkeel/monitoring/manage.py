"""Setting up, changing and removing monitors."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Permission, Principal
from modelkeel.core.canonical import canonical
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.hashing import sha256
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.alerts import Alerts
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.fold import Watched
from modelkeel.monitoring.models import Monitor
from modelkeel.monitoring.profile import read_profile
from modelkeel.monitoring.store import windows
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import held, hold
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import require_named

Row = sa.Row[Any]
_config = msgspec.json.Decoder(MonitorConfig)


class Monitors:
    """The monitors of an installation.

    Args:
        database: holds them.
        blobs: hold uploaded references.
        ledger: hears of each change.
        authorizer: decides who may watch and who may set.
        alerts: resolved with their monitor.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, ledger: Ledger, authorizer: Authorizer, alerts: Alerts
    ) -> None:
        self._db = database
        self._blobs = blobs
        self._ledger = ledger
        self._authorizer = authorizer
        self._alerts = alerts

    async def put(self, principal: Principal, endpoint: str, config: MonitorConfig) -> Monitor:
        """Watches an endpoint, from its first logged row on; the same configuration again changes nothing.

        A change of windows, reference or output has the log read again from its start; a change of rules has every
        window judged again.

        Raises:
            InvalidInput: the configuration is malformed, or names a reference that the workspace does not hold.
        """
        await self._may(principal, Permission.MONITOR, endpoint)
        config.check()
        if not endpoint or len(endpoint) > 100:
            raise InvalidInput("An endpoint's name has 1 to 100 characters.")
        encoded = canonical(msgspec.to_builtins(config))

        def work(tx: Tx) -> None:
            wanted = config.reference.digest
            if wanted is not None and not held(tx, principal.workspace, [wanted]):
                raise InvalidInput(f"There is no reference {wanted}.", hint="Upload it first.")
            self._put(tx, principal, endpoint, config, encoded.decode(), sha256(encoded))

        await self._db.write(work)
        return await self.get(principal, endpoint)

    async def put_reference(self, principal: Principal, endpoint: str, content: bytes) -> Monitor:
        """Uploads a reference (Parquet or Arrow IPC) and makes it the one of every revision of the endpoint.

        Raises:
            NotFound: the endpoint has no monitor.
            InvalidInput: the file can't be read.
        """
        config = (await self.get(principal, endpoint)).config
        await self._may(principal, Permission.MONITOR, endpoint)
        read_profile(content, config)
        blob = await self._blobs.put(content)
        await self._db.write(lambda tx: hold(tx, principal.workspace, [blob]))
        reference = msgspec.structs.replace(config.reference, digest=blob.digest)
        return await self.put(principal, endpoint, msgspec.structs.replace(config, reference=reference))

    async def delete(self, principal: Principal, endpoint: str) -> None:
        """Ends the watch and resolves its alerts; the prediction log stays.

        Raises:
            NotFound: there is no such monitor.
        """
        await self._may(principal, Permission.MONITOR, endpoint)

        def work(tx: Tx) -> None:
            row = _existing(tx, principal.workspace, endpoint)
            watched = watched_of(row)
            at = windows.endpoint_id(tx, row.workspace, row.endpoint)
            self._alerts.resolve_all(tx, watched, at, "the monitor was removed")
            windows.set_monitor(tx, row.id, {"deleted": tx.now})
            self._ledger.record(tx, principal, "monitor.deleted", {"monitor": row.id}, {}, {"endpoint": endpoint})

        await self._db.write(work)

    async def get(self, principal: Principal, endpoint: str) -> Monitor:
        """The monitor of an endpoint.

        Raises:
            NotFound: there is none.
        """
        await self._may(principal, Permission.READ, endpoint)
        return await self._db.read(lambda tx: _monitor(tx, _existing(tx, principal.workspace, endpoint)))

    async def all(self, principal: Principal) -> list[Monitor]:
        """Every monitor of the workspace."""
        self._authorizer.require(principal, Permission.READ, what="monitors", on=Kind.ENDPOINT)
        seen = self._authorizer.visible(principal, Kind.ENDPOINT)
        return await self._db.read(
            lambda tx: [_monitor(tx, row) for row in windows.monitors(tx, principal.workspace, seen)]
        )

    async def advance(self, principal: Principal, endpoint: str, until: int) -> Monitor:
        """Says that no row before an event time will come any more, so windows up to there close.

        Args:
            principal: who knows it.
            endpoint: its name.
            until: event time, milliseconds since 1970.
        """
        await self._may(principal, Permission.MONITOR, endpoint)

        def work(tx: Tx) -> None:
            row = _existing(tx, principal.workspace, endpoint)
            values = {"advanced": max(until, row.advanced), "watermark": max(until, row.watermark)}
            windows.set_monitor(tx, row.id, values)

        await self._db.write(work)
        return await self.get(principal, endpoint)

    async def _may(self, principal: Principal, permission: Permission, endpoint: str) -> None:
        what = f"the monitor of {endpoint}"
        await require_named(self._db, self._authorizer, principal, permission, Kind.ENDPOINT, endpoint, what)

    def _put(
        self, tx: Tx, principal: Principal, endpoint: str, config: MonitorConfig, encoded: str, digest: str
    ) -> None:
        row = windows.monitor_of(tx, principal.workspace, endpoint)
        if row is None:
            identity = uuid7(tx.now)
            values = {"id": identity, "workspace": principal.workspace, "endpoint": endpoint}
            windows.add_monitor(tx, {**values, "config": encoded, "digest": digest})
            kind = "monitor.created"
        elif row.deleted is None and row.digest == digest:
            return
        else:
            identity, kind = row.id, "monitor.created" if row.deleted is not None else "monitor.updated"
            fresh = {"config": encoded, "digest": digest, "updated": tx.now, "deleted": None}
            windows.set_monitor(tx, identity, fresh)
            if row.deleted is not None or _measured(_config.decode(row.config)) != _measured(config):
                windows.restart(tx, identity)
            else:
                windows.touch_windows(tx, identity)
        self._ledger.record(tx, principal, kind, {"monitor": identity}, {"digest": digest}, {"endpoint": endpoint})


def watched_of(row: Row) -> Watched:
    """A monitor's row with its configuration read."""
    return Watched(row, _config.decode(row.config))


def _measured(config: MonitorConfig) -> tuple[object, ...]:
    """The part of a configuration on which stored counts depend."""
    return config.window_ms, config.anchor_ms, config.output, config.reference


def _existing(tx: Tx, workspace: str, endpoint: str) -> Row:
    row = windows.monitor_of(tx, workspace, endpoint)
    if row is None or row.deleted is not None:
        raise NotFound(f"Endpoint {endpoint!r} has no monitor.", hint="Set one with PUT, or in modelkeel.toml.")
    return row


def _monitor(tx: Tx, row: Row) -> Monitor:
    return Monitor(
        id=row.id,
        endpoint=row.endpoint,
        config=_config.decode(row.config),
        digest=row.digest,
        watermark=rfc3339(row.watermark) if row.watermark >= 0 else None,
        behind=windows.behind(tx, row),
        created=rfc3339(row.created),
        updated=rfc3339(row.updated),
    )
