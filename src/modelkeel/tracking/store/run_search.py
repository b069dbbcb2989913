"""The search for runs, planned by what the conditions match.

Left to itself, a database walks or sorts everything where that is the wrong way round: at a million runs that is the
difference between milliseconds and seconds. So the plan is made here, from counts that stop at a limit:

- **Start from the rarest.** Every condition that an index answers (a param, tag or metric compared with a value) is
  counted up to a limit. If the rarest matches few enough, its runs are the candidates, less those that an index of
  another rare one lacks, and all conditions are checked on them; if it matches none, nothing more is asked.
- **Walk in order.** Else the index that has the order asked for (a metric's values, or the start times) is walked, and
  the walk ends with the page. Runs whose metric is NaN, and then those that lack it, come after all others, each by a
  walk of its own, and only if the page is not full by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.selectable import Join

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.models import Lifecycle
from modelkeel.tracking.search import Condition, Kind, Order
from modelkeel.tracking.store.run_clauses import COLUMNS, COUNTED, clause, count, indexed
from modelkeel.tracking.store.runs import RunRow
from modelkeel.tracking.store.tables import (
    metric_key,
    metric_latest,
    param,
    run,
    tag,
)

CAP = 20_000
_TOTAL = Prepared(sa.select(sa.func.max(run.c.seq)))


class _Ordered(Join):
    """A join that starts on its left side; SQLite turns any other round as it likes."""

    inherit_cache = True


@compiles(_Ordered, "sqlite")
def _cross(element: Join, compiler: Any, **options: Any) -> str:
    return str(compiler.visit_join(element, **options)).replace(" JOIN ", " CROSS JOIN ", 1)


@dataclass(frozen=True, slots=True)
class _Page:
    """What is asked for."""

    scope: tuple[Clause, ...]
    conditions: Sequence[Condition]
    orders: Sequence[Order]
    keys: dict[str, int]
    limit: int
    offset: int


def runs(
    tx: Tx,
    workspace: str,
    experiments: Sequence[str],
    lifecycles: Sequence[Lifecycle],
    conditions: Sequence[Condition],
    orders: Sequence[Order],
    *,
    limit: int,
    offset: int,
) -> list[RunRow]:
    """Rows of the runs that meet every condition; newest first unless ordered otherwise."""
    if not experiments:
        return []
    keys = _metric_ids(tx, workspace, _metrics_named(conditions, orders))
    scope = (run.c.workspace == workspace, run.c.experiment.in_(experiments), run.c.lifecycle.in_(lifecycles))
    total = int(_TOTAL.scalar(tx, {}) or 0)
    most = min(max(total // 25, 1000), CAP)
    counted = [(condition, count(tx, condition, keys, most)) for condition in conditions]
    if any(found == 0 for _, found in counted):
        return []
    counted.sort(key=lambda pair: CAP if pair[1] is None else pair[1])  # what fails most often is looked at first
    page = _Page(scope, [condition for condition, _ in counted], orders, keys, limit, offset)
    rare = _rare([(condition, found) for condition, found in counted if found is not None], limit + offset, total, most)
    if rare:
        return _from_candidates(tx, page, rare)
    if orders and orders[0].kind is Kind.METRIC:
        return _by_metric(tx, page)
    return _sorted(tx, page, run, run.c.seq)


def _rare(counted: Sequence[tuple[Condition, int]], wanted: int, total: int, most: int) -> list[Condition]:
    """The conditions to start from; none where walking in order is likely to fill the page sooner.

    How far a walk would go is estimated as if the conditions had nothing to do with each other. Of one that matches
    `most` runs it is only known that they are no fewer: the middle, on a logarithmic scale, stands for that.
    """
    least = min((found for _, found in counted), default=most)
    if least >= most:
        return []
    walked = float(wanted)
    for _, found in counted:
        walked *= max(total / found, 1) if found < most else max(total / most, 1) ** 0.5
    return [condition for condition, found in counted if found <= min(most - 1, 4 * least)] if least <= walked else []


def _from_candidates(tx: Tx, page: _Page, rare: Sequence[Condition]) -> list[RunRow]:
    """Checks and sorts the few runs that some conditions leave."""
    found = [indexed(condition, page.keys) for condition in rare]
    candidates = (sa.intersect(*found) if len(found) > 1 else found[0]).cte("candidates")
    return _sorted(tx, page, _Ordered(candidates, run, run.c.seq == candidates.c.run), candidates.c.run)


def _by_metric(tx: Tx, page: _Page) -> list[RunRow]:
    """Walks the runs in order of a metric: those with a number, then NaN, then those without."""
    order = page.orders[0]
    key = page.keys.get(order.key, 0)
    latest = metric_latest.alias("walked")
    on_key = [c for c in page.conditions if (c.kind, c.key) == (Kind.METRIC, order.key) and c.operator in COUNTED]
    others = replace(page, conditions=[c for c in page.conditions if c not in on_key])
    numbers = [latest.c.key == key, latest.c.is_nan == 0]
    numbers += [compare(tx, latest.c.value, c.operator, c.value) for c in on_key]
    numbers += _clauses(tx, others, latest.c.run)
    walked = _Ordered(latest, run, run.c.seq == latest.c.run)
    direction = latest.c.value.asc() if order.ascending else latest.c.value.desc()
    found = _some(tx, page, walked, numbers, [direction], page.limit, page.offset)
    if len(found) == page.limit or on_key:  # neither NaN nor nothing compares with a number
        return found
    skip = 0
    if not found and page.offset:  # the page starts in the rest: so many of them were on earlier pages
        numbered = sa.select(sa.func.count()).select_from(walked).where(*page.scope, *numbers)
        skip = page.offset - int(tx.scalar(numbered))
    rest: list[sa.ColumnElement[Any]] = [
        sa.case((sa.exists().where(metric_latest.c.run == run.c.seq, metric_latest.c.key == key), 0), else_=1)
    ]
    has = sa.exists().where(metric_latest.c.run == run.c.seq, metric_latest.c.key == key, metric_latest.c.is_nan == 0)
    lacking = [~has, *_clauses(tx, page, run.c.seq)]
    return found + _some(tx, page, run, lacking, rest, page.limit - len(found), skip)


def _some(
    tx: Tx,
    page: _Page,
    source: Any,
    holds: Sequence[Clause],
    first: Sequence[sa.ColumnElement[Any]],
    limit: int,
    offset: int,
) -> list[RunRow]:
    """A part of the page: what `first` leaves equal is sorted by the other sort keys."""
    query = sa.select(run).select_from(source).where(*holds, *page.scope)
    sorting = list(first)
    for number, order in enumerate(page.orders[1:], 1):
        query, terms = _sort(query, order, page.keys, number)
        sorting += terms
    return _rows(tx, query.order_by(*sorting, *_last(page.orders)).limit(limit).offset(offset))


def _sorted(tx: Tx, page: _Page, source: Any, seq: sa.ColumnElement[int]) -> list[RunRow]:
    """Every run of a source that meets the conditions, sorted; `seq` is the source's column of run numbers."""
    query = sa.select(run).select_from(source).where(*page.scope, *_clauses(tx, page, seq))
    sorting: list[sa.ColumnElement[Any]] = []
    for number, order in enumerate(page.orders):
        query, terms = _sort(query, order, page.keys, number)
        sorting += terms
    return _rows(tx, query.order_by(*sorting, *_last(page.orders)).limit(page.limit).offset(page.offset))


