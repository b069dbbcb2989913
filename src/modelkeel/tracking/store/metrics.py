"""Metric points and the latest point of each key.

The points of one group of writes are gathered and stored at once: the points in one statement, and of each run and
key only the greatest as the latest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import series
from modelkeel.tracking.models import Metric
from modelkeel.tracking.rules import stored_value
from modelkeel.tracking.store import segments
from modelkeel.tracking.store.tables import logged_model_metric, metric_key, metric_latest, metric_point

CACHED_KEYS = 100_000
# Written out, because building these statements and their parameters anew takes longer than storing the rows.
_COLUMNS = '(run, "key", step, ts, value, is_nan)'
_ONCE = "ON CONFLICT DO NOTHING"
_NEWER = """ON CONFLICT (run, "key") DO UPDATE
SET step = excluded.step, ts = excluded.ts, value = excluded.value, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.ts, excluded.value) > (metric_latest.step, metric_latest.ts, metric_latest.value)"""
_ARRAYS = "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::smallint[])"
_POINT = f"INSERT INTO metric_point {_COLUMNS} VALUES (?, ?, ?, ?, ?, ?) {_ONCE}"  # noqa: S608 - constants  # nosec B608
_LATEST = f"INSERT INTO metric_latest {_COLUMNS} VALUES (?, ?, ?, ?, ?, ?) {_NEWER}"  # noqa: S608 - constants  # nosec B608
_PG_POINT = f"INSERT INTO metric_point {_COLUMNS} {_ARRAYS} {_ONCE}"
_PG_LATEST = f"INSERT INTO metric_latest {_COLUMNS} {_ARRAYS} {_NEWER}"
_Point = tuple[int, int, int, int, float, int]


_l = metric_latest.c
_LATEST_OF = Prepared(
    sa.select(metric_key.c.key, _l.key, _l.step, _l.ts, _l.value, _l.is_nan)
    .join(metric_key, metric_key.c.id == _l.key)
    .where(_l.run == sa.bindparam("run_", type_=sa.BigInteger))
)


@dataclass(slots=True)
class KeyCache:
    """Numbers of metric keys, by workspace and name; only what was committed is kept.

    Attributes:
        known: the numbers.
        grew: is told how many points each run got, once they are durable.
    """

    known: dict[tuple[str, str], int] = field(default_factory=dict)
    grew: Callable[[dict[int, int]], None] | None = None


@dataclass(slots=True)
class Gathering:
    """The points of one group of writes; a `Participant`."""

    cache: KeyCache
    points: list[_Point] = field(default_factory=list)
    fresh: dict[tuple[str, str], int] = field(default_factory=dict)

    def mark(self) -> tuple[int, dict[tuple[str, str], int]]:
        """What `restore` needs to forget everything gathered after now."""
        return len(self.points), dict(self.fresh)

    def restore(self, mark: tuple[int, dict[tuple[str, str], int]]) -> None:
        count, self.fresh = mark
        del self.points[count:]

    def key_ids(self, tx: Tx, workspace: str, keys: Iterable[str]) -> dict[str, int]:
        """The numbers of some keys, made where they are new."""
        known, fresh = self.cache.known, self.fresh
        found: dict[str, int] = {}
        unknown: list[str] = []
        for key in keys:
            number = known.get((workspace, key)) or fresh.get((workspace, key))
            if number is None:
                unknown.append(key)
            else:
                found[key] = number
        if unknown:
            tx.upsert(metric_key, [{"workspace": workspace, "key": key} for key in unknown], keys=["workspace", "key"])
            for start in range(0, len(unknown), 500):
                some = unknown[start : start + 500]
                where = (metric_key.c.workspace == workspace, metric_key.c.key.in_(some))
                for row in tx.all(sa.select(metric_key.c.key, metric_key.c.id).where(*where)):
                    found[row.key] = fresh[workspace, row.key] = row.id
        return found

    def add(self, tx: Tx, seq: int, workspace: str, metrics: Sequence[Metric]) -> None:
        """Gathers points of one run."""
        ids = self.key_ids(tx, workspace, {metric.key for metric in metrics})
        self.points += [(seq, ids[m.key], m.step, m.timestamp, *stored_value(m.value)) for m in metrics]

    def flush(self, tx: Tx) -> None:
        if not self.points:
            return
        latest: dict[tuple[int, int], _Point] = {}
        for point in self.points:
            at = point[:2]
            best = latest.get(at)
            if best is None or point[2:5] > best[2:5]:
                latest[at] = point
        if tx.conn.dialect.name == "postgresql":
            for statement, points in ((_PG_POINT, self.points), (_PG_LATEST, list(latest.values()))):
                tx.conn.exec_driver_sql(statement, tuple(list(column) for column in zip(*points, strict=True)))
        else:
            tx.conn.exec_driver_sql(_POINT, self.points)
            tx.conn.exec_driver_sql(_LATEST, list(latest.values()))

    def committed(self) -> None:
        if len(self.cache.known) > CACHED_KEYS:
            self.cache.known.clear()
        self.cache.known.update(self.fresh)
        if self.cache.grew is not None and self.points:
            self.cache.grew(Counter(point[0] for point in self.points))


def gather(tx: Tx, cache: KeyCache) -> Gathering:
    """The group's gathering of points."""
    return tx.participant("tracking.metrics", lambda _: Gathering(cache))


