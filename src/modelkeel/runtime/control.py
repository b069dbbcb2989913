"""The server's line to the supervisor: start it, find it again, tell it what to serve."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from modelkeel.core.errors import Conflict, Refused, Unavailable
from modelkeel.runtime.framing import pack, receive_frame, short_address
from modelkeel.wire.serving import (
    Answer,
    Applied,
    Apply,
    AskStatus,
    Control,
    NotApplied,
    RoutingTable,
    Shutdown,
    Status,
)

START_SECONDS = 20.0
APPLY_SECONDS = 240.0
_decoder: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class SupervisorClient:
    """Talks to the supervisor of a home. Each call is a connection of its own, so it survives the supervisor's restart.

    Args:
        home: the home folder.
    """

    def __init__(self, home: Path) -> None:
        self._path = home.resolve() / "serving" / "supervisor.sock"

    def status(self, *, seconds: float = 5.0) -> Status:
        """The supervisor's state.

        Raises:
            Unavailable: there is none, or it doesn't answer.
        """
        answer = self._ask(AskStatus(), seconds)
        if not isinstance(answer, Status):
            raise Unavailable(f"The supervisor answered {answer!r}.")
        return answer

    def apply(self, table: RoutingTable, *, seconds: float = APPLY_SECONDS) -> int:
        """Has every runtime load and verify what the table needs, then swap to it.

        Returns:
            The generation that is served now.

        Raises:
            Refused: nothing changed; `reasons` say why.
            Unavailable: there is no supervisor, or it doesn't answer.
        """
        answer = self._ask(Apply(table), seconds)
        if isinstance(answer, NotApplied):
            raise Refused("The routing table was not applied; what served goes on.", reasons=answer.reasons)
        if not isinstance(answer, Applied):
            raise Unavailable(f"The supervisor answered {answer!r}.")
        return answer.generation

    def shutdown(self, *, drain_seconds: float = 10.0) -> None:
        """Ends the supervisor and its runtimes; returns when they are gone.

        Raises:
            Unavailable: there is none, or it is still there 10 s after the draining should have ended.
        """
        pid = self.status().pid
        self._ask(Shutdown(drain_seconds), 5.0)
        deadline = time.monotonic() + drain_seconds + 10.0
        while time.monotonic() < deadline:
            if not _alive(pid):
                return
            time.sleep(0.02)
        raise Unavailable(f"The supervisor (process {pid}) did not end.")

    def _ask(self, message: Control, seconds: float) -> Answer:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        with connection:
            try:
                with short_address(self._path) as address:
                    connection.connect(address)
                connection.sendall(pack(message))
            except OSError as error:
                raise Unavailable("No serving supervisor runs on this home.", hint=f"{error.strerror}.") from error
            return _decoder.decode(receive_frame(connection))


def connect(home: Path) -> SupervisorClient:
    """Finds the supervisor that runs on a home.

    Raises:
        Unavailable: there is none.
    """
    client = SupervisorClient(home)
    client.status()
    return client


def start_supervisor(
    home: Path, host: str = "127.0.0.1", port: int = 0, workers: int = 2, *, options: tuple[str, ...] = ()
) -> SupervisorClient:
    """Starts a supervisor that outlives this process, and waits until it answers.

    Args:
        home: the home folder.
        host: where to listen for predictions.
        port: 0 means any free one; `status` tells which.
        workers: how many runtime processes.
        options: further options of its command line.

    Raises:
        Conflict: one runs on this home already, or the port is taken.
        Unavailable: it did not come up; the hint has the end of its log.
    """
    folder = home.resolve() / "serving"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / "supervisor.log"
    command = [sys.executable, "-m", "modelkeel.runtime.supervisor", "--home", str(home.resolve())]
    command += ["--host", host, "--port", str(port), "--workers", str(workers), *options]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=folder
        )
    client = SupervisorClient(home)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            tail = log.read_text(errors="replace").strip().splitlines()[-1:]
            kind = Conflict if code == 3 else Unavailable
            raise kind("The serving supervisor did not start.", hint=" ".join(tail))
        try:
            if client.status().pid == process.pid:
                return client
        except Unavailable:
            pass
        time.sleep(0.02)
    raise Unavailable("The serving supervisor did not answer in time.", hint=f"Its log is {log}.")


def _alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