def _rows(tx: Tx, query: sa.Select[Any]) -> list[RunRow]:
    return [RunRow._make(row) for row in tx.all(query)]


def _last(orders: Sequence[Order]) -> list[sa.ColumnElement[Any]]:
    """What decides between runs that the sort keys leave equal."""
    started = any((o.kind, o.key) == (Kind.ATTRIBUTE, "start_time") for o in orders)
    return [run.c.id] if started else [run.c.started.desc(), run.c.id]


def _sort(
    query: sa.Select[Any], order: Order, keys: dict[str, int], number: int
) -> tuple[sa.Select[Any], list[sa.ColumnElement[Any]]]:
    """The query with what it sorts by joined in, and the terms: what is missing comes last either way."""
    if order.kind is Kind.ATTRIBUTE:
        column = COLUMNS[order.key]
        ends = order.key == "end_time"  # the only one that may be missing
        rank = [sa.case((column.is_(None), 1), else_=0)] if ends else []
    elif order.kind is Kind.METRIC:
        latest = metric_latest.alias(f"sort_{number}")
        on = sa.and_(latest.c.run == run.c.seq, latest.c.key == keys.get(order.key, 0))
        query, column = query.outerjoin(latest, on), latest.c.value
        rank = [sa.case((latest.c.is_nan == 1, 1), (latest.c.value.is_(None), 2), else_=0)]
    else:
        table = (tag if order.kind is Kind.TAG else param).alias(f"sort_{number}")
        on = sa.and_(table.c.run == run.c.seq, table.c.key == order.key)
        query, column = query.outerjoin(table, on), table.c.value
        rank = [sa.case((column.is_(None), 1), else_=0)]
    return query, [*rank, column.asc() if order.ascending else column.desc()]


def _clauses(tx: Tx, page: _Page, seq: sa.ColumnElement[int]) -> list[Clause]:
    """The conditions on what a run has. Said of the first table's `seq`, they are judged before the run is fetched."""
    return [clause(tx, condition, page.keys, seq) for condition in page.conditions]


def _metric_ids(tx: Tx, workspace: str, keys: set[str]) -> dict[str, int]:
    if not keys:
        return {}
    query = sa.select(metric_key.c.key, metric_key.c.id)
    return {
        row.key: row.id for row in tx.all(query.where(metric_key.c.workspace == workspace, metric_key.c.key.in_(keys)))
    }


def _metrics_named(conditions: Sequence[Condition], orders: Sequence[Order]) -> set[str]:
    filtered = {c.key for c in conditions if c.kind is Kind.METRIC}
    return filtered | {o.key for o in orders if o.kind is Kind.METRIC}
