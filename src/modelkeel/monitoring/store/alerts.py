"""SQL of alerts, actions and incidents."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Kind, Visible
from modelkeel.monitoring.store.tables import action, alert, incident
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import named_within

Row = sa.Row[Any]


def open_alerts(tx: Tx, monitor: str) -> Sequence[Row]:
    """A monitor's alerts that are not resolved."""
    return tx.all(sa.select(alert).where(alert.c.monitor == monitor, alert.c.status != "resolved"))


def alerts(
    tx: Tx,
    workspace: str,
    *,
    endpoint: str | None,
    status: str | None,
    limit: int,
    incident_id: str | None = None,
    visible: Visible = EVERYTHING,
) -> Sequence[Row]:
    """Alerts of a workspace, newest first; status `active` means open or acknowledged."""
    seen = named_within(visible, Kind.ENDPOINT, alert.c.workspace, alert.c.endpoint)
    query = sa.select(alert).where(alert.c.workspace == workspace, *seen)
    if endpoint is not None:
        query = query.where(alert.c.endpoint == endpoint)
    if incident_id is not None:
        query = query.where(alert.c.incident == incident_id)
    if status == "active":
        query = query.where(alert.c.status != "resolved")
    elif status is not None:
        query = query.where(alert.c.status == status)
    return tx.all(query.order_by(alert.c.created.desc(), alert.c.id).limit(limit))


def alert_with_id(tx: Tx, workspace: str, identity: str, visible: Visible = EVERYTHING) -> Row | None:
    seen = named_within(visible, Kind.ENDPOINT, alert.c.workspace, alert.c.endpoint)
    return tx.one(sa.select(alert).where(alert.c.workspace == workspace, alert.c.id == identity, *seen))


def add_alert(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(alert), {"created": tx.now, "updated": tx.now, **row})


def set_alert(tx: Tx, identity: str, values: Mapping[str, Any]) -> None:
    tx.run(sa.update(alert).where(alert.c.id == identity).values(updated=tx.now, **values))


def open_incident(tx: Tx, monitor: str) -> Row | None:
    return tx.one(sa.select(incident).where(incident.c.open == monitor))


def add_incident(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(incident), {"opened": tx.now, "open": row["monitor"], **row})


def close_incident(tx: Tx, identity: str, resolution: str) -> None:
    values = {"open": None, "closed": tx.now, "resolution": resolution}
    tx.run(sa.update(incident).where(incident.c.id == identity).values(**values))


def incidents(tx: Tx, workspace: str, endpoint: str | None, limit: int, visible: Visible = EVERYTHING) -> Sequence[Row]:
    """Incidents of a workspace, newest first."""
    seen = named_within(visible, Kind.ENDPOINT, incident.c.workspace, incident.c.endpoint)
    query = sa.select(incident).where(incident.c.workspace == workspace, *seen)
    if endpoint is not None:
        query = query.where(incident.c.endpoint == endpoint)
    return tx.all(query.order_by(incident.c.opened.desc()).limit(limit))


def incident_with_id(tx: Tx, workspace: str, identity: str, visible: Visible = EVERYTHING) -> Row | None:
    seen = named_within(visible, Kind.ENDPOINT, incident.c.workspace, incident.c.endpoint)
    return tx.one(sa.select(incident).where(incident.c.workspace == workspace, incident.c.id == identity, *seen))


def add_action(tx: Tx, row: Mapping[str, Any]) -> None:
    """One action for each alert and window: a second is an IntegrityError."""
    tx.run(sa.insert(action), {"created": tx.now, **row})


def set_action(tx: Tx, identity: str, values: Mapping[str, Any]) -> int:
    return tx.run(sa.update(action).where(action.c.id == identity).values(**values))


def actions(tx: Tx, workspace: str, incident_id: str) -> Sequence[Row]:
    query = sa.select(action).where(action.c.workspace == workspace, action.c.incident == incident_id)
    return tx.all(query.order_by(action.c.created))


def actions_in(tx: Tx, statuses: Sequence[str]) -> Sequence[Row]:
    """Actions of every workspace in some states, oldest first."""
    return tx.all(sa.select(action).where(action.c.status.in_(statuses)).order_by(action.c.created))


def action_with_id(tx: Tx, identity: str) -> Row | None:
    return tx.one(sa.select(action).where(action.c.id == identity))


def action_of_run(tx: Tx, workspace: str, run: str) -> Row | None:
    return tx.one(sa.select(action).where(action.c.workspace == workspace, action.c.run == run))


def last_action(tx: Tx, monitor: str) -> int | None:
    """Start of the window whose alert caused a monitor's last action."""
    found = tx.scalar(sa.select(sa.func.max(action.c.window_start)).where(action.c.monitor == monitor))
    return None if found is None else int(found)


def busy(tx: Tx, monitor: str) -> bool:
    """Whether an action of a monitor is still under way."""
    query = sa.select(action.c.id).where(action.c.monitor == monitor, action.c.status.in_(["pending", "running"]))
    return tx.one(query.limit(1)) is not None
