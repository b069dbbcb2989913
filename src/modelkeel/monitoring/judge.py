"""Judges a monitor's windows: closes those that the watermark has passed, and lets alerts follow from them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.errors import Conflict
from modelkeel.core.hashing import sha256
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.monitoring.alerting import HISTORY, LIVE, Judged, decide, readings, speaker
from modelkeel.monitoring.alerts import Alerts, Context
from modelkeel.monitoring.fold import Watched
from modelkeel.monitoring.models import RevisionWindow
from modelkeel.monitoring.quality import estimates
from modelkeel.monitoring.stats import Key, WindowStats
from modelkeel.monitoring.store import windows
from modelkeel.monitoring.stored import SHADOW, decode_profile, decode_window, encode, labelled_rows, merged_stats
from modelkeel.monitoring.verdicts import judge_drift, judge_quality
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

Row = sa.Row[Any]
REST = 5.0


class Judge:
    """Turns counts and labels into verdicts, and verdicts into alerts.

    Args:
        database: holds windows and alerts.
        ledger: hears of closed windows and of alerts.
        alerts: raises and resolves.
    """

    def __init__(self, database: Database, ledger: Ledger, alerts: Alerts) -> None:
        self._db = database
        self._ledger = ledger
        self._alerts = alerts
        self._next: dict[str, float] = {}

    async def judge(self, watched: Watched, *, eager: bool = False) -> bool:
        """Judges what is due; says whether anything was.

        Args:
            watched: the monitor.
            eager: also look at windows that only grew since a moment ago.
        """
        last_start = watched.row.watermark - watched.config.window_ms
        due = await self._db.read(lambda tx: windows.windows_to_judge(tx, watched.id, last_start))
        closing = [row for row in due if row.closed is None and row.start <= last_start]
        began = time.monotonic()
        if not closing and not eager and began < self._next.get(watched.id, 0.0):
            return False
        for row in due:
            await self._judge(watched, row, closes=row in closing)
        # Open windows are looked at again after a rest in proportion to the work, so that judging stays a small share.
        self._next[watched.id] = time.monotonic() + max(0.5, REST * (time.monotonic() - began))
        return bool(due)

    async def _judge(self, watched: Watched, row: Row, *, closes: bool) -> None:
        def load(tx: Tx) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
            return (
                windows.stats(tx, watched.id, [row.start]),
                windows.label_parts(tx, watched.id, row.start),
                windows.references(tx, watched.id),
            )

        stats, parts, references = await self._db.read(load)
        verdicts = await asyncio.to_thread(_verdicts, watched, stats, parts, references)

        def work(tx: Tx) -> None:
            now = windows.monitor_with_id(tx, watched.id)
            if now is None or (now.generation, now.digest) != (watched.row.generation, watched.row.digest):
                raise Conflict("The monitor changed meanwhile.", hint="It is read again in the next round.")
            bodies = [encode(verdict) for verdict in verdicts]
            windows.set_verdicts(
                tx,
                watched.id,
                row.start,
                [
                    {
                        "monitor": watched.id,
                        "start": row.start,
                        "revision": v.revision,
                        "variant": v.variant,
                        "rows": v.rows,
                        "labels": v.labels,
                        "body": body,
                    }
                    for v, body in zip(verdicts, bodies, strict=True)
                ],
            )
            changed = {"dirty": False, "updated": tx.now}
            if closes:
                changed["closed"] = tx.now
            windows.set_window(tx, watched.id, row.start, changed)
            endpoint = windows.endpoint_id(tx, watched.row.workspace, watched.row.endpoint)
            if closes:
                self._closed(tx, watched, row.start, endpoint, verdicts, sha256(b"".join(bodies)))
            if closes or row.closed is not None:
                self._decide(tx, watched, row.start if closes else None, endpoint)

        await self._db.write(work)

    def _closed(
        self, tx: Tx, watched: Watched, start: int, endpoint: str, verdicts: list[RevisionWindow], digest: str
    ) -> None:
        data = {
            "start": start,
            "end": start + watched.config.window_ms,
            "rows": sum(v.rows for v in verdicts if v.variant == LIVE),
            "labels": sum(v.labels for v in verdicts if v.variant == LIVE),
            "revisions": [v.revision for v in verdicts if v.variant == LIVE],
            "verdicts": digest,
        }
        subject = {"monitor": watched.id, "endpoint": endpoint}
        self._ledger.record(tx, SYSTEM, "window.closed", subject, data, workspace=watched.row.workspace)

    def _decide(self, tx: Tx, watched: Watched, up_to: int | None, endpoint: str) -> None:
        """Lets alerts follow from the closed windows up to one; None: up to the newest."""
        starts = windows.closed_starts(tx, watched.id, up_to if up_to is not None else 2**62, HISTORY)
        by_start: dict[int, list[RevisionWindow]] = {start: [] for start in starts}
        for item in windows.verdicts(tx, watched.id, starts):
            by_start[item.start].append(decode_window(item.body))
        history = []
        for start, found in by_start.items():
            voice = speaker(found)
            if voice is not None:
                history.append(Judged(start, voice.revision, readings(watched.config, voice)))
        opened = self._alerts.opened(tx, watched.id)
        decisions = decide(watched.config, history, {signal: row.revision for signal, row in opened.items()})
        self._alerts.apply(tx, Context(watched, endpoint, history), decisions, opened)


def _verdicts(
    watched: Watched, stats: Sequence[Row], parts: Sequence[Row], references: Sequence[Row]
) -> list[RevisionWindow]:
    labelled = labelled_rows(parts)
    known = {row.revision: row for row in references}
    keys = {(row.revision, row.variant == SHADOW): row.start for row in stats}
    found = []
    for (revision, shadow), start in keys.items():
        whole = merged_stats(stats, revision, shadow=shadow)
        row = known.get(revision)
        if whole is not None and row is not None:
            found.append(_verdict(watched, row, whole, labelled, start, shadow=shadow))
    return sorted(found, key=lambda v: (v.variant, -v.rows))


def _verdict(
    watched: Watched,
    row: Row,
    stats: WindowStats,
    labelled: Mapping[Key, Any],
    start: int,
    *,
    shadow: bool,
) -> RevisionWindow:
    config, profile = watched.config, decode_profile(row.profile)
    played = [SHADOW] if shadow else ["champion", "canary"]
    frames = [labelled[key] for part in played if (key := Key(start, row.revision, part)) in labelled]
    quality = {}
    labels = sum(frame.height for frame in frames)
    if labels:
        whole = frames[0].vstack(frames[1]) if len(frames) > 1 else frames[0]
        confidence = config.quality.confidence if config.quality else 0.95
        quality = estimates(whole["label"].to_numpy(), whole["score"].to_numpy(), confidence)
    return RevisionWindow(
        revision=row.revision,
        variant=SHADOW if shadow else LIVE,
        model=row.model,
        version=row.version,
        rows=stats.rows,
        labels=labels,
        coverage=labels / stats.rows if stats.rows else 0.0,
        quality=quality,
        judged=judge_quality(config, profile, quality),
        drift=judge_drift(config, profile, stats),
        enough_rows=stats.rows >= (config.drift.min_rows if config.drift else 1),
        enough_labels=labels >= (config.quality.min_labels if config.quality else 1),
        has_reference=profile.rows > 0,
    )
