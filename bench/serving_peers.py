"""Other model servers for comparison: the same scikit-learn model behind each, one worker, its defaults."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.peers import environment, free_port

TRAIN = """
import numpy as np, joblib, sys
from sklearn.linear_model import LogisticRegression
rng = np.random.default_rng(0)
values = rng.normal(size=(200, 3)).astype(np.float32)
model = LogisticRegression().fit(values, (values @ rng.normal(size=3) > 0).astype(int))
"""
MLSERVER = (
    """{"name": "late", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}"""
)
BENTO = """
import bentoml, joblib, numpy as np
@bentoml.service(workers=1)
class Late:
    def __init__(self):
        self.model = joblib.load("model.joblib")
    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[int]:
        return self.model.predict(np.asarray(rows)).tolist()
"""
V2_BODY = '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1.5,0.5,2.5]}]}'


@dataclass(frozen=True)
class Peer:
    """How to run one.

    Attributes:
        packages: what its environment holds.
        train: written and run in its folder first; makes the model.
        files: further files of the folder.
        command: started with the environment's Python; `{port}` and `{folder}` are filled in.
        path: where predictions are asked for.
        body: one row.
    """

    packages: tuple[str, ...]
    train: str
    files: dict[str, str]
    command: tuple[str, ...]
    path: str
    body: str


SAVE = TRAIN + "joblib.dump(model, 'model.joblib')\n"
PEERS = {
    "mlserver": Peer(
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
        SAVE,
        {
            "model-settings.json": MLSERVER,
            "settings.json": '{"parallel_workers": 0, "http_port": {port}, "grpc_port": 0}',
        },
        ("-c", "from mlserver.cli import main; main()", "start", "."),
        "/v2/models/late/infer",
        V2_BODY,
    ),
    "bentoml": Peer(
        ("bentoml==1.4.30", "scikit-learn"),
        SAVE,
        {"service.py": BENTO},
        ("-m", "bentoml", "serve", "service:Late", "--port", "{port}"),
        "/predict",
        '{"rows":[[1.5,0.5,2.5]]}',
    ),
    "mlflow": Peer(
        ("mlflow==3.17.2", "scikit-learn"),
        TRAIN + "import mlflow\nmlflow.sklearn.save_model(model, 'model', serialization_format='cloudpickle')\n",
        {},
        ("-m", "mlflow", "models", "serve", "-m", "model", "--env-manager", "local", "--port", "{port}"),
        "/invocations",
        '{"inputs":[[1.5,0.5,2.5]]}',
    ),
}


@contextmanager
def model_server(name: str) -> Iterator[tuple[str, str, list[int]]]:
    """Starts a peer; gives the address to post to, the body, and the processes that serve.

    Raises:
        SystemExit: it can't be installed or does not answer; the message has its log.
    """
    peer = PEERS[name]
    python = environment(name, *peer.packages)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as place:
        folder = Path(place)
        subprocess.run([str(python), "-c", peer.train], cwd=folder, check=True, capture_output=True)
        for file, text in peer.files.items():
            folder.joinpath(file).write_text(text.replace("{port}", str(port)))
        command = [str(python), *(word.replace("{port}", str(port)) for word in peer.command)]
        with (folder / "log").open("wb") as log:
            path = {"PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin", "HOME": place}
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=path, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}{peer.path}"
            _wait(url, peer.body, process, folder / "log")
            yield url, peer.body, _family(process.pid)
        finally:
            for pid in _family(process.pid):
                with suppress(ProcessLookupError):  # it ended by itself
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _family(leader: int) -> list[int]:
    """A process and all below it (proc(5), field 4 of `stat` is the parent)."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat")]
    parents = {int(stat.split(" ", 1)[0]): int(stat.rsplit(")", 1)[1].split()[1]) for stat in stats}
    found = [leader]
    for known in found:
        found += [pid for pid, parent in parents.items() if parent == known]
    return found


def _wait(url: str, body: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.post(url, content=body, headers={"content-type": "application/json"}).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
        time.sleep(0.2)
    sys.exit(f"{url} does not answer:\n{log.read_text()[-3000:]}")
