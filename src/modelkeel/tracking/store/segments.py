"""Folded parts of metric series: many points as one row, in Arrow's format, instead of a row each."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.store.tables import metric_point

metric_segment = sa.Table(
    "metric_segment",
    metadata,
    sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
_run: sa.BindParameter[int] = sa.bindparam("run_")
_key: sa.BindParameter[int] = sa.bindparam("key_")
_first: sa.BindParameter[int] = sa.bindparam("first_")
_last: sa.BindParameter[int] = sa.bindparam("last_")
_s, _p = metric_segment.c, metric_point.c
_SEGMENTS = Prepared(
    sa.select(_s.place, _s.content)
    .where(_s.run == _run, _s.key == _key, _s.last >= _first, _s.first <= _last)
    .order_by(_s.first)
)
_ROWS = Prepared(
    sa.select(_p.step, _p.ts, _p.value, _p.is_nan)
    .where(_p.run == _run, _p.key == _key, _p.step >= _first, _p.step <= _last)
    .order_by(_p.step, _p.ts, _p.value, _p.is_nan)
    .limit(sa.bindparam("most_", type_=sa.Integer))
)
_LAST = Prepared(
    sa.select(_s.place, _s.points, _s.content)
    .where(_s.run == _run, _s.key == _key)
    .order_by(_s.last.desc())
    .limit(sa.literal_column("1"))
)
_HEAD = sa.tuple_(_p.step, _p.ts, _p.value, _p.is_nan)
_TYPES = (sa.BigInteger, sa.BigInteger, sa.Double, sa.SmallInteger)
LOWEST, HIGHEST = -(2**63), 2**63 - 1
_ALL = 2**31 - 1
Point = tuple[int, int, float, int]


def folded(
    tx: Tx,
    seq: int,
    key: int,
    first: int = LOWEST,
    last: int = HIGHEST,
    *,
    besides: Sequence[tuple[int, bytes]] = (),
) -> list[tuple[int, bytes]]:
    """Segments with points between two steps, besides those one has: their places and contents."""
    rows = _SEGMENTS.rows(tx, {"run_": seq, "key_": key, "first_": first, "last_": last})
    known = {place for place, _ in besides}
    return [(place, bytes(content)) for place, content in rows if place not in known]


def small(tx: Tx, seq: int, key: int, full: int) -> list[tuple[int, bytes]]:
    """The segment with the highest steps, unless it is full: its place and content, in a list."""
    row = _LAST.one(tx, {"run_": seq, "key_": key})
    return [] if row is None or row[1] >= full else [(row[0], bytes(row[2]))]


def loose(tx: Tx, seq: int, key: int, first: int = LOWEST, last: int = HIGHEST, most: int = _ALL) -> list[Point]:
    """Points between two steps that are rows of their own, in order."""
    values = {"run_": seq, "key_": key, "first_": first, "last_": last, "most_": most}
    return [(row[0], row[1], row[2], row[3]) for row in _ROWS.rows(tx, values)]


def counts(tx: Tx, seq: int) -> dict[int, int]:
    """How many rows each key of a run has."""
    query = sa.select(_p.key, sa.func.count().label("points")).where(_p.run == seq).group_by(_p.key)
    return {row.key: row.points for row in tx.all(query)}


def long_series(tx: Tx, least: int) -> Sequence[sa.Row[Any]]:
    """Runs with a key that has at least so many rows; this looks at every row."""
    query = sa.select(_p.run).group_by(_p.run, _p.key).having(sa.func.count() >= least).distinct()
    return tx.all(query)


def replace(
    tx: Tx, seq: int, key: int, points: int, end: Point, old: Sequence[int], new: Sequence[tuple[int, int, int, bytes]]
) -> bool:
    """Puts segments in the place of rows up to `end` and of old segments.

    Args:
        tx: the transaction.
        seq: the run.
        key: the metric.
        points: how many rows there were up to `end`; if there are more by now nothing is done.
        end: the last of them.
        old: places of the segments that are replaced.
        new: of each new segment its first and last step, its number of points and its content.

    Returns:
        Whether it was done.
    """
    of_key = (_p.run == seq, _p.key == key, sa.tuple_(*end, types=_TYPES) >= _HEAD)
    if tx.scalar(sa.select(sa.func.count()).select_from(metric_point).where(*of_key)) != points:
        return False
    tx.run(sa.delete(metric_point).where(*of_key))
    if old:
        gone = (_s.run == seq, _s.key == key, _s.place.in_(old))
        tx.run(sa.delete(metric_segment).where(*gone))
    place = int(tx.scalar(sa.select(sa.func.max(_s.place)).where(_s.run == seq, _s.key == key)) or 0)
    rows = [(seq, key, place + at, *segment) for at, segment in enumerate(new, 1)]
    tx.insert_many(metric_segment, rows)
    return True
