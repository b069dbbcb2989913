"""Steps on Ray: each is a Ray task with its resources, which starts our worker on the node where Ray puts it.

Content never goes through Ray: tasks and outcomes name it by digest, and workers fetch and store it at the server.
"""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput, KeelError, Unavailable
from modelkeel.sdk.capture.cache import cache_folder
from modelkeel.sdk.distributed.node import Ground, Lost, launch
from modelkeel.sdk.running.options import Options
from modelkeel.sdk.running.task import Outcome, Task
from modelkeel.sdk.running.workers import WorkerLost

POLL_SECONDS = 0.2
WAITING = 2
"""Steps that wait at Ray for each processor of the cluster, so that none is idle and Ray sees what to scale for."""


class RayWorkers:
    """A Ray cluster as an engine.

    Args:
        address: `ray` (the cluster that RAY_ADDRESS names, else one on this machine) or `ray://HOST:PORT`.
        ground: what the run's steps stand on; asked for once, when the first step runs.
        processors: of a Ray that is started on this machine.

    Raises:
        InvalidInput: Ray is not installed here.
        Unavailable: the cluster can't be reached.
    """

    def __init__(self, address: str, ground: Callable[[], Ground], processors: int) -> None:
        self._ray = _imported(address)
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, address, processors)
        self.slots = max(1, int(WAITING * self._ray.cluster_resources().get("CPU", 1)))
        self.closed = False
        self._lock = threading.Lock()
        self._under_way: dict[int, Any] = {}
        self._hear: dict[int, Callable[[str], None]] = {}
        self._ground = self._ray.put(ground())
        self._launch = self._ray.remote(launch)
        self._mailbox = self._ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        self._reader = threading.Thread(target=self._read, name="keel-ray-lines", daemon=True)
        self._reader.start()

    def run(self, task: Task, options: Options, hear: Callable[[str], None]) -> Outcome:
        """As `Engine.run`; a step whose node is lost counts as one whose process is."""
        asked: dict[str, Any] = {"num_cpus": options.cpu, "num_gpus": options.gpu, "max_retries": 0}
        if options.memory:
            asked["memory"] = options.memory
        remote = self._launch.options(name=task.name, **asked)
        with self._lock:
            if self.closed:
                raise _ended()
            self._hear[task.index] = hear
            content = msgspec.msgpack.encode(task)
            found = remote.remote(self._ground, content, options.timeout, task.index, self._mailbox)
            self._under_way[task.index] = found
        try:
            outcome = self._ray.get(found)
        except KeelError:
            raise
        except self._ray.exceptions.RayError as error:
            if self.closed:
                raise _ended() from error
            told = str(error).strip().splitlines()
            raise WorkerLost(f"What ran {task.name} on Ray is gone: {told[0] if told else error!r}.") from error
        except BaseException:  # the run ends: so does the step
            self._cancel(found)
            raise
        finally:
            self._take_lines()
            with self._lock:
                self._under_way.pop(task.index, None)
                self._hear.pop(task.index, None)
        if isinstance(outcome, Lost):
            raise TimeoutError(outcome.message) if outcome.late else WorkerLost(outcome.message)
        done: Outcome = outcome
        return done

    def close(self) -> None:
        """Ends what runs, and a Ray that was started for this run."""
        with self._lock:
            before, self.closed = self.closed, True
            under_way = list(self._under_way.values())
        for found in under_way:
            self._cancel(found)
        if not before:
            with contextlib.suppress(Exception):
                self._ray.kill(self._mailbox)
            if self._ours:
                self._ray.shutdown()

    def _cancel(self, found: Any) -> None:
        """By force: the launcher dies, and with its end the step's process, whose input ends."""
        with contextlib.suppress(Exception):  # it has ended, or the cluster is gone
            self._ray.cancel(found, force=True)

    def _read(self) -> None:
        while not self.closed:
            time.sleep(POLL_SECONDS)
            self._take_lines()

    def _take_lines(self) -> None:
        """Passes on what steps printed. Lines may be lost with a node: each step's whole log is in its outcome."""
        try:
            lines = self._ray.get(self._mailbox.take.remote(), timeout=10)
        except Exception:  # noqa: BLE001 - Ray ends, or the mailbox's node died and it starts anew
            return
        for index, text in lines:
            hear = self._hear.get(index)
            if hear is not None:
                hear(text)


class Mailbox:
    """An actor that holds lines until the run's process takes them."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str]] = []

    def put(self, index: int, text: str) -> None:
        """Something that a step printed."""
        self._lines.append((index, text))

    def take(self) -> list[tuple[int, str]]:
        """All of it since the last time."""
        taken, self._lines = self._lines, []
        return taken


def _imported(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "ray" and "RAY_ADDRESS" not in os.environ:
        _own_token()  # before the import, at which Ray reads it
    try:
        import ray
    except ImportError as error:
        raise InvalidInput("Ray is not installed here.", hint='Install it: pip install "modelkeel[ray]".') from error
    return ray


def _connect(ray: Any, address: str, processors: int) -> None:
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if address != "ray":
            ray.init(address, **quiet)
        elif "RAY_ADDRESS" in os.environ:
            ray.init(**quiet)
        else:
            ray.init("local", num_cpus=processors, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
    except Exception as error:
        raise Unavailable(
            f"Ray does not answer: {str(error).strip()[:500]}", hint="Check the address, and `ray status` there."
        ) from error


def _own_token() -> None:
    """A Ray on this machine takes nobody's tasks but ours."""
    if "RAY_AUTH_MODE" in os.environ:
        return
    file = cache_folder() / "ray.token"
    file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as output:
            output.write(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file)}


def _ended() -> WorkerLost:
    return WorkerLost("The step was ended with what it was part of.")
