"""Use cases that read metric series: histories, charts, samples, Arrow, and points as they come."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import series, store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import Metric, RunStatus
from modelkeel.tracking.search import page_offset, page_token
from modelkeel.tracking.series import Bucket, Series

LOOK_SECONDS = 2.0  # points that another server process wrote show after so long
GATHER_SECONDS = 0.2  # a fast run is told of a few times a second
AT_ONCE = 1000
Told = tuple[int, int, float | None]


class News(msgspec.Struct, frozen=True):
    """Points that a run got.

    Attributes:
        metrics: by key, points as [step, milliseconds since 1970, value]; a value that is NaN is null.
        status: where the run stands.
    """

    metrics: dict[str, list[Told]]
    status: RunStatus


class Reading(Base):
    """Read series."""

    async def metric_series(
        self, principal: Principal, run_id: str, key: str, first: int | None = None, last: int | None = None
    ) -> Series:
        """The points of one metric, of steps from `first` to `last`; None leaves that side open.

        Raises:
            NotFound: no such run. A metric that it does not have has no points.
        """
        self._may_read(principal, "runs")
        low = store.segments.LOWEST if first is None else first
        high = store.segments.HIGHEST if last is None else last

        def work(tx: Tx) -> tuple[list[tuple[int, bytes]], list[store.segments.Point]]:
            run = self._run_seen(tx, principal, run_id)
            if run is None:
                raise NotFound(f"Run with id={run_id} not found")
            number = store.metrics.key_id(tx, principal.workspace, key)
            if number is None:
                return [], []
            at = (run.seq, number, low, high)
            return store.segments.folded(tx, *at), store.segments.loose(tx, *at)

        folded, loose = await self._db.read(work)
        if not folded and len(loose) < AT_ONCE:
            return series.of_rows(loose)
        return await asyncio.to_thread(_join, [content for _, content in folded], loose, first, last)

    async def metric_history(
        self, principal: Principal, run_id: str, key: str, *, limit: int | None = None, token: str | None = None
    ) -> tuple[list[Metric], str | None]:
        """Points of one metric in order of timestamp, step and value; all of them if `limit` is None."""
        offset = page_offset(token)
        if limit is not None and limit <= 0:
            raise InvalidInput(
                f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer."
            )
        found = series.by_time(await self.metric_series(principal, run_id, key))
        end = len(found) if limit is None else min(offset + limit, len(found))
        more = page_token(end) if end < len(found) else None
        return _metrics(key, found.part(offset, end)), more

    async def metric_samples(
        self,
        principal: Principal,
        run_ids: Sequence[str],
        key: str,
        most: int,
        first: int | None = None,
        last: int | None = None,
    ) -> list[tuple[str, list[Metric]]]:
        """Of each run the points at up to `most` steps, evenly spread over those that it has."""
        found = []
        for run_id in run_ids:
            points = await self.metric_series(principal, run_id, key, first, last)
            found.append((run_id, _metrics(key, series.sampled(points, most))))
        return found

    async def metric_buckets(
        self,
        principal: Principal,
        run_id: str,
        key: str,
        count: int,
        first: int | None = None,
        last: int | None = None,
    ) -> list[Bucket]:
        """A metric's series in at most `count` ranges of steps, for drawing; no extreme is lost."""
        points = await self.metric_series(principal, run_id, key, first, last)
        if len(points) < AT_ONCE:
            return series.buckets(points, count)
        return await asyncio.to_thread(series.buckets, points, count)

    async def metric_arrow(
        self, principal: Principal, run_id: str, key: str, first: int | None = None, last: int | None = None
    ) -> bytes:
        """The points of one metric as an Arrow IPC stream: step, timestamp, value."""
        points = await self.metric_series(principal, run_id, key, first, last)
        return await asyncio.to_thread(lambda: series.to_arrow(points, stream=True))

    async def follow_metrics(self, principal: Principal, run_id: str, keys: Sequence[str] = ()) -> AsyncIterator[News]:
        """First the latest point of each metric, then new points as they come, until the run has ended.

        A point is new if its (step, timestamp) lies beyond the last one given; of one metric at most the last 1,000
        are given at once. Whoever wants every point reads the series.
        """
        self._may_read(principal, "runs")
        seen: dict[str, tuple[int, int]] = {}
        wanted, told = frozenset(keys), False

        def work(tx: Tx) -> tuple[int, News]:
            run = self._run_seen(tx, principal, run_id)
            if run is None:
                raise NotFound(f"Run with id={run_id} not found")
            return run.seq, News(_fresh(tx, run.seq, wanted, seen), RunStatus(run.status))

        while True:
            seq, news = await self._db.read(work)
            if news.metrics or not told:
                told = True
                yield news
            elif news.status.ended:
                yield news
                return
            else:
                await self._live.wait(seq, LOOK_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)


def _fresh(tx: Tx, seq: int, wanted: frozenset[str], seen: dict[str, tuple[int, int]]) -> dict[str, list[Told]]:
    """What `seen` does not cover yet; it covers it afterwards."""
    found: dict[str, list[Told]] = {}
    for name, key, step, ts, value, is_nan in store.metrics.latest_of(tx, seq):
        before = seen.get(name)
        if (wanted and name not in wanted) or before == (step, ts):
            continue
        found[name] = [(step, ts, None if is_nan else value)]
        if before is not None:
            rows = store.segments.loose(tx, seq, key, before[0], step)
            found[name] = [(s, t, None if nan else v) for s, t, v, nan in rows if before < (s, t)][-AT_ONCE:]
        seen[name] = (step, ts)
    return found


def _join(folded: list[bytes], loose: list[store.segments.Point], first: int | None, last: int | None) -> Series:
    whole = series.joined([*(series.from_arrow(content) for content in folded), series.of_rows(loose)])
    return series.between(whole, first, last)


def _metrics(key: str, points: Series) -> list[Metric]:
    columns = (points.values.tolist(), points.times.tolist(), points.steps.tolist())
    return [Metric(key, value, time, step) for value, time, step in zip(*columns, strict=True)]
