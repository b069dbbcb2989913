"""How long a person waits: `modelkeel up` until `/health` answers, and `modelkeel --help`.

`python -m bench.start` prints one JSON line a figure: the median of seven, on a home that exists and on fresh ones.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

TIMES = 7


def figure(name: str, seconds: list[float], bar: float) -> None:
    """Prints one result."""
    value = round(statistics.median(seconds), 3)
    print(json.dumps({"bench": "start", "figure": name, "value": value, "unit": "s", "bar": bar}), flush=True)


def begin(home: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """Starts a server and waits for its first answer. Returns it, and where it answers."""
    state = home / "server.json"
    state.unlink(missing_ok=True)
    command = [sys.executable, "-m", "modelkeel", "up", "--home", str(home), "--port", "0", "--predict-port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not state.exists():
        if server.poll() is not None:
            raise SystemExit(f"the server ended with status {server.returncode}")
        time.sleep(0.005)
    url: str = json.loads(state.read_text())["url"]
    while True:
        try:
            httpx.get(f"{url}/health").raise_for_status()
            return server, url
        except httpx.HTTPError:
            time.sleep(0.005)


def end(server: "subprocess.Popen[bytes]") -> None:
    """Ends a server."""
    server.terminate()
    server.wait(30)


def up(home: Path) -> float:
    """Seconds from the command to the first answer of `/health`."""
    began = time.perf_counter()
    server, _ = begin(home)
    seconds = time.perf_counter() - began
    end(server)
    return seconds


def listing() -> float:
    """Seconds of `modelkeel --help`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "modelkeel", "--help"], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measures both."""
    with tempfile.TemporaryDirectory(prefix="mk") as folder:
        figure("up until /health, fresh home", [up(Path(folder, str(n))) for n in range(TIMES)], 2.0)
        figure("up until /health, home that exists", [up(Path(folder, "0")) for _ in range(TIMES)], 2.0)
    figure("--help", [listing() for _ in range(TIMES)], 0.3)


if __name__ == "__main__":
    main()
