"""Use cases of the measurements of a run: batches of metrics and params, histories."""

from collections.abc import Sequence

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import rules, store
from modelkeel.tracking.models import Metric
from modelkeel.tracking.runs import Runs
from modelkeel.tracking.search import page_offset, page_token


class Bucket(msgspec.Struct, frozen=True):
    """A range of steps of a series.

    Attributes:
        step: first step of the range that has a point.
        end: last step of the range that has a point.
        time: of the last point, RFC 3339.
        points: how many there are.
        low: smallest value; None if all are NaN.
        high: largest value.
        last: value of the last point; None if it is NaN.
    """

    step: int
    end: int
    time: str
    points: int
    low: float | None
    high: float | None
    last: float | None


class Metrics(Runs):
    """Write and read series."""

    async def log_batch(
        self,
        principal: Principal,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Stores metrics, params and tags of a run, all or none.

        Metrics and params are measurements: the run's seal covers them. Tags are recorded in one entry.

        Raises:
            InvalidInput: a limit is exceeded, or a param has another value already.
        """
        self._may_track(principal, "runs")
        params, tags = params or {}, tags or {}
        rules.check_batch(len(metrics), len(params), len(tags))
        rules.check_metrics(metrics)
        for at, (key, value) in enumerate(params.items()):
            rules.check_param(key, value, f"params[{at}]")
        for at, (key, value) in enumerate(tags.items()):
            rules.check_tag(key, value, f"tags[{at}]")

        def work(tx: Tx) -> None:
            row = self._writable_run(tx, principal, run_id)
            if metrics:
                store.metrics.gather(tx, self._keys).add(tx, row.seq, principal.workspace, metrics)
                if any(metric.model_id for metric in metrics):
                    store.metrics.add_model_points(tx, run_id, metrics)
            added = self._add_params(tx, run_id, row.seq, params) if params else 0
            if tags:
                self._tag(tx, principal, run_id, row, tags)
            if metrics or added:
                self._wrote(tx, row)

        await self._db.write(work)

    async def metric_history(
        self, principal: Principal, run_id: str, key: str, *, limit: int | None = None, token: str | None = None
    ) -> tuple[list[Metric], str | None]:
        """Points of one metric in order of timestamp, step and value; all of them if `limit` is None."""
        self._may_read(principal, "runs")
        offset = page_offset(token)
        if limit is not None and limit <= 0:
            raise InvalidInput(
                f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer."
            )

        def work(tx: Tx) -> tuple[list[Metric], str | None]:
            run = self._run_seen(tx, principal, run_id)
            if run is None:
                raise NotFound(f"Run with id={run_id} not found")
            number = store.metrics.key_id(tx, principal.workspace, key)
            if number is None:
                return [], None
            asked = None if limit is None else limit + 1
            rows = store.metrics.history(tx, run.seq, number, limit=asked, offset=offset)
            more = page_token(offset + limit) if limit is not None and len(rows) > limit else None
            points = [Metric(key, float("nan") if r.is_nan else r.value, r.ts, r.step) for r in rows[:limit]]
            return points, more

        return await self._db.read(work)

    async def metric_buckets(self, principal: Principal, run_id: str, key: str, count: int) -> list[Bucket]:
        """A metric's series in at most `count` ranges of steps, for drawing."""
        self._may_read(principal, "runs")

        def work(tx: Tx) -> list[Bucket]:
            run = self._run_seen(tx, principal, run_id)
            if run is None:
                raise NotFound(f"Run with id={run_id} not found")
            number = store.metrics.key_id(tx, principal.workspace, key)
            if number is None:
                return []
            return [
                Bucket(r.step, r.end, rfc3339(r.ts), r.points, r.low, r.high, r.last)
                for r in store.metrics.buckets(tx, run.seq, number, count)
            ]

        return await self._db.read(work)

    def _add_params(self, tx: Tx, run_id: str, seq: int, params: dict[str, str]) -> int:
        held = store.runs.params_of(tx, seq, params)
        changed = [
            {"key": key, "old_value": held[key], "new_value": value}
            for key, value in params.items()
            if held.get(key, value) != value
        ]
        if changed:
            raise InvalidInput(
                f"Changing param values is not allowed. Params were already logged='{changed}' for run ID='{run_id}'."
            )
        fresh = {key: value for key, value in params.items() if key not in held}
        if fresh:
            store.runs.add_params(tx, seq, fresh)
        return len(fresh)
