"""Artifacts: small files by the mlflow client and by wrk, a large one both ways, and what memory the server takes.

`python -m bench.artifacts [--files N] [--seconds N] [--large MB] [--peer]` prints one JSON line a figure. With `--peer`
stock MLflow does the same in the same sitting. Settings are the defaults of each server: ours makes every file durable
before it answers, stock does not.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.peers import mlflow_server
from bench.servers import modelkeel_server

V2 = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
WRK = """
local count = 0
function request()
  count = count + 1
  return wrk.format("PUT", "ROOT/w" .. count .. "-" .. math.random(1e9), {}, string.rep(tostring(count), 100))
end
"""


def figure(server: str, name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    line = {"bench": "artifacts", "server": server, "figure": name, "value": round(value, 3), "unit": unit} | more
    print(json.dumps(line), flush=True)


def resident_mb() -> float:
    """What the processes that this one started have in memory."""
    pages = 0
    family, waiting = set[int](), [os.getpid()]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
            children = [int(pid) for pid in (task / "children").read_text().split()]
            family |= set(children)
            waiting += children
    for pid in family:
        pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def small(server: str, url: str, run_id: str, root: str, files: int, seconds: int) -> None:
    """Small files one after another by the client, and by wrk over 8 connections."""
    from mlflow import MlflowClient

    client = MlflowClient(url)
    with tempfile.TemporaryDirectory() as folder:
        for n in range(files):
            Path(folder, f"f{n}.txt").write_text(f"{n}" * 100)
        client.log_artifact(run_id, f"{folder}/f0.txt", "first")
        start = time.perf_counter()
        client.log_artifacts(run_id, folder, "many")
        figure(server, "client_small_files", files / (time.perf_counter() - start), "files/s", files=files)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK.replace("ROOT", root))
        script.flush()
        for length in (1, seconds):  # the first pass warms up and is not counted
            command = ["wrk", "-t1", "-c8", f"-d{length}s", "--latency", "-s", script.name, url]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])
    bad = re.findall(r"Non-2xx or 3xx responses: (\d+)", output)
    figure(server, "wrk_small_put", rate, "files/s", connections=8, failed=int(bad[0]) if bad else 0)


def large(server: str, url: str, run_id: str, megabytes: int) -> None:
    """A large file both ways by the client, streamed and in parts; what the server takes more for it."""
    from mlflow import MlflowClient
    from mlflow.environment_variables import MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD as DOWN
    from mlflow.environment_variables import MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD as UP

    client = MlflowClient(url)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.bin")
        for parts in (False, True) if server == "modelkeel" else (False,):
            with path.open("wb") as file:
                for _ in range(megabytes):
                    file.write(os.urandom(1_000_000))
            os.sync()
            UP.set(parts)
            DOWN.set(parts)
            kind, before = "parts" if parts else "streamed", resident_mb()
            start = time.perf_counter()
            client.log_artifact(run_id, str(path), kind)
            took = time.perf_counter() - start
            figure(server, f"upload_{kind}", megabytes / took, "MB/s", grew_mb=round(resident_mb() - before))
            path.unlink()
            before, start = resident_mb(), time.perf_counter()
            got = Path(client.download_artifacts(run_id, f"{kind}/large.bin", folder))
            took = time.perf_counter() - start
            figure(server, f"download_{kind}", megabytes / took, "MB/s", grew_mb=round(resident_mb() - before))
            got.unlink()


def main() -> None:
    """Runs every figure against each server in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--large", type=int, default=2000, help="size of the large file in MB; 0: none")
    parser.add_argument("--peer", action="store_true", help="also run stock MLflow")
    asked = parser.parse_args()
    servers = {"modelkeel": modelkeel_server} | ({"mlflow": mlflow_server} if asked.peer else {})
    for name, start in servers.items():
        with start() as url:
            with httpx.Client(base_url=url) as client:
                made = client.post(f"{V2}/experiments/create", json={"name": f"bench-{time.time_ns()}"})
                experiment = made.raise_for_status().json()["experiment_id"]
                run = client.post(f"{V2}/runs/create", json={"experiment_id": experiment, "start_time": 1})
                run_id = run.raise_for_status().json()["run"]["info"]["run_id"]
            small(name, url, run_id, f"{PROXY}/{experiment}/{run_id}/artifacts", asked.files, asked.seconds)
            if asked.large:
                large(name, url, run_id, asked.large)


if __name__ == "__main__":
    main()
