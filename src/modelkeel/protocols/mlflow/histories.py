"""Histories of one metric over several runs, as MLflow's own page and its users ask for them."""

import msgspec
from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.protocols.mlflow import answers
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.tracking.service import Tracking

MOST_RUNS = 100
MOST_POINTS = 25_000
MOST_SAMPLES = 2500


class HistoryBulk(msgspec.Struct):
    """`get-history-bulk`: runs under their parameter's singular name."""

    run_id: list[str] = []
    metric_key: str = ""
    max_results: int = MOST_POINTS


class HistoryBulkInterval(msgspec.Struct):
    """`get-history-bulk-interval`: up to `max_results` steps of each run, of those between two steps."""

    run_ids: list[str] = []
    metric_key: str = ""
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = MOST_SAMPLES


def history_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow/metrics/get-history-bulk…`."""

    async def bulk(principal: Principal, asked: HistoryBulk) -> answers.ManyMetrics:
        _check_runs("GetMetricHistoryBulk", asked.run_id)
        if not asked.metric_key:
            raise InvalidInput("GetMetricHistoryBulk request must specify a metric_key.")
        left = min(asked.max_results, MOST_POINTS)
        found: list[answers.AnswerMetric] = []
        for run_id in sorted(asked.run_id):
            if left <= 0:
                break
            points, _ = await tracking.metric_history(principal, run_id, asked.metric_key, limit=left)
            found += [answers.metric(point, run_id) for point in points]
            left -= len(points)
        return answers.ManyMetrics(found)

    async def interval(principal: Principal, asked: HistoryBulkInterval) -> answers.ManyMetrics:
        require(run_ids=asked.run_ids or None, metric_key=asked.metric_key)
        _check_runs("GetMetricHistoryBulkInterval", asked.run_ids)
        if not 1 <= asked.max_results <= MOST_SAMPLES:
            raise InvalidInput(f"max_results must be between 1 and {MOST_SAMPLES}.")
        first, last = asked.start_step, asked.end_step
        if (first is None) != (last is None):
            raise InvalidInput("If either start step or end step are specified, both must be specified.")
        if first is not None and last is not None and first > last:
            raise InvalidInput(
                f"end_step must be greater than start_step. Found start_step={first} and end_step={last}."
            )
        samples = await tracking.metric_samples(
            principal, asked.run_ids, asked.metric_key, asked.max_results, first, last
        )
        return answers.ManyMetrics([answers.metric(point, run_id) for run_id, points in samples for point in points])

    at = "/mlflow/metrics/get-history-bulk"
    return [endpoint("GET", at, HistoryBulk, bulk), endpoint("GET", f"{at}-interval", HistoryBulkInterval, interval)]


def _check_runs(call: str, run_ids: list[str]) -> None:
    if not run_ids:
        raise InvalidInput(f"{call} request must specify at least one run_id.")
    if len(run_ids) > MOST_RUNS:
        raise InvalidInput(
            f"{call} request cannot specify more than {MOST_RUNS} run_ids. Received {len(run_ids)} run_ids."
        )
