"""Statements for hot paths: compiled once for each database, then handed to the driver as they are.

SQLAlchemy takes 30 to 50 µs to get from a statement to its rows, several times what SQLite needs to run it. What is
gained is paid for: values go to the driver unconverted, rows come back as plain tuples, and only whole numbers may
stand in the list of an `IN`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx

_LIST = re.compile(r"__\[POSTCOMPILE_\w+\]")
_Form = tuple[str, tuple[str, ...] | None, dict[str, Any]]  # SQL, order of its values (None: by name), fixed values


class Prepared:
    """One statement.

    Args:
        statement: with bind parameters for whatever changes; an insert takes a value for each of `columns`.
        columns: of an insert, the columns that get a value.
    """

    __slots__ = ("_columns", "_forms", "_statement")

    def __init__(self, statement: sa.Executable, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._forms: dict[str, _Form] = {}

    def rows(self, tx: Tx, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row that a query gives."""
        return list(self._execute(tx, values).fetchall())

    def rows_in(self, tx: Tx, numbers: Iterable[int], values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row, where the statement has one expanding parameter for a list of whole numbers."""
        sql, names, constants = self._form(tx)
        # written into the statement: they are integers of ours, and there may be thousands
        listed = _LIST.sub(",".join(str(int(number)) for number in numbers), sql)
        given = {**constants, **(values or {})}
        bound = given if names is None else [given[name] for name in names]
        return list(tx.driver.execute(listed, bound).fetchall())

    def one(self, tx: Tx, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row that a query gives, or None."""
        found: tuple[Any, ...] | None = self._execute(tx, values).fetchone()
        return found

    def scalar(self, tx: Tx, values: Mapping[str, Any]) -> Any:
        """The first column of the first row, or None."""
        found = self.one(tx, values)
        return None if found is None else found[0]

    def run(self, tx: Tx, values: Mapping[str, Any]) -> int:
        """Executes a change; returns the count of rows changed."""
        return int(self._execute(tx, values).rowcount)

    def _execute(self, tx: Tx, values: Mapping[str, Any]) -> Any:
        sql, names, constants = self._form(tx)
        given = {**constants, **values} if constants else values
        return tx.driver.execute(sql, given if names is None else [given[name] for name in names])

    def _form(self, tx: Tx) -> "_Form":
        form = self._forms.get(tx.dialect)
        if form is None:
            form = self._forms[tx.dialect] = _compile(self._statement, tx, self._columns)
        return form


def _compile(statement: Any, tx: Tx, columns: Sequence[str] | None) -> "_Form":
    compiled = statement.compile(dialect=tx.conn.dialect, column_keys=columns)
    expanding = compiled.post_compile_params and {bind.key for bind in compiled.post_compile_params}
    names = compiled.positiontup and tuple(name for name in compiled.positiontup if name not in expanding)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return compiled.string, names, constants
