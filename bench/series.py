"""A million points of one metric: drawn in 2,000 buckets, and whole as Arrow, over HTTP.

`python -m bench.series [--points N]` prints one JSON line a figure: the first call and the median of warm ones, before
the points are folded and after. They are logged by batches of 1,000, as the mlflow client sends them.
"""

import argparse
import json
import statistics
import time
from typing import Any

import httpx

from bench.servers import modelkeel_server

V2 = "/api/2.0/mlflow"
CALLS = 7


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "series", "figure": name, "value": round(value, 2), "unit": unit} | more), flush=True)


def log(client: httpx.Client, points: int) -> str:
    """A run with so many points of `loss`."""
    run = client.post(f"{V2}/runs/create", json={"experiment_id": "0"}).raise_for_status().json()
    run_id = str(run["run"]["info"]["run_id"])
    began = time.perf_counter()
    for start in range(0, points, 1000):
        batch = [
            {"key": "loss", "value": 1 / (step + 1), "timestamp": 1_700_000_000_000 + 10 * step, "step": step}
            for step in range(start, min(start + 1000, points))
        ]
        client.post(f"{V2}/runs/log-batch", json={"run_id": run_id, "metrics": batch}).raise_for_status()
    figure("logged, one client", points / (time.perf_counter() - began), "points/s")
    return run_id


def ask(client: httpx.Client, when: str, run_id: str, points: int) -> None:
    """The chart and the raw series."""
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "chart of 2,000 buckets": ("metric-buckets", {"count": 2000}),
        "raw as Arrow": ("metric-points", {}),
    }
    for name, (path, more) in calls.items():
        times, size = [], 0
        for _ in range(CALLS):
            start = time.perf_counter()
            answer = client.get(f"/api/v1/runs/{run_id}/{path}", params={"key": "loss"} | more).raise_for_status()
            times.append((time.perf_counter() - start) * 1000)
            size = len(answer.content)
        figure(f"{name}, {when}", statistics.median(times[1:]), "ms", first=round(times[0]), points=points, bytes=size)


def main() -> None:
    """Logs, asks, waits for the fold, asks again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1_000_000)
    asked = parser.parse_known_args()[0]
    with modelkeel_server() as url, httpx.Client(base_url=url, timeout=120) as client:
        run_id = log(client, asked.points)
        ask(client, "as logged", run_id, asked.points)
        deadline, size = time.monotonic() + 120, -1
        while time.monotonic() < deadline:  # folded when a quiet look finds nothing that changes any more
            time.sleep(8)
            start = time.perf_counter()
            client.get(f"/api/v1/runs/{run_id}/metric-buckets", params={"key": "loss", "count": 2000})
            took = round((time.perf_counter() - start) * 100)
            if took >= size >= 0:
                break
            size = took
        ask(client, "folded", run_id, asked.points)


if __name__ == "__main__":
    main()
