"""What is asked of a process that runs one step, and what it answers. Content itself travels by the server."""

import pickle
from typing import IO, Any

import msgspec

from modelkeel.core.errors import KeelError
from modelkeel.wire.pipelines import Logged
from modelkeel.wire.values import Value

LENGTH = 4
MOST = 1 << 28


class StepFailed(KeelError):
    """A step failed in another process with an exception that can't be brought over."""

    code = "STEP_FAILED"


class Place(msgspec.Struct, frozen=True):
    """Where a process finds a step.

    Attributes:
        file: that defines it.
        module: the name under which the run imported it.
        name: of the step in the module, dotted inside classes.
        paths: Python's search path.
    """

    file: str
    module: str
    name: str
    paths: list[str]


class Task(msgspec.Struct, frozen=True):
    """One step to run.

    Attributes:
        run_id: of the run.
        index: the step's place in it.
        name: as which the call is shown.
        place: where the step is.
        inputs: arguments by name.
        seed: for the generators.
    """

    run_id: str
    index: int
    name: str
    place: Place
    inputs: dict[str, Value]
    seed: int


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """What became of it.

    Attributes:
        value: the result, whose content the server has by now; None: it failed.
        wall_us: microseconds from start to end.
        cpu_us: processor microseconds.
        peak_bytes: largest resident memory.
        logged: what it logged to MLflow.
        log: what it printed.
        error: the failure in one line.
        failure: the exception itself, pickled, where it can be.
        trace: its traceback.
    """

    value: Value | None = None
    wall_us: int = 0
    cpu_us: int = 0
    peak_bytes: int = 0
    logged: Logged = msgspec.field(default_factory=Logged)
    log: str = ""
    error: str = ""
    failure: bytes = b""
    trace: str = ""

    def exception(self) -> BaseException:
        """The failure, as its own class where that is known here."""
        try:
            found = pickle.loads(self.failure)  # noqa: S301  # nosec B301 - from a process of the user's own that runs their code
        except Exception:  # noqa: BLE001 - whatever their class does when it is made anew
            found = None
        if not isinstance(found, BaseException):
            found = StepFailed(self.error)
        if self.trace:
            found.add_note(self.trace)
        error: BaseException = found
        return error


class Began(msgspec.Struct, frozen=True, tag="began"):
    """The step itself begins: its process has started, its module is imported, its arguments are there."""


class Line(msgspec.Struct, frozen=True, tag="line"):
    """Something that a step printed."""

    text: str


def send(stream: IO[bytes], message: Any) -> None:
    """Writes one message, its length before it."""
    content = msgspec.msgpack.encode(message)
    stream.write(len(content).to_bytes(LENGTH, "big") + content)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes | None:
    """One message's bytes; None at the end of the stream."""
    head = stream.read(LENGTH)
    if len(head) < LENGTH:
        return None
    length = int.from_bytes(head, "big")
    content = stream.read(length)
    return content if len(content) == length else None
