"""`mlflow models serve -m models:/NAME@champion`, unmodified, from our registry: it answers a request."""

import os
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from bench.peers import free_port
from tests.compat.test_libraries import SCRIPTS, python_of
from tests.compat.twins import Side


@pytest.mark.timeout(600)
def test_the_champion_is_served_by_mlflow_itself(sides: tuple[Side, Side], tmp_path: Path) -> None:
    python = python_of("classic")
    keep = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    told = keep | {"MLFLOW_TRACKING_URI": sides[1].url, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    subprocess.run([str(python), str(SCRIPTS / "register.py")], env=told, cwd=tmp_path, check=True, timeout=300)
    port = free_port()
    command = [str(python), "-m", "mlflow", "models", "serve", "-m", "models:/served@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=told, cwd=tmp_path, stdout=log, stderr=log)
    try:
        asked = {"inputs": [[1.0, 2.0], [10.0, 20.0]]}
        deadline = time.monotonic() + 180
        while True:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}/invocations", json=asked, timeout=30)
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-3000:]
                assert server.poll() is None, (tmp_path / "log").read_text()[-3000:]
                time.sleep(0.5)
        assert answer.raise_for_status().json()["predictions"] == pytest.approx([3.0, 30.0])
    finally:
        server.terminate()
        server.wait(30)
