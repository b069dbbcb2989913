"""Our own server for a benchmark, on a home of its own."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def modelkeel_server(home: Path | None = None, *options: str) -> Iterator[str]:
    """A server with its defaults; gives its address.

    Args:
        home: kept afterwards; None: a fresh one that is removed.
        options: further words of `modelkeel up`.
    """
    folder = home or Path(tempfile.mkdtemp(prefix="mkbench"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    state = folder / "server.json"
    state.unlink(missing_ok=True)
    command = [sys.executable, "-m", "modelkeel", "up", "--home", str(folder), "--port", "0", "--predict-port", "0"]
    with (folder / "bench.log").open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield str(json.loads(state.read_text())["url"])
    finally:
        process.terminate()
        process.wait(30)
        if home is None:
            shutil.rmtree(folder, ignore_errors=True)
