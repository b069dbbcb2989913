"""The database: reads on a small pool of threads, writes group-committed by one thread.

Concurrent writers share one transaction and one fsync, each inside a savepoint of its own, so one
that fails undoes nothing of the others. A caller is answered after the commit: acknowledged means durable.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, InvalidInput, Unavailable
from modelkeel.storage.engines import READERS, Engines, open_engines, transaction
from modelkeel.storage.transaction import Participant, Tx

log = logging.getLogger(__name__)
R = TypeVar("R")
# Postgres keeps 64 subtransactions of a session in shared memory and slows every reader down beyond that; SQLite's
# savepoints cost the same however many a transaction has. See docs/decisions/0003-group-sizes.md.
GROUP_UNITS = {"sqlite": 256, "postgresql": 32}
GROUP_SECONDS = 0.02
# What a driver says of a value from a request: beyond 64 bits, a NUL (Postgres), half of a surrogate pair.
_UNFIT = (OverflowError, UnicodeEncodeError)

_Waiting = Future[Any] | asyncio.Future[Any]


@dataclass(slots=True)
class _Unit:
    work: Callable[[Tx], Any]
    done: _Waiting


@dataclass(slots=True)
class _Answer:
    """How a unit ended; told to who waits for it once the group is durable."""

    done: _Waiting
    result: Any
    failed: BaseException | None

    def tell(self) -> None:
        """Wakes the waiter, unless it gave up."""
        if self.done.done() or (isinstance(self.done, Future) and not self.done.set_running_or_notify_cancel()):
            return
        if self.failed is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.failed)


class Database:
    """One SQLite file or one Postgres database.

    Args:
        url: `sqlite:///PATH` or `postgresql://…`.
    """

    def __init__(self, url: str) -> None:
        self.engines: Engines = open_engines(url)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._closed = False
        self._own = threading.local()  # a reader thread's lasting connection
        self._kept: list[sa.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, "keel-read", initializer=self._keep_reader)
        self._writer = threading.Thread(target=self._write_loop, name="keel-write", daemon=True)
        self._writer.start()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engines.writer.dialect.name

    async def write(self, work: Callable[[Tx], R]) -> R:
        """Runs `work` in a write transaction and returns its result once it is durable.

        `work` does no network, no blob I/O and runs no user code: other writers wait for it.

        Raises:
            Unavailable: the database is closed or refused the commit; nothing was stored.
        """
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._submit(work, done)
        return await done

    def write_now(self, work: Callable[[Tx], R]) -> R:
        """`write` for a caller that is not in an event loop."""
        done: Future[R] = Future()
        self._submit(work, done)
        return done.result()

    async def read(self, work: Callable[[Tx], R]) -> R:
        """Runs `work` on one consistent snapshot; readers never wait for the writer."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, work)

    def read_now(self, work: Callable[[Tx], R]) -> R:
        """`read` for a caller that is not in an event loop."""
        try:
            own: sa.Connection | None = getattr(self._own, "conn", None)
            with (
                contextlib.nullcontext(own) if own is not None else self.engines.reader.connect() as conn,
                transaction(conn, self.engines.begin_reading),
            ):
                return work(Tx(conn))
        except Exception as error:
            said = _said(error)
            if said is error:
                raise
            raise said from error

    def close(self) -> None:
        """Finishes the waiting writes, then closes every connection."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        for conn in self._kept:
            conn.close()
        self.engines.dispose()

    def _keep_reader(self) -> None:
        if self.engines.lasting:
            self._own.conn = self.engines.reader.connect()
            self._kept.append(self._own.conn)

    def _submit(self, work: Callable[[Tx], Any], done: _Waiting) -> None:
        if self._closed:
            raise Unavailable("The database is closed.", hint="The server is stopping; try again.")
        self._queue.put(_Unit(work, done))

    def _write_loop(self) -> None:
        if self.engines.lasting:
            with self.engines.writer.connect() as conn:
                self._write_groups(conn)
        else:
            self._write_groups(None)

    def _write_groups(self, conn: sa.Connection | None) -> None:
        ended = False
        while not ended:
            first = self._queue.get()
            if first is None:
                return
            ended = self._commit_group(first, conn)

    def _next(self, deadline: float) -> _Unit | bool | None:
        """The next waiting unit; None ends the loop; False: nobody waits, or the group is old enough."""
        if time.monotonic() > deadline:
            return False
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return False

    def _commit_group(self, first: _Unit, kept: sa.Connection | None) -> bool:
        answers: list[_Answer] = []
        participants: dict[object, Participant] = {}
        unit: _Unit | bool | None = first
        deadline, limit = time.monotonic() + GROUP_SECONDS, GROUP_UNITS[self.dialect]
        try:
            with (
                contextlib.nullcontext(kept) if kept is not None else self.engines.writer.connect() as conn,
                transaction(conn, self.engines.begin_writing),
            ):
                while isinstance(unit, _Unit):
                    result, failed = _run_unit(unit, Tx(conn, now_ms(), participants))
                    answers.append(_Answer(unit.done, result, failed))
                    if len(answers) == limit:
                        break
                    unit = self._next(deadline)
                for participant in participants.values():
                    participant.flush(Tx(conn, now_ms(), participants))
        except Exception as error:
            log.exception("the database refused a commit")
            failure = Unavailable("The database refused the commit.", hint="Nothing was stored; try again.")
            failure.__cause__ = error
            if not answers:
                answers.append(_Answer(first.done, None, None))
            for answer in answers:
                answer.failed = answer.failed or failure
        else:
            for participant in participants.values():
                participant.committed()
        _tell(answers)
        return unit is None


def _tell(answers: list[_Answer]) -> None:
    """Wakes every waiter: those of an event loop together, since waking a loop costs a system call."""
    loops: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for answer in answers:
        if isinstance(answer.done, Future):
            answer.tell()
        else:
            loops.setdefault(answer.done.get_loop(), []).append(answer)
    for loop, theirs in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell_here, theirs)


def _tell_here(answers: list[_Answer]) -> None:
    for answer in answers:
        answer.tell()


def _run_unit(unit: _Unit, tx: Tx) -> tuple[Any, BaseException | None]:
    """Runs a unit inside a savepoint of its own.

    The savepoint goes to the driver directly: SQLAlchemy compiles each anew, which costs more than the unit itself.
    """
    marks = {key: participant.mark() for key, participant in tx.participants.items()}
    driver: Any = tx.conn.connection.dbapi_connection
    driver.execute("SAVEPOINT unit")
    try:
        result = unit.work(tx)
        driver.execute("RELEASE SAVEPOINT unit")
    except Exception as error:  # noqa: BLE001 - handed to the caller whose unit this is
        driver.execute("ROLLBACK TO SAVEPOINT unit")
        driver.execute("RELEASE SAVEPOINT unit")
        for key, participant in list(tx.participants.items()):
            if key in marks:
                participant.restore(marks[key])
            else:
                del tx.participants[key]
        return None, _said(error)
    return result, None


def _said(error: Exception) -> Exception:
    """A driver's error in our words; any other as it is."""
    said: Exception = error
    # SQLAlchemy and every driver name these classes alike (PEP 249); a driver that is not used need not be loaded
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "IntegrityError" in kinds:
        said = Conflict("Another write got there first.", hint="Read it again, then retry.")
    elif "DataError" in kinds or isinstance(error, _UNFIT):
        said = InvalidInput("A number or text in the request is too large, or not one that can be stored.")
    if said is not error:
        said.__cause__ = error
    return said
