"""Two servers on one Postgres, behind one address: one installation, one ledger, one at the background work."""

import contextlib
import dataclasses
import itertools
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.entities import Metric

from tests.acceptance.test_mlflow_client import run_client
from tests.conftest import Server, start_server


class Balancer(socketserver.ThreadingTCPServer):
    """One address for several servers: each connection goes to the next of them."""

    daemon_threads = True

    def __init__(self, ports: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.ports = itertools.cycle(ports)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Connection(socketserver.BaseRequestHandler):
    server: Balancer

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", next(self.server.ports))) as there:
            back = threading.Thread(target=_copy, args=(there, self.request), daemon=True)
            back.start()
            _copy(self.request, there)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def pair(tmp_path: Path, postgres_database: str) -> Iterator[list[Server]]:
    options = ("--database", postgres_database, "--blobs", f"file://{tmp_path}/blobs", "--keys", str(tmp_path / "keys"))
    servers: list[Server] = []
    try:
        servers += [start_server(tmp_path / name, *options) for name in ("one", "two")]
        yield servers
    finally:
        for server in servers:
            server.stop()


def test_one_installation(pair: list[Server], tmp_path: Path) -> None:
    balancer = Balancer([int(server.url.rsplit(":", 1)[1]) for server in pair])
    script = (Path(__file__).parents[1] / "acceptance" / "mlflow_lifecycle.py").read_text()
    try:
        assert run_client(dataclasses.replace(pair[0], url=balancer.url), script, tmp_path) == "done"
        _many_at_once(balancer.url)
    finally:
        balancer.shutdown()
        balancer.server_close()
    seen = []
    for server in pair:
        with server.client() as client:
            entries = client.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
            seen.append({entry["index"]: entry for entry in entries})
            assert sorted(seen[-1]) == list(range(len(entries)))
    assert all(seen[1][index] == entry for index, entry in seen[0].items())  # the later look may have more


def _many_at_once(url: str) -> None:
    """Runs and versions from eight clients: nothing is lost, no number comes twice."""
    client = mlflow.MlflowClient(url)
    experiment = client.create_experiment("at once")
    client.create_registered_model("shared")

    def work(number: int) -> list[str]:
        mine = mlflow.MlflowClient(url)
        versions = []
        for at in range(4):
            run = mine.create_run(experiment, tags={"who": str(number)})
            mine.log_batch(run.info.run_id, [Metric(f"m{k}", k, 1, at) for k in range(20)])
            with httpx.Client(base_url=url) as raw:
                place = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run.info.run_id}/artifacts/model/MLmodel"
                raw.put(place, content=b"flavors: {}\n").raise_for_status()
            made = mine.create_model_version("shared", f"runs:/{run.info.run_id}/model", run.info.run_id)
            versions.append(str(made.version))
        return versions

    with ThreadPoolExecutor(8) as pool:
        versions = [int(version) for made in pool.map(work, range(8)) for version in made]
    assert sorted(versions) == list(range(1, 33))
    found = client.search_runs([experiment], max_results=1000)
    assert len(found) == 32
    assert all(len(run.data.metrics) == 20 for run in found)


def test_the_other_goes_on_when_one_dies(pair: list[Server]) -> None:
    leader, other = pair  # the first one up took the lease
    leader.kill()
    client = mlflow.MlflowClient(other.url)
    run = client.create_run("0")
    client.set_terminated(run.info.run_id)
    deadline = time.monotonic() + 60
    with other.client() as raw:
        while time.monotonic() < deadline:
            types = {entry["type"] for entry in raw.get("/api/v1/ledger/entries?limit=1000").json()["entries"]}
            if "run.sealed" in types:
                return
            time.sleep(0.5)
    raise AssertionError("nobody seals runs any more")
