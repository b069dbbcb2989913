"""Counters of one runtime process, and the Prometheus text of all of them."""

from bisect import bisect_left
from collections.abc import Iterable

import msgspec

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Series(msgspec.Struct):
    """What one revision did at one endpoint; requests refused before routing have an empty revision.

    Attributes:
        workspace: the workspace's name.
        endpoint: the endpoint's name.
        revision: the revision's id.
        variant: champion, canary or shadow.
        requests: answered with a prediction.
        rows: predicted.
        errors: requests by status.
        buckets: predictions by latency; one more than `BUCKETS`, not cumulative.
        seconds: sum of latencies.
    """

    workspace: str
    endpoint: str
    revision: str
    variant: str
    requests: int = 0
    rows: int = 0
    errors: dict[str, int] = msgspec.field(default_factory=dict)
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def answered(self, rows: int, seconds: float) -> None:
        """Counts a prediction."""
        self.requests += 1
        self.rows += rows
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1

    def failed(self, status: int | str) -> None:
        """Counts a request that got no prediction."""
        self.errors[str(status)] = self.errors.get(str(status), 0) + 1


class Snapshot(msgspec.Struct):
    """All counters of one process.

    Attributes:
        worker: its slot.
        generation: of the routing table that it serves.
        lost_rows: rows missing in the prediction log.
        series: the counters.
    """

    worker: int
    generation: int
    lost_rows: int
    series: list[Series]


class Registry:
    """The counters of this process; they outlive the routing tables."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str, str], Series] = {}

    def series(self, workspace: str, endpoint: str, revision: str = "", variant: str = "") -> Series:
        """The counters under these labels, made if new."""
        key = (workspace, endpoint, revision, variant)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = Series(workspace, endpoint, revision, variant)
        return found

    def all(self) -> list[Series]:
        """All counters."""
        return list(self._series.values())


def exposition(snapshots: Iterable[Snapshot]) -> str:
    """Prometheus text format 0.0.4 of all processes, told apart by the label `worker`."""
    snapshots = list(snapshots)
    lines = ["# TYPE modelkeel_prediction_requests_total counter"]
    requests, rows, errors, latency = lines, ["# TYPE modelkeel_prediction_rows_total counter"], [], []
    errors.append("# TYPE modelkeel_prediction_errors_total counter")
    latency.append("# TYPE modelkeel_prediction_seconds histogram")
    gauges = ["# TYPE modelkeel_routing_generation gauge"]
    lost = ["# TYPE modelkeel_prediction_log_lost_rows_total counter"]
    for snapshot in snapshots:
        gauges.append(f'modelkeel_routing_generation{{worker="{snapshot.worker}"}} {snapshot.generation}')
        lost.append(f'modelkeel_prediction_log_lost_rows_total{{worker="{snapshot.worker}"}} {snapshot.lost_rows}')
        for series in snapshot.series:
            labels = _labels(series, snapshot.worker)
            if series.requests:
                requests.append(f"modelkeel_prediction_requests_total{{{labels}}} {series.requests}")
                rows.append(f"modelkeel_prediction_rows_total{{{labels}}} {series.rows}")
                latency.extend(_histogram(series, labels))
            errors.extend(
                f'modelkeel_prediction_errors_total{{{labels},status="{status}"}} {count}'
                for status, count in series.errors.items()
            )
    return "\n".join([*requests, *rows, *errors, *latency, *gauges, *lost]) + "\n"


def _histogram(series: Series, labels: str) -> list[str]:
    lines = []
    total = 0
    for bound, count in zip((*BUCKETS, "+Inf"), series.buckets, strict=True):
        total += count
        lines.append(f'modelkeel_prediction_seconds_bucket{{{labels},le="{bound}"}} {total}')
    lines.append(f"modelkeel_prediction_seconds_sum{{{labels}}} {series.seconds}")
    lines.append(f"modelkeel_prediction_seconds_count{{{labels}}} {total}")
    return lines


def _labels(series: Series, worker: int) -> str:
    pairs = {
        "workspace": series.workspace,
        "endpoint": series.endpoint,
        "revision": series.revision,
        "variant": series.variant,
    }
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs.items()) + f',worker="{worker}"'


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
