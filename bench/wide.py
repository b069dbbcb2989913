"""What is wide instead of long: 12,000 metric keys in one run, 10,000 params over runs, 500 experiments.

`python -m bench.wide` prints one JSON line a figure: medians of warm calls over HTTP.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx

from bench.servers import modelkeel_server

V2 = "/api/2.0/mlflow"
KEYS, RUNS, EXPERIMENTS = 12_000, 100, 500
CALLS = 7


def figure(name: str, call: Callable[[], httpx.Response], **more: Any) -> None:
    """Calls some times and prints the median."""
    times, size = [], 0
    for _ in range(CALLS):
        start = time.perf_counter()
        size = len(call().raise_for_status().content)
        times.append((time.perf_counter() - start) * 1000)
    line = {
        "bench": "wide",
        "figure": name,
        "value": round(statistics.median(times[1:]), 2),
        "unit": "ms",
        "bytes": size,
    }
    print(json.dumps(line | more), flush=True)


def fill(client: httpx.Client) -> tuple[str, list[str]]:
    """The wide run, and the experiments."""
    experiments = []
    for n in range(EXPERIMENTS):
        made = client.post(f"{V2}/experiments/create", json={"name": f"wide-{n}"}).raise_for_status().json()
        experiments.append(str(made["experiment_id"]))
    runs = [_run(client, experiments[0]) for _ in range(RUNS)]
    for start in range(0, KEYS, 1000):
        metrics = [{"key": f"k{n}", "value": n, "timestamp": 1} for n in range(start, start + 1000)]
        client.post(f"{V2}/runs/log-batch", json={"run_id": runs[0], "metrics": metrics}).raise_for_status()
    for n, run in enumerate(runs):
        params = [{"key": f"p{n}-{k}", "value": str(k)} for k in range(100)]
        body = {"run_id": run, "params": params, "metrics": [{"key": "auc", "value": n, "timestamp": 1}]}
        client.post(f"{V2}/runs/log-batch", json=body).raise_for_status()
    return runs[0], experiments


def _run(client: httpx.Client, experiment: str) -> str:
    made = client.post(f"{V2}/runs/create", json={"experiment_id": experiment}).raise_for_status().json()
    return str(made["run"]["info"]["run_id"])


def main() -> None:
    """Fills, then asks."""
    with modelkeel_server() as url, httpx.Client(base_url=url, timeout=120) as client:
        run, experiments = fill(client)
        search = {"experiment_ids": experiments[:1], "order_by": ["metrics.auc DESC"], "max_results": 100}
        chosen: dict[str, Any] = {"experiment": experiments[0], "columns": ["metrics.auc", "params.p5-7"], "limit": 100}
        figure("the run of 12,000 metrics", lambda: client.get(f"{V2}/runs/get", params={"run_id": run}))
        figure("search among runs with 10,000 params", lambda: client.post(f"{V2}/runs/search", json=search))
        figure("the page's list of them, two columns", lambda: client.get("/api/v1/runs", params=chosen))
        everywhere = {"experiment_ids": experiments, "filter": "metrics.auc > 90", "max_results": 100}
        figure("search over 500 experiments", lambda: client.post(f"{V2}/runs/search", json=everywhere))
        figure("500 experiments", lambda: client.post(f"{V2}/experiments/search", json={"max_results": 500}))


if __name__ == "__main__":
    main()
