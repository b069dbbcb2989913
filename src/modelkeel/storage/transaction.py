"""A transaction as a slice's `store` sees it, and what may take part in a group of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from modelkeel.core.clock import now_ms


class Participant(Protocol):
    """Something that gathers rows during a group of writes and stores them once, before the commit.

    A unit that fails is undone by `restore(mark)`, as its savepoint is; `committed` is told of success.
    """

    def mark(self) -> Any: ...
    def restore(self, mark: Any) -> None: ...
    def flush(self, tx: "Tx") -> None: ...
    def committed(self) -> None: ...


P = TypeVar("P", bound=Participant)


@dataclass(slots=True)
class Tx:
    """One connection inside an open transaction.

    Attributes:
        conn: the SQLAlchemy connection; only `store` modules use it.
        now: the server's clock at the start of this unit, milliseconds since 1970.
        participants: what takes part in the current group, by key.
    """

    conn: sa.Connection
    now: int = field(default_factory=now_ms)
    participants: dict[object, Participant] = field(default_factory=dict)

    def participant(self, key: object, make: Callable[["Tx"], P]) -> P:
        """The group's participant under `key`, made on first use."""
        found = self.participants.get(key)
        if found is None:
            found = self.participants[key] = make(self)
        return cast("P", found)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.conn.dialect.name

    @property
    def driver(self) -> Any:
        """The driver's own connection, for what is hot."""
        return self.conn.connection.dbapi_connection

    def run(self, statement: sa.Executable, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None) -> int:
        """Executes a statement, once or for many rows; returns the count of rows changed."""
        if rows is None:
            return self.conn.execute(statement).rowcount
        return self.conn.execute(statement, rows).rowcount

    def insert_many(self, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Inserts rows given as tuples in the order of the table's columns, as the driver takes them.

        For hot paths: nothing is compiled or converted for each row, so the values must be the driver's own types.
        """
        self.driver.cursor().executemany(_insert(self.conn.dialect.paramstyle, table), rows)

    def all(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> Sequence[sa.Row[Any]]:
        """Every row that a query gives."""
        return self.conn.execute(statement, values or {}).all()

    def one(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> sa.Row[Any] | None:
        """The first row that a query gives, or None."""
        return self.conn.execute(statement, values or {}).first()

    def scalar(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        return self.conn.execute(statement, values or {}).scalar()

    def upsert(
        self,
        table: sa.Table,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        *,
        keys: Sequence[str],
        update: Sequence[str] = (),
        where: Callable[[Any], sa.ColumnElement[bool]] | None = None,
    ) -> int:
        """Inserts rows; where `keys` exist already, sets the columns `update` (none: leaves the row as it is).

        Args:
            table: where.
            rows: one row or many, each a mapping of column to value.
            keys: columns of the primary key or of a unique index.
            update: columns that take the new value.
            where: a further condition for the update, given the proposed row (`excluded`).
        """
        if not rows:
            return 0
        given = [rows] if isinstance(rows, Mapping) else rows
        columns = tuple(given[0])
        build = _upsert if where is None else _upsert.__wrapped__  # a condition is a function made anew for each call
        sql, names, constants = build(self.conn.dialect, table, tuple(keys), tuple(update), columns, where)
        values: list[Any]
        if names is None:
            values = [{**constants, **row} for row in given]
        elif constants:
            values = [[row[name] if name in row else constants[name] for name in names] for row in given]
        else:
            values = [[row[name] for name in names] for row in given]
        cursor = self.driver.cursor()
        cursor.executemany(sql, values)
        return int(cursor.rowcount)


@lru_cache(maxsize=1000)
def _insert(paramstyle: str, table: sa.Table) -> str:
    quoted = ", ".join(f'"{column.name}"' for column in table.columns)
    places = ", ".join("?" if paramstyle == "qmark" else "%s" for _ in table.columns)
    # Names of our own tables and columns only.
    return f'INSERT INTO "{table.name}" ({quoted}) VALUES ({places})'  # noqa: S608  # nosec B608


@lru_cache(maxsize=1000)
def _upsert(
    dialect: sa.Dialect,
    table: sa.Table,
    keys: tuple[str, ...],
    update: tuple[str, ...],
    columns: tuple[str, ...],
    where: Callable[[Any], sa.ColumnElement[bool]] | None,
) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
    """An upsert as the driver takes it: the SQL, the order of its values (None: by name), and values that are fixed.

    Kept, because building and compiling a statement takes longer than running it.
    """
    statement: Any = (postgresql.insert if dialect.name == "postgresql" else sqlite.insert)(table)
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=list(keys),
            set_={name: statement.excluded[name] for name in update},
            where=where(statement.excluded) if where else None,
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(keys))
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns))
    names = None if compiled.positiontup is None else tuple(compiled.positiontup)
    return compiled.string, names, {name: value for name, value in compiled.params.items() if name not in columns}
