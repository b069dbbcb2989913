"""Tracking: metric ingest, client calls, search and artifact transfer, by us and (with --peer) by stock MLflow.

`python -m bench.tracking [--seconds N] [--connections N] [--runs N] [--peer]` prints one JSON line a figure.
The peer is installed into a virtual environment of its own on first use. Settings are the defaults of each server.
"""

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import httpx

from bench.peers import mlflow_server
from bench.servers import modelkeel_server

V2 = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
BATCH = 100
WRK = """
local run, connection, count = "RUN", 0, 0
function setup(thread) thread:set("number", connection); connection = connection + 1 end
local points = {}
for step = 0, 9 do
  for key = 0, 9 do
    points[#points + 1] = string.format('{"key":"metric%d","value":%d.5,"timestamp":@@,"step":@@%d}', key, key, step)
  end
end
local template = '{"run_id":"' .. run .. '","metrics":[' .. table.concat(points, ",") .. ']}'
function request()
  count = count + 1
  local body = template:gsub("@@", tostring(number * 1000000 + count))
  return wrk.format("POST", "/api/2.0/mlflow/runs/log-batch", {["Content-Type"] = "application/json"}, body)
end
"""


def figure(server: str, name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    line = {"bench": "tracking", "server": server, "figure": name, "value": round(value, 3), "unit": unit} | more
    print(json.dumps(line), flush=True)


def new_run(client: httpx.Client, experiment: str) -> str:
    """A run's id."""
    body = {"experiment_id": experiment, "start_time": time.time_ns() // 1_000_000}
    return str(client.post(f"{V2}/runs/create", json=body).raise_for_status().json()["run"]["info"]["run_id"])


def ingest(server: str, url: str, experiment: str, seconds: int, connections: int) -> None:
    """The server's own peak: 100-metric batches by wrk over several connections."""
    with httpx.Client(base_url=url) as client:
        run_id = new_run(client, experiment)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK.replace("RUN", run_id))
        script.flush()
        output = ""
        for length in (2, seconds):  # the first pass warms up and is not counted
            command = ["wrk", "-t1", f"-c{connections}", f"-d{length}s", "--latency", "-s", script.name, url]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])
    half, most = (_milliseconds(re.findall(rf"(?m)^\s+{p}%\s+(\S+)", output)[0]) for p in (50, 99))
    bad = re.findall(r"Non-2xx or 3xx responses: (\d+)", output)
    figure(
        server, "log_batch_peak", rate * BATCH, "metrics/s", connections=connections, p50_ms=half, p99_ms=most,
        failed=int(bad[0]) if bad else 0,
    )  # fmt: skip


def by_client(server: str, url: str, seconds: float) -> None:
    """What one user of the unmodified client sees."""
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(url)
    client = MlflowClient(url)
    experiment = client.create_experiment(f"client-{time.time_ns()}")
    run_id = client.create_run(experiment).info.run_id
    steps = iter(range(10**9))
    one = _rate(seconds, lambda: client.log_metric(run_id, "m", 1.0, step=next(steps), synchronous=True))
    figure(server, "client_log_metric", one, "calls/s")

    def batch() -> None:
        at = next(steps)
        client.log_batch(run_id, [Metric(f"k{n}", float(n), at, at) for n in range(1000)])

    figure(server, "client_log_batch_1000", _rate(seconds, batch) * 1000, "metrics/s")

    def create() -> None:
        made = client.create_run(experiment)
        client.log_metric(made.info.run_id, "m", 1.0, synchronous=True)

    figure(server, "client_create_run_and_log", _rate(seconds, create), "runs/s")


def search(server: str, url: str, experiment: str, runs: int) -> None:
    """A filtered, ordered search for the first hundred of many runs, and a page of a thousand."""
    with httpx.Client(base_url=url, timeout=120) as client:
        for n in range(runs):
            run_id = new_run(client, experiment)
            body = {
                "run_id": run_id,
                "metrics": [{"key": f"m{k}", "value": (n * 7 + k) % 1000, "timestamp": 1} for k in range(5)],
                "params": [{"key": f"p{k}", "value": str((n + k) % 10)} for k in range(5)],
            }
            client.post(f"{V2}/runs/log-batch", json=body).raise_for_status()
        narrow = {"filter": "metrics.m1 > 100 and params.p2 = '3'", "order_by": ["metrics.m1 DESC"]}
        ask: dict[str, dict[str, Any]] = {
            "filtered_100": {**narrow, "max_results": 100},
            "page_1000": {"max_results": 1000},
        }
        for name, body in ask.items():
            times = []
            for _ in range(7):
                start = time.perf_counter()
                client.post(f"{V2}/runs/search", json={"experiment_ids": [experiment], **body}).raise_for_status()
                times.append(time.perf_counter() - start)
            figure(server, f"search_{name}", statistics.median(times) * 1000, "ms", runs=runs)


def artifacts(server: str, url: str, experiment: str, seconds: float) -> None:
    """Small files a second, and a large one both ways."""
    with httpx.Client(base_url=url, timeout=300) as client:
        run_id = new_run(client, experiment)
        root = f"{ARTIFACTS}/{experiment}/{run_id}/artifacts"
        count = iter(range(10**9))

        def small() -> None:
            n = next(count)
            client.put(f"{root}/f{n}.txt", content=b"%d" % n * 200).raise_for_status()

        figure(server, "artifact_small_put", _rate(seconds, small), "files/s")
        content = bytes(range(256)) * (256 << 10 >> 8 << 9)
        start = time.perf_counter()
        client.put(f"{root}/large.bin", content=content).raise_for_status()
        figure(server, "artifact_upload", len(content) / 1e6 / (time.perf_counter() - start), "MB/s", size=len(content))
        start = time.perf_counter()
        got = client.get(f"{root}/large.bin").raise_for_status().content
        figure(server, "artifact_download", len(got) / 1e6 / (time.perf_counter() - start), "MB/s", size=len(got))


def _rate(seconds: float, call: Callable[[], None]) -> float:
    """Calls a second over a while, after a first one that is not counted."""
    call()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - start)


def _milliseconds(text: str) -> float:
    """wrk's `1.23ms`, `45.00us` or `1.02s`."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def main() -> None:
    """Runs every figure against each server in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--peer", action="store_true", help="also run stock MLflow")
    asked = parser.parse_args()
    servers = {"modelkeel": modelkeel_server} | ({"mlflow": mlflow_server} if asked.peer else {})
    for name, start in servers.items():
        with start() as url:
            with httpx.Client(base_url=url) as client:
                made = client.post(f"{V2}/experiments/create", json={"name": f"bench-{time.time_ns()}"})
                experiment = str(made.raise_for_status().json()["experiment_id"])
            ingest(name, url, experiment, asked.seconds, asked.connections)
            by_client(name, url, asked.seconds)
            artifacts(name, url, experiment, asked.seconds)
            search(name, url, experiment, asked.runs)


if __name__ == "__main__":
    main()
