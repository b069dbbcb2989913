"""Assessments of traces."""

import json
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.traces.models import Assessment
from modelkeel.traces.store.tables import assessment


def of(tx: Tx, traces: dict[int, str]) -> dict[int, list[dict[str, Any]]]:
    """What was said of traces, oldest first.

    Args:
        tx: the transaction.
        traces: ids of the traces by number.
    """
    found: dict[int, list[dict[str, Any]]] = {}
    numbers = list(traces)
    for start in range(0, len(numbers), 500):
        query = sa.select(assessment).where(assessment.c.trace.in_(numbers[start : start + 500]))
        for row in tx.all(query.order_by(assessment.c.created, assessment.c.id)):
            found.setdefault(row.trace, []).append(_read(row))
    return found


def find(tx: Tx, number: int, identity: str) -> dict[str, Any] | None:
    """One assessment of a trace."""
    row = tx.one(sa.select(assessment).where(assessment.c.trace == number, assessment.c.id == identity))
    return None if row is None else _read(row)


def count(tx: Tx, number: int) -> int:
    """How many a trace has."""
    found: int = tx.scalar(sa.select(sa.func.count()).where(assessment.c.trace == number))
    return found


def put(tx: Tx, number: int, given: Assessment, created: int | None = None) -> None:
    """Stores an assessment, in place of the trace's one with its id.

    Args:
        tx: the transaction.
        number: of the trace.
        given: the assessment.
        created: milliseconds since 1970, by which it is sorted; now by default.
    """
    value = given.value
    number_of = float(value) if isinstance(value, int | float) else None
    row = {
        "id": given.id,
        "trace": number,
        "kind": given.kind,
        "name": given.name,
        "value": value if isinstance(value, str) else json.dumps(value),
        "number": number_of,
        "valid": given.content.get("valid") is not False,
        "created": tx.now if created is None else created,
        "content": json.dumps(given.content),
    }
    tx.upsert(assessment, row, keys=["trace", "id"], update=["kind", "name", "value", "number", "valid", "content"])


def overridden(tx: Tx, number: int, identity: str, *, valid: bool) -> None:
    """Says whether an assessment still counts, because another takes its place, or does no more."""
    found = find(tx, number, identity)
    if found is not None:
        content = json.dumps({**found, "valid": valid})
        one = (assessment.c.trace == number, assessment.c.id == identity)
        tx.run(sa.update(assessment).where(*one).values(valid=valid, content=content))


def delete(tx: Tx, number: int, identity: str) -> None:
    """Removes an assessment."""
    tx.run(sa.delete(assessment).where(assessment.c.trace == number, assessment.c.id == identity))


def _read(row: sa.Row[Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(row.content)
    return content
