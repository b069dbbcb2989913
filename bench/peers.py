"""Other tools' servers for comparison, each in a virtual environment of its own (`bench/.venv-NAME`)."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

HERE = Path(__file__).parent


def environment(name: str, *packages: str) -> Path:
    """The Python of a virtual environment with some packages, made on first use."""
    folder = HERE / f".venv-{name}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "-q", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(packages)} can't be installed:\n{done.stderr}")
        ready.touch()
    return python


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def mlflow_server(database: str = "", artifacts: Path | None = None, python: Path | None = None) -> Iterator[str]:
    """A stock MLflow server with its defaults: SQLite, local artifacts through its proxy; gives its address.

    Args:
        database: the address of one that is there already; a new one by default.
        artifacts: the folder of files that belongs to it.
        python: of the environment of another release; 3.17.2 by default.
    """
    python = python or environment("mlflow", "mlflow==3.17.2", "scikit-learn")
    folder = Path(tempfile.mkdtemp(prefix="mlbench"))
    port = free_port()
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        database or f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(artifacts or folder / "files"),
    ]
    with (folder / "log").open("wb") as log:
        found = {
            **os.environ,
            "PATH": f"{python.parent}:{os.environ['PATH']}",
        }  # older releases look for gunicorn there
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True, env=found)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{url}/health", timeout=2).is_success:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
