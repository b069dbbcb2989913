"""`kill -9` at random moments under mixed writes: nothing acknowledged is lost, every record has its one entry."""

import io
import itertools
import random
import sqlite3
import tarfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from modelkeel.ledger.verifier import verify
from tests.conftest import Server, start_server

WRITERS = 4


@dataclass
class Acknowledged:
    """What the server said it has."""

    runs: list[str] = field(default_factory=list)
    params: list[tuple[str, str, str]] = field(default_factory=list)
    metrics: list[tuple[str, str, float]] = field(default_factory=list)
    files: list[tuple[str, str, bytes]] = field(default_factory=list)


def _write(url: str, stop: threading.Event, done: Acknowledged, seed: int) -> None:
    """Creates runs and writes into them until the server is gone."""
    draw = random.Random(seed)
    api = f"{url}/api/2.0/mlflow"
    with httpx.Client(timeout=10) as client:
        try:
            for number in itertools.count():
                if stop.is_set():
                    return
                answer = client.post(f"{api}/runs/create", json={"experiment_id": "0", "start_time": 1})
                run = answer.raise_for_status().json()["run"]["info"]
                done.runs.append(run["run_id"])
                key, value = f"p{number}", str(draw.random())
                body = {"run_id": run["run_id"], "params": [{"key": key, "value": value}]}
                body["metrics"] = [{"key": "m", "value": number + 0.5, "timestamp": 1, "step": 0}]
                client.post(f"{api}/runs/log-batch", json=body).raise_for_status()
                done.params.append((run["run_id"], key, value))
                done.metrics.append((run["run_id"], "m", number + 0.5))
                content = draw.randbytes(2000)
                path = f"{run['artifact_uri'].removeprefix('mlflow-artifacts:/')}/f.bin"
                client.put(f"{url}/api/2.0/mlflow-artifacts/artifacts/{path}", content=content).raise_for_status()
                done.files.append((run["run_id"], path, content))
        except httpx.TransportError:
            return


def _check(server: Server, done: Acknowledged, folder: Path) -> None:
    api = f"{server.url}/api/2.0/mlflow"
    with server.client() as client:
        for run in done.runs:
            assert client.get(f"{api}/runs/get", params={"run_id": run}).status_code == 200, run
        for run, key, value in done.params:
            data = client.get(f"{api}/runs/get", params={"run_id": run}).json()["run"]["data"]
            assert {"key": key, "value": value} in data["params"]
        for run, key, value in done.metrics:
            data = client.get(f"{api}/runs/get", params={"run_id": run}).json()["run"]["data"]
            assert [m["value"] for m in data["metrics"] if m["key"] == key] == [value]
        for _, path, content in done.files:
            assert client.get(f"{server.url}/api/2.0/mlflow-artifacts/artifacts/{path}").content == content


def _check_ledger(home: Path) -> None:
    """Straight in the database: as many runs and files as entries that made them, and a tree that is consistent."""
    with sqlite3.connect(f"file:{home / 'modelkeel.db'}?mode=ro", uri=True) as database:
        types = Counter(row[0] for row in database.execute("SELECT type FROM ledger_entry"))
        runs = database.execute("SELECT count(*) FROM run").fetchone()[0]
        files = database.execute("SELECT count(*) FROM artifact").fetchone()[0]
        size = database.execute("SELECT size FROM ledger_head").fetchone()[0]
        entries = database.execute('SELECT count(*), max("index") FROM ledger_entry').fetchone()
    assert types["run.created"] == runs
    assert types["artifact.logged"] == files
    assert entries == (size, size - 1)


def _survives(home: Path, points: int, seed: int) -> None:
    draw = random.Random(seed)
    done = Acknowledged()
    for point in range(points):
        began = time.monotonic()
        server = start_server(home)
        assert time.monotonic() - began < 10
        stop = threading.Event()
        writers = [
            threading.Thread(target=_write, args=(server.url, stop, done, seed * 1000 + point * WRITERS + n))
            for n in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        time.sleep(draw.uniform(0.05, 0.8))
        server.kill()
        stop.set()
        for writer in writers:
            writer.join()
        _check_ledger(home)
    server = start_server(home)
    try:
        assert len(done.files) > points  # the load was a load
        _check(server, done, home)
        target = home / "export"
        with server.client(server.token) as owner:
            content = owner.post("/api/v1/ledger/export").raise_for_status().content
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            archive.extractall(target, filter="data")
        assert verify(target).verdict == "ok"
    finally:
        server.stop()


def test_ten_kills(home: Path):
    _survives(home, points=10, seed=1)


@pytest.mark.soak
def test_fifty_kills(home: Path):
    _survives(home, points=50, seed=2)
