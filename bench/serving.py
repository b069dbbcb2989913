"""Serving on one core: peak rate and p99 of one-row requests, and CPU a request beside a raw ASGI echo.

`python -m bench.serving [--seconds N] [--connections N] [--peer]` prints one JSON line a figure. The server is pinned
to the first core, the load (`wrk`, Debian's package) to the last. Prediction logging is on, settings are the defaults.
With `--peer` the same kind of model is served by MLServer, BentoML and `mlflow models serve`, each in an environment of
its own and on the same core, and the ratio of the peak rates is printed.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.serving_peers import PEERS, model_server
from modelkeel.runtime.control import SupervisorClient, start_supervisor
from tests.integration.runtime_load import steady
from tests.integration.runtime_models import body, table, write_onnx

ECHO = """
import sys, socket, uvicorn
async def app(scope, receive, send):
    body = (await receive())["body"]
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})
config = uvicorn.Config(app, http="httptools", loop="uvloop", ws="none", lifespan="off", interface="asgi3",
                        access_log=False, log_config=None, server_header=False, date_header=False)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
CORES = sorted(os.sched_getaffinity(0))


def pin(pid: int, core: int) -> None:
    """Keeps every thread of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "serving", "figure": name, "value": round(value, 3), "unit": unit} | more), flush=True)


ROW = json.dumps(body([[1.5, 0.5, 2.5]]))


def load(url: str, pids: list[int], seconds: int, connections: int, row: str = ROW) -> tuple[float, float, float]:
    """Requests a second, p99 in ms, and CPU µs a request of the processes `pids`, under wrk."""
    script = Path(tempfile.gettempdir()) / f"wrk-{os.getpid()}.lua"
    head = "wrk.headers['Content-Type']='application/json'"
    script.write_text(f"wrk.method='POST'\n{head}\nwrk.body=[==[{row}]==]\n")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    before = sum(map(cpu_seconds, pids))
    done = subprocess.run(["taskset", "-c", str(CORES[-1]), *command], capture_output=True, text=True, check=True)
    cpu = sum(map(cpu_seconds, pids)) - before
    script.unlink()
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(done.stdout)
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])  # type: ignore[index]
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()  # type: ignore[union-attr]
    return rate, float(p99) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit], cpu / requests * 1e6


@contextmanager
def serving(workers: int) -> Iterator[tuple[SupervisorClient, Path]]:
    """A supervisor on a home of its own."""
    home = Path(tempfile.mkdtemp(prefix="keel-bench-"))
    control = start_supervisor(home, workers=workers)
    try:
        yield control, home / "serving"
    finally:
        control.shutdown(drain_seconds=1)
        shutil.rmtree(home)


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """A raw ASGI application that sends the body back, on the same HTTP server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        child = subprocess.Popen([sys.executable, "-c", ECHO, str(listener.fileno())], pass_fds=(listener.fileno(),))
    try:
        time.sleep(1.0)
        yield f"http://127.0.0.1:{port}/", child.pid
    finally:
        child.kill()
        child.wait()


def peer(name: str, ours: float, seconds: int, connections: int) -> None:
    """The same for another server; one that can't be run is said and left out."""
    try:
        with model_server(name) as (url, row, pids):
            for pid in pids:
                pin(pid, CORES[0])
            load(url, pids, 1, connections, row)
            rate, p99, cpu = load(url, pids, seconds, connections, row)
            figure(f"peak rate of {name}", rate, "requests/s", p99_ms=p99, cpu_us=round(cpu, 1))
            figure(f"peak rate beside {name}", ours / rate, "times", bar=10)
    except SystemExit as error:
        sys.stderr.write(f"{name} was left out: {error}\n")


def main() -> None:
    """Runs all figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--peer", action="store_true")
    arguments = parser.parse_known_args()[0]
    if shutil.which("wrk") is None:
        raise SystemExit("bench.serving needs wrk: apt-get install wrk")
    with echo() as (url, pid):
        pin(pid, CORES[0])
        load(url, [pid], 1, arguments.connections)
        rate, p99, echo_cpu = load(url, [pid], arguments.seconds, arguments.connections)
        figure("echo rate", rate, "requests/s", p99_ms=p99, cpu_us=round(echo_cpu, 1))
    with serving(1) as (control, folder):
        control.apply(table(1, write_onnx(folder, "r1")))
        status = control.status()
        pid = status.workers[0].pid or 0
        pin(pid, CORES[0])
        url = f"http://127.0.0.1:{status.port}/v2/models/late/infer"
        load(url, [pid], 1, arguments.connections)
        rate, p99, cpu = load(url, [pid], arguments.seconds, arguments.connections)
        figure("peak rate", rate, "requests/s", p99_ms=p99, cpu_us=round(cpu, 1))
        figure("CPU beside a raw echo", cpu / echo_cpu, "times", bar=2.5)
        figure("resident memory", resident_mb(pid), "MB")
    for name in PEERS if arguments.peer else ():
        peer(name, rate, arguments.seconds, arguments.connections)
    with serving(2) as (control, folder):
        revisions = [write_onnx(folder, f"r{i}", seed=i, version=i) for i in (1, 2)]
        control.apply(table(1, revisions[0]))
        port = control.status().port

        async def swap() -> None:
            for generation in range(2, 12):
                await asyncio.sleep(0.8)
                await asyncio.to_thread(control.apply, table(generation, revisions[generation % 2]))

        async def both() -> None:
            outcome, _ = await asyncio.gather(steady(port, 10.0), swap())
            failed = outcome.broken + outcome.wrong + sum(n for s, n in outcome.statuses.items() if s != 200)
            figure("failed requests over 10 swaps at 500 requests/s", failed, "requests", of=outcome.statuses.get(200))

        asyncio.run(both())


if __name__ == "__main__":
    main()
