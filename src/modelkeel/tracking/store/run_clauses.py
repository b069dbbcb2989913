"""What one condition on runs means in SQL: a clause to check a run with, and where an index finds who meets it."""

import operator
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.clauses import Clause, compare
from modelkeel.tracking.models import RUN_NAME_TAG
from modelkeel.tracking.search import Condition, Kind, Value
from modelkeel.tracking.store.tables import HEAD, dataset_input, metric_latest, param, run, run_input, tag

COUNTED = frozenset({"=", ">", ">=", "<", "<="})
COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "run_id": run.c.id,
    "run_name": run.c.name,
    "status": run.c.status,
    "user_id": run.c.user,
    "experiment_id": run.c.experiment,
    "start_time": run.c.started,
    "end_time": run.c.ended,
    "artifact_uri": sa.literal("mlflow-artifacts:/") + run.c.experiment + "/" + run.c.id + "/artifacts",
}


_OPERATORS = {"=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def _valued(table: sa.Table, key: Any, head: Any) -> sa.Select[Any]:
    """The runs of which a param or tag begins so, as the index has it.

    The index is used only where the expression is written as there, without parameters.
    """
    begins = sa.func.substr(table.c.value, sa.literal_column("1"), sa.literal_column(str(HEAD)))
    return sa.select(table.c.run).where(table.c.key == key, begins == head)


def _measured(name: str, key: Any, value: Any) -> sa.Select[Any]:
    """The runs of which a metric compares so with a value.

    NaN is stored as 0 and marked outside the index, so runs that have NaN may be among them.
    """
    latest = metric_latest.c
    return sa.select(latest.run).where(latest.key == key, _OPERATORS[name](latest.value, value))


def _select(at: str, key: Any, value: Any) -> sa.Select[Any]:
    if at in _OPERATORS:
        return _measured(at, key, value)
    return _valued(param if at == "param" else tag, key, value)


def _counting(at: str) -> Prepared:
    key: sa.BindParameter[Any] = sa.bindparam("key")
    value: sa.BindParameter[Any] = sa.bindparam("value")
    most: sa.BindParameter[int] = sa.bindparam("most", type_=sa.Integer)
    return Prepared(sa.select(sa.func.count()).select_from(_select(at, key, value).limit(most).subquery()))


_COUNT = {at: _counting(at) for at in (*_OPERATORS, "param", "tag")}


def _looked_up(condition: Condition, keys: dict[str, int]) -> tuple[str, Any, Any] | None:
    """Which lookup finds the runs that may meet a condition, and its key and value; None: no index does."""
    kind, key, name, value = condition.kind, condition.key, condition.operator, condition.value
    if kind is Kind.METRIC and name in COUNTED:
        return name, keys.get(key, 0), value
    named = (kind, key) == (Kind.ATTRIBUTE, "run_name")
    if name != "=" or not (named or kind in {Kind.PARAM, Kind.TAG}):
        return None
    return "param" if kind is Kind.PARAM else "tag", RUN_NAME_TAG if named else key, str(value)[:HEAD]


def count(tx: Tx, condition: Condition, keys: dict[str, int], most: int) -> int | None:
    """How many runs may meet a condition, counted up to `most`; None where no index tells."""
    found = _looked_up(condition, keys)
    if found is None:
        return None
    at, key, value = found
    return int(_COUNT[at].scalar(tx, {"key": key, "value": value, "most": most}))


def indexed(condition: Condition, keys: dict[str, int]) -> sa.Select[Any]:
    """The runs that may meet a condition that was counted."""
    found = _looked_up(condition, keys)
    assert found is not None  # noqa: S101 - it was counted
    return _select(*found)


def clause(tx: Tx, condition: Condition, keys: dict[str, int], seq: sa.ColumnElement[int]) -> Clause:
    """What holds where the run numbered `seq` meets the condition; `keys` are the numbers of metric keys."""
    kind, key, name, value = condition.kind, condition.key, condition.operator, condition.value
    if kind is Kind.ATTRIBUTE:
        if key == "run_name":
            return _keyed(tx, tag, RUN_NAME_TAG, name, value, seq)
        return compare(tx, COLUMNS[key], name, value)
    if kind is Kind.METRIC:
        latest = metric_latest.c
        holds = compare(tx, latest.value, name, value)
        # 0 stands for NaN: no comparison with it holds but "!="
        holds = sa.or_(holds, latest.is_nan == 1) if name == "!=" else sa.and_(holds, latest.is_nan == 0)
        return sa.exists().where(latest.run == seq, latest.key == keys.get(key, 0), holds)
    if kind is Kind.DATASET:
        column = run_input.c.context if key == "context" else dataset_input.c[key]
        return sa.exists().where(
            run_input.c.run == seq,
            dataset_input.c.id == run_input.c.dataset,
            compare(tx, column, name, value),
        )
    return _keyed(tx, tag if kind is Kind.TAG else param, key, name, value, seq)


def _keyed(tx: Tx, table: sa.Table, key: str, name: str, value: Value, seq: sa.ColumnElement[int]) -> Clause:
    of_run = (table.c.run == seq, table.c.key == key)
    if name == "IS NULL":
        return ~sa.exists().where(*of_run)
    if name == "IS NOT NULL":
        return sa.exists().where(*of_run)
    return sa.exists().where(*of_run, compare(tx, table.c.value, name, value))
