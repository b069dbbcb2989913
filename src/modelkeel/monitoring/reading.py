"""Windows, alerts and incidents as readers see them."""

from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Permission, Principal
from modelkeel.core.clock import parse_rfc3339, rfc3339
from modelkeel.core.errors import Conflict, InvalidInput, NotFound
from modelkeel.ledger.models import Entry
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.manage import watched_of
from modelkeel.monitoring.models import Action, Alert, Incident, Moment, RevisionWindow, Window
from modelkeel.monitoring.store import alerts as store
from modelkeel.monitoring.store import windows
from modelkeel.monitoring.stored import decode_profile, decode_window, merged_stats
from modelkeel.monitoring.verdicts import histograms
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import require_named

Row = sa.Row[Any]


class Reader:
    """What monitoring has found.

    Args:
        database: holds it.
        ledger: holds the timelines.
        authorizer: decides who may see.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer

    async def windows(
        self, principal: Principal, endpoint: str, since: int | None, until: int | None, limit: int
    ) -> list[Window]:
        """An endpoint's windows that start in [since, until), oldest first; of more than `limit` the newest.

        Raises:
            NotFound: the endpoint has no monitor.
        """
        await self._may_read(principal, endpoint, "windows")

        def work(tx: Tx) -> list[Window]:
            watched = watched_of(_monitor(tx, principal, endpoint))
            rows = windows.windows(tx, watched.id, since, until, limit)
            found: dict[int, list[RevisionWindow]] = {row.start: [] for row in rows}
            for item in windows.verdicts(tx, watched.id, list(found)):
                found[item.start].append(decode_window(item.body))
            length = watched.config.window_ms
            return [
                Window(
                    start=rfc3339(row.start),
                    end=rfc3339(row.start + length),
                    closed=row.closed is not None,
                    rows=sum(r.rows for r in found[row.start] if r.variant == "live"),
                    revisions=found[row.start],
                )
                for row in reversed(rows)
            ]

        return await self._db.read(work)

    async def histograms(self, principal: Principal, endpoint: str, start: str, revision: str) -> dict[str, Any]:
        """Every column's histogram of a window beside the reference's.

        Args:
            principal: who asks.
            endpoint: its name.
            start: of the window, RFC 3339.
            revision: whose rows.

        Raises:
            NotFound: there is no such window.
        """
        await self._may_read(principal, endpoint, "windows")
        at = parse_rfc3339(start)

        def work(tx: Tx) -> dict[str, Any]:
            row = _monitor(tx, principal, endpoint)
            stats = merged_stats(windows.stats(tx, row.id, [at]), revision)
            known = {r.revision: r.profile for r in windows.references(tx, row.id)}
            if stats is None or revision not in known:
                raise NotFound(f"There is no window at {start} with rows of revision {revision}.")
            profile = decode_profile(known[revision])
            return {name: histograms(profile, stats, name) for name in profile.columns if name in stats.columns}

        return await self._db.read(work)

    async def alerts(self, principal: Principal, endpoint: str | None, status: str | None, limit: int) -> list[Alert]:
        """Alerts of the workspace, newest first; `active` means open or acknowledged."""
        self._authorizer.require(principal, Permission.READ, what="alerts", on=Kind.ENDPOINT)
        if status not in {None, "active", "open", "acknowledged", "resolved"}:
            raise InvalidInput(f"{status!r} is no status.", hint="Use active, open, acknowledged or resolved.")

        def work(tx: Tx) -> list[Alert]:
            rows = store.alerts(
                tx,
                principal.workspace,
                endpoint=endpoint,
                status=status,
                limit=limit,
                visible=principal.sees(Kind.ENDPOINT),
            )
            return [alert_of(row) for row in rows]

        return await self._db.read(work)

    async def alert(self, principal: Principal, identity: str) -> Alert:
        """One alert.

        Raises:
            NotFound: the workspace has none of that id.
        """
        self._authorizer.require(principal, Permission.READ, what="alerts", on=Kind.ENDPOINT)
        return await self._db.read(lambda tx: alert_of(_alert(tx, principal, identity)))

    async def acknowledge(self, principal: Principal, identity: str, note: str) -> Alert:
        """Says that somebody looks after an alert; a second time changes nothing.

        Raises:
            Conflict: it is resolved.
        """
        self._authorizer.require(principal, Permission.MONITOR, what="alerts", on=Kind.ENDPOINT)
        seen = await self.alert(principal, identity)
        await require_named(
            self._db, self._authorizer, principal, Permission.MONITOR, Kind.ENDPOINT, seen.endpoint, "alerts"
        )

        def work(tx: Tx) -> Alert:
            row = _alert(tx, principal, identity)
            if row.status == "resolved":
                raise Conflict("This alert is resolved.")
            if row.status == "open":
                values = {"status": "acknowledged", "acknowledged": tx.now, "acknowledged_by": principal.id}
                store.set_alert(tx, identity, {**values, "note": note or None})
                subject = {"alert": identity, "incident": row.incident, "monitor": row.monitor}
                texts = {"note": note} if note else {}
                self._ledger.record(tx, principal, "alert.acknowledged", subject, {}, texts)
            return alert_of(_alert(tx, principal, identity))

        return await self._db.write(work)

    async def incidents(self, principal: Principal, endpoint: str | None, limit: int) -> list[Incident]:
        """Incidents of the workspace, newest first, without their timelines."""
        self._authorizer.require(principal, Permission.READ, what="incidents", on=Kind.ENDPOINT)

        def work(tx: Tx) -> list[Incident]:
            rows = store.incidents(tx, principal.workspace, endpoint, limit, principal.sees(Kind.ENDPOINT))
            return [_incident(tx, principal, row) for row in rows]

        return await self._db.read(work)

    async def incident(self, principal: Principal, identity: str) -> Incident:
        """One incident with its timeline: what the ledger says of it, and how the endpoint's traffic moved meanwhile.

        Raises:
            NotFound: the workspace has none of that id.
        """
        self._authorizer.require(principal, Permission.READ, what="incidents", on=Kind.ENDPOINT)

        def work(tx: Tx) -> tuple[Incident, str]:
            row = store.incident_with_id(tx, principal.workspace, identity, principal.sees(Kind.ENDPOINT))
            if row is None:
                raise NotFound(f"There is no incident {identity!r}.")
            return _incident(tx, principal, row), windows.endpoint_id(tx, principal.workspace, row.endpoint)

        found, endpoint = await self._db.read(work)
        own = await self._ledger.entries(principal, about=("incident", identity), limit=1000)
        moved = await self._ledger.entries(principal, about=("endpoint", endpoint), limit=1000, newest_first=True)
        end = found.closed or "9"
        steps = {e.index: e for e in own}
        steps |= {e.index: e for e in moved if _is_step(e) and found.opened <= e.time <= end}
        timeline = [
            Moment(e.index, e.time, e.type, e.actor, e.subject, e.data, e.texts) for _, e in sorted(steps.items())
        ]
        return msgspec.structs.replace(found, timeline=timeline)

    async def _may_read(self, principal: Principal, endpoint: str, what: str) -> None:
        await require_named(
            self._db, self._authorizer, principal, Permission.READ, Kind.ENDPOINT, endpoint, f"{what} of {endpoint}"
        )


def alert_of(row: Row) -> Alert:
    """An alert's row as others read it."""
    return Alert(
        id=row.id,
        endpoint=row.endpoint,
        kind=row.kind,
        feature=row.feature,
        revision=row.revision,
        status=row.status,
        start=rfc3339(row.window_start),
        end=rfc3339(row.window_end),
        windows=row.windows,
        effect=row.effect,
        threshold=row.threshold,
        p=row.p,
        evidence=msgspec.json.decode(row.evidence),
        incident=row.incident,
        created=rfc3339(row.created),
        updated=rfc3339(row.updated),
        acknowledged=rfc3339(row.acknowledged) if row.acknowledged else None,
        acknowledged_by=row.acknowledged_by,
        note=row.note,
        resolved=rfc3339(row.resolved) if row.resolved else None,
        resolution=row.resolution,
    )


