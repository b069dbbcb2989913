"""`modelkeel …` in processes of its own that start at once.

Loading the mlflow client takes over two seconds, which each `modelkeel import` and `export` of a test would pay. One
process loads it, once; each command is a fork of that, so it is a real process that can be killed.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_PARENT = """
import importlib, json, os, sys, traceback
for name in ("modelkeel.cli.importing", "modelkeel.cli.exporting", "modelkeel.sdk.moving.mover",
             "modelkeel.sdk.moving.to_mlflow", "mlflow.store.tracking.sqlalchemy_store",
             "mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.artifact.artifact_repository_registry"):
    importlib.import_module(name)
from modelkeel.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(asked["out"], os.O_WRONLY), 1)
        os.dup2(os.open(asked["err"], os.O_WRONLY), 2)
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["modelkeel", *asked["words"]]
        code = 1
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(json.dumps(child), flush=True)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])), flush=True)
"""


@dataclass
class Running:
    """A command that runs."""

    pid: int
    _parent: "subprocess.Popen[str]"
    _files: tuple[Path, Path]
    _code: list[int] = field(default_factory=list)

    def wait(self) -> int:
        """How it ended; below zero by a signal."""
        if not self._code:
            assert self._parent.stdout is not None
            self._code.append(int(self._parent.stdout.readline()))
        return self._code[0]

    @property
    def out(self) -> str:
        """What it printed."""
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        """What it complained of."""
        return self._files[1].read_text()


@cache
def _parent() -> "subprocess.Popen[str]":
    """The process that has everything loaded; it ends when this one does, as nobody writes to it then."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", _PARENT], stdin=pipe, stdout=pipe, text=True, cwd=Path.cwd())


def fork(words: tuple[str, ...], environment: dict[str, str]) -> Running:
    """Starts a command; one at a time, as the next is taken when it ended."""
    parent = _parent()
    assert parent.stdin is not None
    assert parent.stdout is not None
    folder = Path(tempfile.mkdtemp(prefix="mkcmd"))
    files = (folder / "out", folder / "err")
    for file in files:
        file.touch()
    asked = {"words": words, "environment": environment, "out": str(files[0]), "err": str(files[1])}
    parent.stdin.write(json.dumps(asked) + "\n")
    parent.stdin.flush()
    return Running(int(parent.stdout.readline()), parent, files)


def surroundings(home: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a command that talks to the server of a home."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MODELKEEL_", "MLFLOW_TRACKING"))} | more
    if home is not None:
        environment["MODELKEEL_HOME"] = str(home)
    return environment
