"""SQL of monitors, their references, windows and verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Kind, Visible
from modelkeel.monitoring.store.tables import (
    label_inbox,
    label_segment,
    monitor,
    reference,
    segment,
    source,
    verdict,
    window,
    window_labels,
    window_stats,
)
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import named_within

Row = sa.Row[Any]


def monitors(tx: Tx, workspace: str | None = None, visible: Visible = EVERYTHING) -> Sequence[Row]:
    """Every monitor, of one workspace or of all."""
    query = sa.select(monitor).where(
        monitor.c.deleted.is_(None), *named_within(visible, Kind.ENDPOINT, monitor.c.workspace, monitor.c.endpoint)
    )
    if workspace is not None:
        query = query.where(monitor.c.workspace == workspace)
    return tx.all(query.order_by(monitor.c.endpoint))


def monitor_of(tx: Tx, workspace: str, endpoint: str) -> Row | None:
    """An endpoint's monitor, also a deleted one."""
    return tx.one(sa.select(monitor).where(monitor.c.workspace == workspace, monitor.c.endpoint == endpoint))


def monitor_with_id(tx: Tx, identity: str) -> Row | None:
    return tx.one(sa.select(monitor).where(monitor.c.id == identity, monitor.c.deleted.is_(None)))


def add_monitor(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(
        sa.insert(monitor),
        {
            "generation": 0,
            "segment_cursor": 0,
            "label_cursor": 0,
            "advanced": -1,
            "watermark": -1,
            "created": tx.now,
            "updated": tx.now,
            **row,
        },
    )


def set_monitor(tx: Tx, identity: str, values: Mapping[str, Any]) -> None:
    tx.run(sa.update(monitor).where(monitor.c.id == identity).values(**values))


def restart(tx: Tx, identity: str) -> None:
    """Forgets what a monitor has computed, so that it reads the log again from the start."""
    for table in (reference, source, window, window_stats, window_labels, verdict):
        tx.run(sa.delete(table).where(table.c.monitor == identity))
    values = {"segment_cursor": 0, "label_cursor": 0, "watermark": -1, "generation": monitor.c.generation + 1}
    tx.run(sa.update(monitor).where(monitor.c.id == identity).values(**values))


def touch_windows(tx: Tx, identity: str) -> None:
    """Has every window judged again."""
    tx.run(sa.update(window).where(window.c.monitor == identity).values(dirty=True))


def references(tx: Tx, identity: str) -> Sequence[Row]:
    return tx.all(sa.select(reference).where(reference.c.monitor == identity))


def add_reference(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.upsert(reference, {"created": tx.now, **row}, keys=["monitor", "revision"])


def sources(tx: Tx, identity: str) -> Sequence[Row]:
    return tx.all(sa.select(source).where(source.c.monitor == identity))


def set_sources(tx: Tx, identity: str, rows: Mapping[str, tuple[int, int]]) -> None:
    """Sets the newest event and server time of each source."""
    values = [{"monitor": identity, "source": n, "max_event": e, "max_time": t} for n, (e, t) in rows.items()]
    tx.upsert(source, values, keys=["monitor", "source"], update=["max_event", "max_time"])


def mark_windows(tx: Tx, identity: str, starts: Sequence[int]) -> None:
    """Marks windows as changed; new ones are made."""
    rows = [{"monitor": identity, "start": s, "closed": None, "dirty": True, "updated": tx.now} for s in starts]
    tx.upsert(window, rows, keys=["monitor", "start"], update=["dirty", "updated"])


def windows(tx: Tx, identity: str, low: int | None, high: int | None, limit: int) -> Sequence[Row]:
    """Windows that start in [low, high), newest first."""
    query = sa.select(window).where(window.c.monitor == identity)
    if low is not None:
        query = query.where(window.c.start >= low)
    if high is not None:
        query = query.where(window.c.start < high)
    return tx.all(query.order_by(window.c.start.desc()).limit(limit))


def windows_to_judge(tx: Tx, identity: str, before: int) -> Sequence[Row]:
    """Windows that changed, or are still open and start before a moment; oldest first."""
    due = sa.or_(window.c.dirty, sa.and_(window.c.closed.is_(None), window.c.start <= before))
    return tx.all(sa.select(window).where(window.c.monitor == identity, due).order_by(window.c.start))


def set_window(tx: Tx, identity: str, start: int, values: Mapping[str, Any]) -> None:
    tx.run(sa.update(window).where(window.c.monitor == identity, window.c.start == start).values(**values))


def stats(tx: Tx, identity: str, starts: Sequence[int]) -> Sequence[Row]:
    return tx.all(sa.select(window_stats).where(window_stats.c.monitor == identity, window_stats.c.start.in_(starts)))


def set_stats(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    tx.upsert(window_stats, rows, keys=["monitor", "start", "revision", "variant"], update=["rows", "stats"])


def label_parts(tx: Tx, identity: str, start: int) -> Sequence[Row]:
    """The labelled rows of a window, in the order in which they were joined."""
    return tx.all(
        sa.select(window_labels)
        .where(window_labels.c.monitor == identity, window_labels.c.start == start)
        .order_by(window_labels.c.part)
    )


def last_part(tx: Tx, identity: str, start: int) -> int:
    """The newest part's number; 0 if there is none."""
    query = sa.select(sa.func.max(window_labels.c.part)).where(
        window_labels.c.monitor == identity, window_labels.c.start == start
    )
    return int(tx.scalar(query) or 0)


def crowded(tx: Tx, identity: str, most: int) -> list[int]:
    """Starts of the windows whose labelled rows lie in more than `most` parts."""
    parts = sa.func.count(sa.distinct(window_labels.c.part))
    query = sa.select(window_labels.c.start).where(window_labels.c.monitor == identity)
    return [row.start for row in tx.all(query.group_by(window_labels.c.start).having(parts > most))]


def add_label_parts(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.run(sa.insert(window_labels), rows)


def drop_label_parts(tx: Tx, identity: str, start: int, up_to: int) -> None:
    here = sa.and_(window_labels.c.monitor == identity, window_labels.c.start == start, window_labels.c.part <= up_to)
    tx.run(sa.delete(window_labels).where(here))


def set_verdicts(tx: Tx, identity: str, start: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces what was said of a window."""
    tx.run(sa.delete(verdict).where(verdict.c.monitor == identity, verdict.c.start == start))
    if rows:
        tx.run(sa.insert(verdict), rows)


def verdicts(tx: Tx, identity: str, starts: Sequence[int]) -> Sequence[Row]:
    return tx.all(
        sa.select(verdict)
        .where(verdict.c.monitor == identity, verdict.c.start.in_(starts))
        .order_by(verdict.c.start, verdict.c.rows.desc())
    )


def closed_starts(tx: Tx, identity: str, up_to: int, limit: int) -> list[int]:
    """Starts of closed windows up to one, newest first."""
    query = (
        sa.select(window.c.start)
        .where(window.c.monitor == identity, window.c.closed.is_not(None), window.c.start <= up_to)
        .order_by(window.c.start.desc())
        .limit(limit)
    )
    return [row.start for row in tx.all(query)]


def endpoint_id(tx: Tx, workspace: str, name: str) -> str:
    """The id of the endpoint that last logged rows under a name; empty if none did."""
    query = (
        sa.select(segment.c.endpoint)
        .where(segment.c.workspace == workspace, segment.c.name == name)
        .order_by(segment.c.seq.desc())
        .limit(1)
    )
    return str(tx.scalar(query) or "")


def behind(tx: Tx, row: Row) -> int:
    """Segments and label batches that a monitor has yet to read."""
    unread = [
        sa.select(sa.func.count())
        .select_from(segment)
        .where(
            segment.c.workspace == row.workspace, segment.c.name == row.endpoint, segment.c.seq > row.segment_cursor
        ),
        sa.select(sa.func.count())
        .select_from(label_segment)
        .where(label_segment.c.workspace == row.workspace, label_segment.c.seq > row.label_cursor),
        sa.select(sa.func.count()).select_from(label_inbox).where(label_inbox.c.workspace == row.workspace),
        sa.select(sa.func.count()).select_from(window).where(window.c.monitor == row.id, window.c.dirty),
    ]
    return sum(int(tx.scalar(query) or 0) for query in unread)
