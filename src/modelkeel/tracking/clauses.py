"""One comparison of MLflow's filter grammar as an SQL clause, the same on both databases."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.tracking.search import Value

Clause = sa.ColumnElement[bool]


def compare(tx: Tx, column: sa.ColumnElement[Any], operator: str, value: Value) -> Clause:
    """A comparison; LIKE tells upper from lower case, ILIKE does not, on either database."""
    if operator == "LIKE":
        if tx.conn.dialect.name == "sqlite":  # SQLite's LIKE ignores case; GLOB does not, with other wildcards
            return column.op("GLOB", is_comparison=True)(_glob(str(value)))
        return column.like(value)
    if operator == "ILIKE":
        return column.ilike(value)
    if isinstance(value, tuple):
        return column.in_(value) if operator == "IN" else column.not_in(value)
    table: dict[str, Callable[[Any, Any], Any]] = {
        "=": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
    }
    answer: Clause = table[operator](column, value)
    return answer


def _glob(pattern: str) -> str:
    """A LIKE pattern as a GLOB pattern."""
    return "".join({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}.get(c, c) for c in pattern)
