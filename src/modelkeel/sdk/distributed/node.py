"""The launcher that Ray places on a node: it starts our worker in the captured environment, on the captured code.

It needs modelkeel beside Ray on the node; the environment in which the step runs needs no Ray. Code and packages are
laid down once for a node, each under its content's name.
"""

import atexit
import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.errors import KeelError
from modelkeel.sdk.api import Api
from modelkeel.sdk.capture.cache import cache_folder
from modelkeel.sdk.capture.machine import NUMERICS
from modelkeel.sdk.capture.snapshot import unpack
from modelkeel.sdk.reproducing.rebuild import rebuild_environment, same_python
from modelkeel.sdk.running.recorder import patiently
from modelkeel.sdk.running.task import Outcome, Task
from modelkeel.sdk.running.workers import Worker, WorkerLost
from modelkeel.sdk.values.codec import fetched
from modelkeel.wire.captures import Environment

_OURS = ("MODELKEEL_URL", "MODELKEEL_TOKEN", "MODELKEEL_WORKSPACE")


@dataclass(frozen=True, slots=True)
class Ground:
    """What all steps of a run stand on.

    Attributes:
        url: the server, as nodes reach it.
        token: by which they may speak to it.
        snapshot: digest of the project's files.
        environment: what was captured.
        root: the project's folder where the run is: paths of steps lie below it.
        variables: of the run's process that steps get too: threads, hash seed, workspace.
    """

    url: str
    token: str | None
    snapshot: str
    environment: Environment
    root: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """The step's process ended, or was ended because it took too long (`late`)."""

    message: str
    late: bool = False


_WORKERS: dict[tuple[str, str, str], Worker] = {}


def run_step(ground: Ground, content: bytes, timeout: float | None, hear: Callable[[str], None]) -> Outcome | Lost:
    """Runs one step in a process of its own, which the next step of the same run takes over.

    Args:
        ground: what it stands on.
        content: the task, as msgpack.
        timeout: seconds that it may take; None: no limit.
        hear: gets what it prints.

    Raises:
        KeelError: code or environment can't be laid down here.
    """
    task = msgspec.msgpack.decode(content, type=Task)
    api = Api(ground.url, ground.token, workspace=ground.variables.get("MODELKEEL_WORKSPACE"))
    root = _code(api, ground.snapshot)
    python = same_python(ground.environment) or rebuild_environment(
        api, ground.environment, cache_folder() / "environments"
    )
    key = (python, str(root), ground.url)
    worker = _WORKERS.pop(key, None) or Worker(python=python, folder=root, variables=_variables(ground))
    try:
        outcome = worker.run(_moved(task, ground.root, root), timeout, hear)
    except TimeoutError as error:
        worker.kill()
        return Lost(str(error), late=True)
    except WorkerLost as error:
        worker.kill()
        return Lost(str(error))
    except BaseException:  # Ray cancels the launcher
        worker.kill()
        raise
    _WORKERS[key] = worker
    return outcome


def _moved(task: Task, before: str, root: Path) -> Task:
    """The task with the project's paths as they are on this node."""

    def there(path: str) -> str:
        below = Path(path)
        return str(root / below.relative_to(before)) if below.is_relative_to(before) else path

    place = task.place
    paths = [there(path) for path in place.paths if path and Path(path).is_relative_to(before)]
    moved = msgspec.structs.replace(place, file=there(place.file), paths=paths or [str(root)])
    return msgspec.structs.replace(task, place=moved)


def _variables(ground: Ground) -> dict[str, str]:
    """What the step's process gets: the node's own variables, but numerics and server as the run has them."""
    kept = {name: value for name, value in os.environ.items() if name not in {*NUMERICS, *_OURS, "PYTHONPATH"}}
    kept = {name: value for name, value in kept.items() if not name.startswith("RAY_")}
    return kept | dict(ground.variables) | {"MODELKEEL_URL": ground.url, "MODELKEEL_TOKEN": ground.token or ""}


def _code(api: Api, digest: str) -> Path:
    """The folder with the project's files, laid down if they are not here yet."""
    folder = cache_folder() / "code"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / digest
    with (folder / f".{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            scratch = folder / f".{digest}.{os.getpid()}"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            unpack(fetched(lambda blob: patiently(lambda: api.get_bytes(f"/api/v1/blobs/{blob}")), digest), scratch)
            scratch.rename(place)
    return place


def launch(ground: Ground, content: bytes, timeout: float | None, index: int, mailbox: Any) -> Outcome | Lost:
    """What Ray runs: `run_step`, with printed lines put into the run's mailbox."""
    try:
        return run_step(ground, content, timeout, lambda text: mailbox.put.remote(index, text))
    except KeelError as error:
        return Lost(str(error))


@atexit.register
def _end() -> None:
    for worker in _WORKERS.values():
        worker.kill()
