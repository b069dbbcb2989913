"""What the demo plays on: a server of its own, a working copy of the flights project, people, and the way it speaks."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

import modelkeel
from modelkeel.core.errors import KeelError, Unavailable
from modelkeel.sdk.api import Api

MODEL = ENDPOINT = PIPELINE = "flights"


@dataclass
class Stage:
    """The running demo.

    Attributes:
        home: the server's home; a fresh one.
        project: the working copy of `examples/flights`.
        owner: the API as the owner.
        ada: as the data scientist who trains.
        vera: as the second person, who approves.
        facts: what `--json` prints.
        began: when it started, by the monotonic clock.
    """

    home: Path
    project: Path
    console: Console
    process: subprocess.Popen[bytes]
    owner: Api
    ada: Api
    vera: Api
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands that Ada types."""
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        return os.environ | threads | _address(self.owner.url, self.ada.token or "") | {"PYTHONHASHSEED": "0"}

    def chapter(self, number: int, title: str) -> None:
        """A heading."""
        since = time.monotonic() - self.began
        self.console.print(f"\n[bold cyan]{number}[/]  [bold]{title}[/]  [dim]{since:.0f} s[/]", highlight=False)

    def say(self, text: str) -> None:
        """One line of the story."""
        self.console.print(f"   {text}", highlight=False, soft_wrap=True)

    def command(self, *words: str) -> dict[str, Any]:
        """Runs a `modelkeel` command as Ada would type it, and returns what its `--json` prints.

        Raises:
            KeelError: the command failed; the message has the end of what it said.
        """
        self.say(f"[dim]$ modelkeel {' '.join(words)}[/]")
        command = [sys.executable, "-m", "modelkeel", *words, "--json"]
        with self.console.status(f"modelkeel {words[0]}"):
            done = subprocess.run(
                command, cwd=self.project, env=self.environment, capture_output=True, text=True, check=False
            )
        lines = done.stdout.strip().splitlines()
        if done.returncode != 0 or not lines:
            raise KeelError(f"`modelkeel {words[0]}` failed: {done.stderr.strip()[-2000:]}")
        found: dict[str, Any] = json.loads(lines[-1])
        return found

    def export(self, folder: Path) -> None:
        """`modelkeel audit export`, as the owner types it."""
        self.say(f"[dim]$ modelkeel audit export {folder.name} && python {folder.name}/verify.py {folder.name}[/]")
        command = [sys.executable, "-m", "modelkeel", "audit", "export", str(folder)]
        environment = self.environment | _address(self.owner.url, self.owner.token or "")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise KeelError(f"`modelkeel audit export` failed: {done.stderr.strip()[-500:]}")

    def close(self) -> None:
        """Ends the server and the prediction processes, and removes the home."""
        stop = [sys.executable, "-m", "modelkeel", "down", "--home", str(self.home)]
        subprocess.run(stop, capture_output=True, check=False)
        self.process.wait(30)
        shutil.rmtree(self.home.parent, ignore_errors=True)


def open_stage(console: Console) -> Stage:
    """Starts a server on a fresh home and brings in Ada and Vera."""
    folder = Path(tempfile.mkdtemp(prefix="modelkeel-demo-"))
    home, project = folder / "home", folder / "project"
    shutil.copytree(_source(), project, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    _commit(project)
    process = _start(home)
    state = json.loads((home / "server.json").read_text())
    owner = Api(state["url"], (home / "owner.token").read_text())
    people = {}
    for name, roles in (("ada", ["maintainer"]), ("vera", ["approver"])):
        owner.post("/api/v1/users", {"name": name, "roles": roles})
        people[name] = Api(owner.url, owner.post("/api/v1/tokens", {"user": name})["secret"])
    os.environ |= _address(owner.url, people["ada"].token or "")
    return Stage(home, project, console, process, owner, people["ada"], people["vera"])


def _address(url: str, token: str) -> dict[str, str]:
    return {
        "MODELKEEL_URL": url,
        "MODELKEEL_TOKEN": token,
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _source() -> Path:
    packaged = Path(__file__).with_name("project")
    checkout = Path(modelkeel.__file__).parents[2] / "examples" / "flights"
    found = packaged if packaged.exists() else checkout
    if not found.exists():
        raise Unavailable("The demo's project is not installed.", hint="Run `make demo` in a checkout.")
    return found


def _commit(project: Path) -> None:
    """Makes the working copy a git repository, where git is there: capture records the commit."""
    git = shutil.which("git")
    if git is None:
        return
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "the flights project"]):
        subprocess.run([git, *words], cwd=project, check=True, capture_output=True)


def _start(home: Path) -> subprocess.Popen[bytes]:
    home.mkdir(mode=0o700)
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "modelkeel", "up", "--home", str(home), "--port", "0", "--predict-port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if (home / "server.json").exists():
            return process
        time.sleep(0.02)
    process.kill()
    raise Unavailable("The demo's server did not start.", hint=(home / "server.log").read_text()[-1000:])
