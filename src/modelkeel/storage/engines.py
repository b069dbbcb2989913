"""SQLAlchemy engines for both databases, set up so that an acknowledged write is durable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from modelkeel.core.errors import InvalidInput

READERS = 4
# Other servers may write to the same Postgres: their groups take turns, as the groups of one server do. So every rule
# that is checked before something is written holds among all of them.
_ONE_WRITER = "SELECT pg_advisory_xact_lock(7251136820912)"


@dataclass(frozen=True, slots=True)
class Engines:
    """A pool for the one writer and a pool for the readers of one database.

    Attributes:
        writer: for the one writer, and migrations.
        reader: for the readers.
        begin_writing: what opens a transaction that writes, where the driver does not by itself; else empty.
        begin_reading: the same for a transaction that reads.
        lasting: whether a connection may be kept for ever; one to another machine is checked before each use.
    """

    writer: sa.Engine
    reader: sa.Engine
    begin_writing: str = ""
    begin_reading: str = ""
    lasting: bool = False

    def dispose(self) -> None:
        """Closes every connection."""
        self.writer.dispose()
        self.reader.dispose()


@contextmanager
def transaction(conn: sa.Connection, begin: str) -> Iterator[None]:
    """A transaction: committed at the end, rolled back when it fails.

    `begin` goes to the driver here, not in an event of the engine: with one listener SQLAlchemy takes its slow way
    through every statement.
    """
    with conn.begin():
        if begin:
            driver: Any = conn.connection.dbapi_connection
            driver.execute(begin)
        yield


def open_engines(url: str) -> Engines:
    """Engines for `sqlite:///PATH` or `postgresql://…`.

    Raises:
        InvalidInput: another kind of address.
    """
    if url.startswith("sqlite:///"):
        return _sqlite(Path(url.removeprefix("sqlite:///")))
    if url.startswith(("postgresql://", "postgres://")):
        return _postgres("postgresql+psycopg://" + url.split("://", 1)[1])
    raise InvalidInput(
        f"{url.split(':', 1)[0]!r} is not a database that Modelkeel speaks to.",
        hint="Use sqlite:///PATH or postgresql://USER@HOST/NAME.",
    )


def _sqlite(path: Path) -> Engines:
    writer = _sqlite_engine(path, size=2, pragmas=("synchronous=FULL", "journal_mode=WAL"))
    reader = _sqlite_engine(path, size=2 * READERS, pragmas=("query_only=ON",))
    return Engines(writer, reader, "BEGIN IMMEDIATE", "BEGIN", lasting=True)


def _sqlite_engine(path: Path, *, size: int, pragmas: tuple[str, ...]) -> sa.Engine:
    # Driver autocommit (isolation_level None) with an explicit BEGIN of ours (`transaction`): otherwise the driver
    # opens deferred transactions by itself, and a reader that turns writer fails with SQLITE_BUSY at once.
    engine = sa.create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 30},
    )
    every = ("busy_timeout=30000", "foreign_keys=ON", "cache_size=-65536", "temp_store=MEMORY", *pragmas)
    event.listen(engine, "connect", _set_pragmas(every))
    return engine


def _set_pragmas(pragmas: tuple[str, ...]) -> Callable[[Any, Any], None]:
    def connect(connection: Any, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return connect


def _postgres(url: str) -> Engines:
    writer = sa.create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
    reader = sa.create_engine(
        url,
        pool_size=READERS,
        max_overflow=0,
        pool_pre_ping=True,
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    )
    return Engines(writer, reader, begin_writing=_ONE_WRITER)
