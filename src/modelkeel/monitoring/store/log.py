"""SQL of the prediction log and of labels."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Kind, Visible
from modelkeel.monitoring.store.tables import gap, label_inbox, label_segment, segment, spool_file, traffic
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import named_within

Row = sa.Row[Any]


def collected(tx: Tx, names: Iterable[str]) -> set[tuple[str, str]]:
    """Those spool files, by name and digest, whose rows are stored."""
    query = sa.select(spool_file.c.name, spool_file.c.digest).where(spool_file.c.name.in_(list(names)))
    return {(row.name, row.digest) for row in tx.all(query)}


def add_spool_files(tx: Tx, files: Iterable[tuple[str, str]]) -> None:
    """Marks spool files as stored; a second time is an IntegrityError, so the whole unit fails."""
    tx.run(sa.insert(spool_file), [{"name": n, "digest": d, "collected": tx.now} for n, d in files])


def forget_spool_files(tx: Tx, before: int) -> None:
    """Drops marks of files that are long deleted."""
    tx.run(sa.delete(spool_file).where(spool_file.c.collected < before))


def add_segment(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(segment), {"created": tx.now, **row})


def add_gaps(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.run(sa.insert(gap), rows)


def gaps(tx: Tx, workspace: str, since: int) -> Sequence[Row]:
    """Gaps that the workspace may see: its own, and those of a runtime that served several."""
    return tx.all(
        sa.select(gap).where(gap.c.workspace.in_([workspace, ""]), gap.c.end >= since).order_by(gap.c.start).limit(1000)
    )


def add_traffic(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Adds to the counts of traffic buckets."""
    keys = ("workspace", "name", "bucket", "revision", "variant")
    for row in rows:
        here = sa.and_(*(traffic.c[key] == row[key] for key in keys))
        added = {
            "rows": traffic.c.rows + row["rows"],
            "requests": traffic.c.requests + row["requests"],
            "latency_us": traffic.c.latency_us + row["latency_us"],
            "slowest_us": sa.case(
                (traffic.c.slowest_us < row["slowest_us"], row["slowest_us"]), else_=traffic.c.slowest_us
            ),
        }
        if not tx.run(sa.update(traffic).where(here).values(**added)):
            tx.run(sa.insert(traffic), row)


def read_traffic(tx: Tx, workspace: str, name: str, since: int, limit: int) -> Sequence[Row]:
    """Buckets from `since` on, newest first."""
    return tx.all(
        sa.select(traffic)
        .where(traffic.c.workspace == workspace, traffic.c.name == name, traffic.c.bucket >= since)
        .order_by(traffic.c.bucket.desc())
        .limit(limit)
    )


def segments_with(tx: Tx, workspace: str, request: str) -> Sequence[Row]:
    """Segments whose range of requests holds one."""
    return tx.all(
        sa.select(segment)
        .where(segment.c.workspace == workspace, segment.c.max_request >= request, segment.c.min_request <= request)
        .order_by(segment.c.seq)
    )


def segments_between(tx: Tx, workspace: str, name: str, low: str, high: str, up_to: int) -> Sequence[Row]:
    """An endpoint's segments, numbered at most `up_to`, whose range of requests meets [low, high]."""
    return tx.all(
        sa.select(segment)
        .where(
            segment.c.workspace == workspace,
            segment.c.name == name,
            segment.c.seq <= up_to,
            segment.c.max_request >= low,
            segment.c.min_request <= high,
        )
        .order_by(segment.c.seq)
    )


def segments_after(tx: Tx, workspace: str, name: str, cursor: int, limit: int) -> Sequence[Row]:
    """An endpoint's segments that a cursor has not passed."""
    return tx.all(
        sa.select(segment)
        .where(segment.c.workspace == workspace, segment.c.name == name, segment.c.seq > cursor)
        .order_by(segment.c.seq)
        .limit(limit)
    )


def segments_since(tx: Tx, workspace: str, name: str, event_ms: int) -> Sequence[Row]:
    """An endpoint's segments with rows at or after an event time."""
    return tx.all(
        sa.select(segment)
        .where(segment.c.workspace == workspace, segment.c.name == name, segment.c.max_event >= event_ms)
        .order_by(segment.c.seq)
    )


def add_labels(tx: Tx, workspace: str, actor: str, rows: int, payload: bytes) -> None:
    values = {"workspace": workspace, "actor": actor, "received": tx.now, "rows": rows, "payload": payload}
    tx.run(sa.insert(label_inbox), values)


def inbox_state(tx: Tx) -> Sequence[Row]:
    """For each workspace with unsealed labels: how many, and since when the oldest waits."""
    return tx.all(
        sa.select(
            label_inbox.c.workspace,
            sa.func.sum(label_inbox.c.rows).label("rows"),
            sa.func.min(label_inbox.c.received).label("oldest"),
        ).group_by(label_inbox.c.workspace)
    )


def inbox(tx: Tx, workspace: str, limit: int) -> Sequence[Row]:
    """Unsealed batches, oldest first."""
    return tx.all(
        sa.select(label_inbox).where(label_inbox.c.workspace == workspace).order_by(label_inbox.c.seq).limit(limit)
    )


def clear_inbox(tx: Tx, workspace: str, up_to: int) -> int:
    """Drops batches that are sealed; returns how many."""
    return tx.run(sa.delete(label_inbox).where(label_inbox.c.workspace == workspace, label_inbox.c.seq <= up_to))


def add_label_segment(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(label_segment), {"created": tx.now, **row})


def label_segments_with(tx: Tx, workspace: str, low: str, high: str, up_to: int | None = None) -> Sequence[Row]:
    """Label segments whose range of requests meets [low, high]."""
    query = sa.select(label_segment).where(
        label_segment.c.workspace == workspace, label_segment.c.max_request >= low, label_segment.c.min_request <= high
    )
    if up_to is not None:
        query = query.where(label_segment.c.seq <= up_to)
    return tx.all(query.order_by(label_segment.c.seq))


def label_segments_after(tx: Tx, workspace: str, cursor: int, limit: int) -> Sequence[Row]:
    """Label segments that a cursor has not passed."""
    return tx.all(
        sa.select(label_segment)
        .where(label_segment.c.workspace == workspace, label_segment.c.seq > cursor)
        .order_by(label_segment.c.seq)
        .limit(limit)
    )


def segments_until(tx: Tx, workspace: str, name: str, event_ms: int) -> Sequence[Row]:
    """An endpoint's segments that hold rows with an event time at or before `event_ms`."""
    return tx.all(
        sa.select(segment.c.digest, segment.c.max_event)
        .where(segment.c.workspace == workspace, segment.c.name == name, segment.c.min_event <= event_ms)
        .order_by(segment.c.seq)
    )


def answered(tx: Tx, workspace: str | None, visible: Visible = EVERYTHING) -> Sequence[Row]:
    """Rows and requests by endpoint, revision and variant, of one workspace or of all."""
    t = traffic.c
    groups = (t.workspace, t.name, t.revision, t.variant, t.model, t.version)
    query = sa.select(*groups, sa.func.sum(t.rows).label("rows"), sa.func.sum(t.requests).label("requests"))
    query = query.where(*named_within(visible, Kind.ENDPOINT, t.workspace, t.name))
    if workspace is not None:
        query = query.where(t.workspace == workspace)
    return tx.all(query.group_by(*groups).order_by(t.name, t.version))
