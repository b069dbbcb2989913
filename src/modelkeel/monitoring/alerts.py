"""Alerts and incidents as rows and ledger entries, in the transaction of the window that caused them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core.canonical import canonical
from modelkeel.core.clock import rfc3339
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.monitoring.alerting import Decision, Judged, Signal, may_act
from modelkeel.monitoring.fold import Watched
from modelkeel.monitoring.store import alerts as store
from modelkeel.monitoring.store import windows
from modelkeel.monitoring.stored import SHADOW, decode_profile, decode_window, merged_stats
from modelkeel.monitoring.verdicts import histograms
from modelkeel.storage.transaction import Tx

Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Context:
    """Around a decision: the monitor, its endpoint's id, the closed windows, newest first."""

    watched: Watched
    endpoint: str
    history: Sequence[Judged]


class Alerts:
    """What follows from decisions.

    Args:
        ledger: hears of every step.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def opened(self, tx: Tx, monitor: str) -> dict[Signal, Row]:
        """The alerts of a monitor that are not resolved, by signal."""
        return {Signal(row.kind, row.feature): row for row in store.open_alerts(tx, monitor)}

    def apply(self, tx: Tx, about: Context, decisions: Sequence[Decision], opened: Mapping[Signal, Row]) -> None:
        """Raises, continues and resolves; then starts an action and closes the incident, if due."""
        for decision in decisions:
            row = opened.get(decision.signal)
            if decision.action == "resolve" and row is not None:
                self._resolve(tx, about, row, decision)
            elif decision.action == "raise" and row is None:
                self._raise(tx, about, decision)
            elif decision.action == "raise" and row is not None:
                self._go_on(tx, about, row, decision)
        bad = [decision for decision in decisions if decision.action == "raise"]
        if bad:
            self._react(tx, about, bad)
        self._close_incident(tx, about)

    def resolve_all(self, tx: Tx, watched: Watched, endpoint: str, reason: str) -> None:
        """Ends every alert and the incident, because the monitor ends."""
        about = Context(watched, endpoint, [])
        for row in self.opened(tx, watched.id).values():
            self._end(tx, about, row, reason, {})
        self._close_incident(tx, about, reason)

    def _raise(self, tx: Tx, about: Context, decision: Decision) -> None:
        row, identity = about.watched.row, uuid7(tx.now)
        incident = store.open_incident(tx, about.watched.id)
        if incident is None:
            incident_id = uuid7(tx.now)
            store.add_incident(
                tx,
                {"id": incident_id, "workspace": row.workspace, "monitor": row.id, "endpoint": row.endpoint},
            )
            self._record(tx, about, "incident.opened", {"incident": incident_id}, {})
        else:
            incident_id = incident.id
        signal, reading = decision.signal, decision.reading
        store.add_alert(
            tx,
            {
                "id": identity,
                "workspace": row.workspace,
                "monitor": row.id,
                "endpoint": row.endpoint,
                "kind": signal.kind,
                "feature": signal.feature,
                "status": "open",
                "open": "\n".join([row.id, *signal]),
                "window_start": decision.first,
                "incident": incident_id,
                **self._values(tx, about, decision),
            },
        )
        data = {
            "kind": signal.kind,
            "revision": decision.revision,
            "start": decision.first,
            "end": decision.last + about.watched.config.window_ms,
            "windows": decision.windows,
            "effect": reading.effect,
            "threshold": reading.threshold,
            "p": reading.p,
        }
        subject = {"alert": identity, "incident": incident_id}
        self._record(tx, about, "alert.raised", subject, data, {"feature": signal.feature})

    def _go_on(self, tx: Tx, about: Context, row: Row, decision: Decision) -> None:
        same = (row.last_start, row.effect, row.revision) == (decision.last, decision.reading.effect, decision.revision)
        if not same:
            store.set_alert(tx, row.id, self._values(tx, about, decision))

    def _values(self, tx: Tx, about: Context, decision: Decision) -> dict[str, Any]:
        return {
            "revision": decision.revision,
            "window_end": decision.last + about.watched.config.window_ms,
            "last_start": decision.last,
            "windows": decision.windows,
            "effect": decision.reading.effect,
            "threshold": decision.reading.threshold,
            "p": decision.reading.p,
            "evidence": msgspec.json.encode(_evidence(tx, about, decision)),
        }

    def _resolve(self, tx: Tx, about: Context, row: Row, decision: Decision) -> None:
        changed = decision.revision != row.revision
        window = about.watched.config.title(decision.last)
        if row.kind == "quality":
            reason = f"{row.feature} measured back within the allowed drop in {window}"
        else:
            reason = f"no shift in {window}"
        reason += f", under revision {decision.revision}" if changed else ""
        data = {
            "effect": decision.reading.effect,
            "threshold": decision.reading.threshold,
            "start": decision.last,
            "revision": decision.revision,
            "revision_changed": changed,
        }
        self._end(tx, about, row, reason, data)

    def _end(self, tx: Tx, about: Context, row: Row, reason: str, data: dict[str, Any]) -> None:
        store.set_alert(tx, row.id, {"status": "resolved", "open": None, "resolved": tx.now, "resolution": reason})
        subject = {"alert": row.id, "incident": row.incident}
        self._record(tx, about, "alert.resolved", subject, {"kind": row.kind, **data}, {"reason": reason})

    def _close_incident(self, tx: Tx, about: Context, reason: str = "") -> None:
        incident = store.open_incident(tx, about.watched.id)
        if incident is None or store.open_alerts(tx, about.watched.id):
            return
        why = reason or "every alert is resolved by measurement"
        store.close_incident(tx, incident.id, why)
        self._record(tx, about, "incident.closed", {"incident": incident.id}, {}, {"reason": why})

    def _react(self, tx: Tx, about: Context, bad: Sequence[Decision]) -> None:
        watched, rule = about.watched, about.watched.config.on_alert
        mine = [decision for decision in bad if decision.signal.kind in rule.kinds]
        incident = store.open_incident(tx, watched.id)
        if not mine or incident is None or store.busy(tx, watched.id):
            return
        done = store.actions(tx, watched.row.workspace, incident.id)
        newest = max(decision.last for decision in mine)
        if not may_act(watched.config, newest, store.last_action(tx, watched.id), len(done)):
            return
        # Lost quality says more than a shift; of several shifts the largest.
        cause = max(mine, key=lambda d: (d.signal.kind == "quality", d.reading.effect))
        alert = self.opened(tx, watched.id)[cause.signal]
        end = cause.last + watched.config.window_ms
        params = {"until": rfc3339(end)}
        store.add_action(
            tx,
            {
                "id": uuid7(tx.now),
                "workspace": watched.row.workspace,
                "monitor": watched.id,
                "alert": alert.id,
                "window_start": cause.last,
                "incident": incident.id,
                "kind": "retrain",
                "target": rule.retrain,
                "params": canonical(params).decode(),
                "status": "pending",
            },
        )

    def _record(
        self,
        tx: Tx,
        about: Context,
        kind: str,
        subject: dict[str, str],
        data: dict[str, Any],
        texts: dict[str, str] | None = None,
    ) -> None:
        whole = {**subject, "monitor": about.watched.id, "endpoint": about.endpoint}
        self._ledger.record(tx, SYSTEM, kind, whole, data, texts, workspace=about.watched.row.workspace)


def _evidence(tx: Tx, about: Context, decision: Decision) -> dict[str, Any]:
    """What a reader checks an alert by: the signal in each window, and for a shift the two histograms."""
    series = [
        {
            "start": rfc3339(window.start),
            "revision": window.revision,
            "effect": window.readings[decision.signal].effect,
            "threshold": window.readings[decision.signal].threshold,
            "bad": window.readings[decision.signal].bad,
        }
        for window in about.history[:12]
        if decision.signal in window.readings
    ]
    evidence: dict[str, Any] = {"window": about.watched.config.title(decision.last), "series": series}
    if decision.signal.kind == "quality":
        for row in windows.verdicts(tx, about.watched.id, [decision.last]):
            if row.revision == decision.revision and row.variant != SHADOW:
                evidence["judged"] = msgspec.to_builtins(decode_window(row.body).judged)
        return evidence
    stats = merged_stats(windows.stats(tx, about.watched.id, [decision.last]), decision.revision)
    known = {row.revision: row.profile for row in windows.references(tx, about.watched.id)}
    if stats is not None and decision.revision in known:
        profile = decode_profile(known[decision.revision])
        evidence["histogram"] = histograms(profile, stats, decision.signal.feature)
    return evidence