def key_id(tx: Tx, workspace: str, key: str) -> int | None:
    """The number of a metric's key."""
    where = (metric_key.c.workspace == workspace, metric_key.c.key == key)
    found: int | None = tx.scalar(sa.select(metric_key.c.id).where(*where))
    return found


def keys_of(tx: Tx, seq: int) -> Sequence[sa.Row[Any]]:
    """Numbers and names of a run's metric keys."""
    query = sa.select(metric_latest.c.key, metric_key.c.key.label("name"))
    query = query.join(metric_key, metric_key.c.id == metric_latest.c.key).where(metric_latest.c.run == seq)
    return tx.all(query.order_by(metric_key.c.key))


def ordered(tx: Tx, seq: int, key: int) -> Iterator[tuple[int, int, float, int]]:
    """Points of one key in order of (step, timestamp, value, NaN), each once; rows are fetched as they are read."""
    folded = segments.folded(tx, seq, key)
    if folded:
        loose = segments.loose(tx, seq, key)
        yield from series.rows(series.joined([*(series.from_arrow(part) for _, part in folded), series.of_rows(loose)]))
        return
    p = metric_point.c
    query = sa.select(p.step, p.ts, p.value, p.is_nan).where(p.run == seq, p.key == key)
    in_order = query.order_by(p.step, p.ts, p.value, p.is_nan).execution_options(yield_per=10_000)
    for row in tx.conn.execute(in_order):
        yield row.step, row.ts, row.value, row.is_nan


def latest_of(tx: Tx, seq: int) -> list[tuple[str, int, int, int, float, int]]:
    """The latest point of each of a run's metrics: name and number of the key, step, timestamp, value, is it NaN."""
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in _LATEST_OF.rows(tx, {"run_": seq})]


def add_model_points(tx: Tx, run_id: str, metrics: Iterable[Metric]) -> None:
    """Stores those points that measure a logged model with that model too."""
    rows = []
    for metric in metrics:
        if metric.model_id:
            value, is_nan = stored_value(metric.value)
            rows.append(
                {
                    "model": metric.model_id,
                    "key": metric.key,
                    "step": metric.step,
                    "ts": metric.timestamp,
                    "run": run_id,
                    "value": value,
                    "is_nan": is_nan,
                    "dataset_name": metric.dataset_name,
                    "dataset_digest": metric.dataset_digest,
                }
            )
    tx.upsert(logged_model_metric, rows, keys=["model", "key", "step", "ts", "run", "value"])
