"""A server worth attacking, and requests that no well-behaved client would send."""

import contextlib
import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import Server, start_server

V2 = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
CANARY = "canary-7d1f0c: nobody may read this, change it or take it away"


@dataclass
class Answer:
    """What came back, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, whatever it is."""
        return self.body.decode("utf-8", "replace")


def raw(url: str, method: str, target: str, headers: list[tuple[str, str]] | None = None, body: bytes = b"") -> Answer:
    """Sends a request exactly as it is given: nothing is normalised, encoded or added but the length of a body."""
    address = httpx.URL(url)
    given = list(headers or [])
    if not any(name.lower() == "host" for name, _ in given):
        given.insert(0, ("Host", f"{address.host}:{address.port}"))
    if body and not any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in given):
        given.append(("Content-Length", str(len(body))))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in given)
    with socket.create_connection((address.host, address.port or 80), timeout=30) as connection:
        with contextlib.suppress(OSError):  # a server may refuse by closing while we still send
            connection.sendall(head.encode("latin-1") + b"Connection: close\r\n\r\n")
            for at in range(0, len(body), 1 << 16):
                connection.sendall(body[at : at + (1 << 16)])
        received = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(1 << 16):
                received += piece
    return _parse(received)


def _parse(received: bytes) -> Answer:
    if not received:
        return Answer(0, {}, b"")  # the connection was closed without a word
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(int(lines[0].split()[1]), headers, body)


@dataclass
class Victim:
    """A server that lets nobody in without a token, with something to steal, and a file beside it that is not its own.

    Attributes:
        owner: may do everything, so that a refusal is never one for want of rights.
        canary: a file outside of the home.
        inside: a file in the home.
    """

    server: Server
    owner: httpx.Client
    canary: Path
    inside: Path
    experiment: str = ""
    run: str = ""
    model: str = "victim"
    logged_model: str = ""
    names: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Makes an experiment, a run with a file, a logged model, a version."""
        self.experiment = self.post("experiments/create", name="victim")["experiment_id"]
        self.run = self.post("runs/create", experiment_id=self.experiment)["run"]["info"]["run_id"]
        self.put("a.txt", b"a file")
        made = self.post("logged-models", experiment_id=self.experiment, name="m", source_run_id=self.run)
        self.logged_model = made["model"]["info"]["model_id"]
        self.owner.put(
            f"{PROXY}/{self.experiment}/models/{self.logged_model}/artifacts/MLmodel", content=b"flavors: {}"
        ).raise_for_status()
        body = {"status": "LOGGED_MODEL_READY"}
        self.owner.patch(f"{V2}/logged-models/{self.logged_model}", json=body).raise_for_status()
        self.post("registered-models/create", name=self.model)
        self.post("model-versions/create", name=self.model, source=f"models:/{self.logged_model}")
        self.names = {
            "experiment": self.experiment,
            "run": self.run,
            "model": self.model,
            "logged_model": self.logged_model,
            "owned": f"{self.experiment}/{self.run}/artifacts",
        }

    def post(self, path: str, **body: Any) -> Any:
        """The owner's call of MLflow's protocol."""
        return self.owner.post(f"{V2}/{path}", json=body).raise_for_status().json()

    def put(self, path: str, content: bytes) -> None:
        """A file of the run."""
        self.owner.put(f"{PROXY}/{self.experiment}/{self.run}/artifacts/{path}", content=content).raise_for_status()

    def raw(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        *,
        token: bool = True,
    ) -> Answer:
        """The owner's request, exactly as it is given."""
        shown = [("Authorization", f"Bearer {self.server.token}")] if token else []
        return raw(self.server.url, method, target, [*shown, *(headers or [])], body)

    def post_raw(self, path: str, body: bytes | dict[str, Any], headers: list[tuple[str, str]] | None = None) -> Answer:
        """The owner's POST to MLflow's protocol."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.raw("POST", f"{V2}/{path}", headers, content)

    def size(self) -> int:
        """How many entries the ledger has that somebody made; the server's own come and go with time."""
        found = self.owner.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
        return sum(entry["actor"] != "system" for entry in found)

    def experiments(self) -> set[str]:
        """Names of all experiments."""
        found = self.owner.get(f"{V2}/experiments/search", params={"max_results": 5000}).json()
        return {each["name"] for each in found["experiments"]}

    def is_well(self) -> None:
        """It answers, and nothing that is not its own was touched."""
        assert self.owner.get("/health").status_code == 200
        assert self.canary.read_text() == CANARY
        assert self.inside.read_text() == CANARY


@contextlib.contextmanager
def victim(*options: str) -> Iterator[Victim]:
    """Starts one."""
    folder = Path(tempfile.mkdtemp(prefix="mk"))
    home = folder / "home"
    server = start_server(home, *options)
    try:
        canary, inside = folder / "canary.txt", home / "canary.txt"
        canary.write_text(CANARY)
        inside.write_text(CANARY)
        with server.client(server.token) as owner:
            made = Victim(server, owner, canary, inside)
            made.prepare()
            yield made
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A web server on loopback that nobody may be led to: its address, and what it was sent."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        heard.append(connection.recv(1 << 16))
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)