def _is_step(entry: Entry) -> bool:
    return entry.type.startswith(("traffic.", "rollout.", "revision."))


def _monitor(tx: Tx, principal: Principal, endpoint: str) -> Row:
    row = windows.monitor_of(tx, principal.workspace, endpoint)
    if row is None or row.deleted is not None:
        raise NotFound(f"Endpoint {endpoint!r} has no monitor.", hint="Set one with PUT, or in modelkeel.toml.")
    return row


def _alert(tx: Tx, principal: Principal, identity: str) -> Row:
    row = store.alert_with_id(tx, principal.workspace, identity, principal.sees(Kind.ENDPOINT))
    if row is None:
        raise NotFound(f"There is no alert {identity!r}.")
    return row


def _incident(tx: Tx, principal: Principal, row: Row) -> Incident:
    alerts = store.alerts(tx, principal.workspace, endpoint=None, status=None, limit=1000, incident_id=row.id)
    return Incident(
        id=row.id,
        endpoint=row.endpoint,
        opened=rfc3339(row.opened),
        closed=rfc3339(row.closed) if row.closed else None,
        resolution=row.resolution,
        alerts=[alert_of(alert) for alert in reversed(alerts)],
        actions=[_action(action) for action in store.actions(tx, principal.workspace, row.id)],
        timeline=[],
    )


def _action(row: Row) -> Action:
    return Action(
        id=row.id,
        alert=row.alert,
        kind=row.kind,
        target=row.target,
        status=row.status,
        run=row.run,
        error=row.error,
        created=rfc3339(row.created),
        ended=rfc3339(row.ended) if row.ended else None,
    )
