"""Many traces: logged by OTLP as exporters send them, then searched by page, tag, span and time, over HTTP.

`python -m bench.traces [--traces N] [--spans N]` prints one JSON line a figure: the rate of logging and the median of
seven searches for a page of 100.
"""

import argparse
import json
import secrets
import statistics
import time
from typing import Any

import httpx

from bench.servers import modelkeel_server

V3 = "/api/3.0/mlflow/traces"
CALLS = 7
BATCH = 100
START = 1_760_000_000_000


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "traces", "figure": name, "value": round(value, 2), "unit": unit} | more), flush=True)


def request(first: int, spans: int) -> dict[str, Any]:
    """One export of a hundred traces."""
    sent = []
    for n in range(first, first + BATCH):
        trace, root = secrets.token_hex(16), secrets.token_hex(8)
        for at in range(spans):
            begun = (START + n * 1000 + at) * 1_000_000
            span = {
                "traceId": trace,
                "spanId": root if at == 0 else secrets.token_hex(8),
                "name": f"step {at}" if at else f"answer {n % 10}",
                "startTimeUnixNano": str(begun),
                "endTimeUnixNano": str(begun + 500_000_000),
                "status": {"code": 2 if n % 50 == 0 else 1},
                "attributes": [{"key": "rows", "value": {"intValue": str(n)}}],
            }
            sent.append(span if at == 0 else span | {"parentSpanId": root})
    return {"resourceSpans": [{"scopeSpans": [{"spans": sent}]}]}


def main() -> None:
    """Logs, then asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--spans", type=int, default=5, help="spans of each trace")
    asked = parser.parse_args()
    with modelkeel_server() as url, httpx.Client(base_url=url, timeout=120) as client:
        made = client.post("/api/2.0/mlflow/experiments/create", json={"name": "traced"}).raise_for_status()
        experiment = made.json()["experiment_id"]
        took = 0.0
        for first in range(0, asked.traces, BATCH):
            body = request(first, asked.spans)
            began = time.perf_counter()
            client.post("/v1/traces", json=body, headers={"x-mlflow-experiment-id": experiment}).raise_for_status()
            took += time.perf_counter() - began
        figure("logged by OTLP", asked.traces / took, "traces/s", spans=asked.spans)
        middle = START + asked.traces // 2 * 1000
        searches = {
            "newest": None,
            "failed, one of fifty": "status = 'ERROR'",
            "by name, one of ten": "name = 'answer 3'",
            "by the name of a span": "span.name = 'step 1'",
            "before a time": f"timestamp_ms < {middle}",
            "none": "tags.team = 'nobody'",
            "none by span": "span.name = 'nowhere'",
        }
        for name, text in searches.items():
            places = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}]
            body = {"locations": places, "max_results": 100, **({"filter": text} if text else {})}
            times = []
            for _ in range(CALLS):
                began = time.perf_counter()
                found = client.post(f"{V3}/search", json=body).raise_for_status().json()
                times.append((time.perf_counter() - began) * 1000)
            figure(f"search: {name}", statistics.median(times), "ms", found=len(found.get("traces", [])))


if __name__ == "__main__":
    main()
