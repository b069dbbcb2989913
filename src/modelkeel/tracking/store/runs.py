"""Runs with what was logged to them: params, tags, inputs, outputs. Metric series are in `metrics`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from modelkeel.storage.prepared import Prepared
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.models import (
    CONTEXT_TAG,
    DatasetInput,
    Lifecycle,
    Metric,
    ModelOutput,
    Run,
    RunStatus,
)
from modelkeel.tracking.store.tables import (
    dataset_input,
    metric_key,
    metric_latest,
    param,
    run,
    run_input,
    run_model,
    tag,
)

CHUNK = 500
NAN = float("nan")
_BY_ID = Prepared(sa.select(run).where(run.c.id == sa.bindparam("id"), run.c.workspace == sa.bindparam("workspace")))
_COLUMNS = ("id", "workspace", "experiment", "name", "user", "actor", "status", "lifecycle", "started", "created")
_INSERT = Prepared(sa.insert(run).returning(run.c.seq), (*_COLUMNS, "revision"))
_SOME: sa.BindParameter[Any] = sa.bindparam("some", expanding=True)
_PARAMS = Prepared(sa.select(param.c.run, param.c.key, param.c.value).where(param.c.run.in_(_SOME)))
_TAGS = Prepared(sa.select(tag.c.run, tag.c.key, tag.c.value).where(tag.c.run.in_(_SOME)))
_MODELS = Prepared(
    sa.select(run_model.c.run, run_model.c.direction, run_model.c.model, run_model.c.step).where(
        run_model.c.run.in_(_SOME)
    )
)
_POINT = ("value", "ts", "step", "is_nan")
_LATEST = Prepared(
    sa.select(metric_latest.c.run, metric_key.c.key, *(metric_latest.c[name] for name in _POINT))
    .join(metric_key, metric_key.c.id == metric_latest.c.key)
    .where(metric_latest.c.run.in_(_SOME))
)
_DATASET = ("name", "digest", "source_type", "source", "schema", "profile")
_INPUTS = Prepared(
    sa.select(run_input.c.run, *(dataset_input.c[name] for name in _DATASET), run_input.c.tags)
    .join(dataset_input, dataset_input.c.id == run_input.c.dataset)
    .where(run_input.c.run.in_(_SOME))
    .order_by(run_input.c.run, run_input.c.dataset)
)
_OF_KEYS: sa.BindParameter[Any] = sa.bindparam("keys", expanding=True)
_PARAMS_OF = sa.select(param.c.key, param.c.value).where(param.c.run == sa.bindparam("run"), param.c.key.in_(_OF_KEYS))
_TAGS_OF = sa.select(tag.c.key, tag.c.value).where(tag.c.run == sa.bindparam("run"), tag.c.key.in_(_OF_KEYS))


class RunRow(NamedTuple):
    """A run's own row; the columns in the table's order."""

    seq: int
    id: str
    workspace: str
    experiment: str
    name: str
    user: str
    actor: str
    status: str
    lifecycle: str
    started: int
    ended: int | None
    created: int
    deleted: int | None
    revision: int
    unsealed: int | None
    seal: str | None


def add(tx: Tx, row: dict[str, Any]) -> int:
    """Stores a new run and returns its small number."""
    return int(_INSERT.scalar(tx, {"created": tx.now, "revision": 0, "lifecycle": Lifecycle.ACTIVE, **row}))


def find(tx: Tx, workspace: str, identity: str) -> RunRow | None:
    """A run's own row."""
    found = _BY_ID.one(tx, {"id": identity, "workspace": workspace})
    return None if found is None else RunRow._make(found)


def get(tx: Tx, workspace: str, identity: str) -> Run | None:
    """A run with everything, in any lifecycle."""
    row = find(tx, workspace, identity)
    return None if row is None else load(tx, [row])[0]


def change(tx: Tx, seq: int, **values: Any) -> None:
    """Sets columns of a run."""
    tx.run(sa.update(run).where(run.c.seq == seq).values(**values))


def touched(tx: Tx, seq: int) -> None:
    """Says that a run which had ended was written to: its seal no longer covers it."""
    tx.run(sa.update(run).where(run.c.seq == seq).values(revision=run.c.revision + 1, unsealed=tx.now, seal=None))


def of_experiment(tx: Tx, experiment: str) -> Sequence[sa.Row[Any]]:
    """Ids and lifecycles of an experiment's runs."""
    return tx.all(sa.select(run.c.seq, run.c.id, run.c.lifecycle, run.c.deleted).where(run.c.experiment == experiment))


def unsealed(tx: Tx, before: int, limit: int) -> Sequence[sa.Row[Any]]:
    """Ended runs whose last write is older than `before` and which no seal covers."""
    query = sa.select(run).where(run.c.unsealed <= before).order_by(run.c.unsealed).limit(limit)
    return tx.all(query)


def params_of(tx: Tx, seq: int, keys: Iterable[str]) -> dict[str, str]:
    """Those of `keys` that the run has, with their values."""
    return {row.key: row.value for row in tx.all(_PARAMS_OF, {"run": seq, "keys": list(keys)})}


def add_params(tx: Tx, seq: int, params: dict[str, str]) -> None:
    """Stores params that are not there yet."""
    rows = [{"run": seq, "key": key, "value": value} for key, value in params.items()]
    tx.upsert(param, rows, keys=["run", "key"])


def tags_of(tx: Tx, seq: int, keys: Iterable[str]) -> dict[str, str]:
    """Those of `keys` that the run has, with their values."""
    return {row.key: row.value for row in tx.all(_TAGS_OF, {"run": seq, "keys": list(keys)})}


def set_tags(tx: Tx, seq: int, tags: dict[str, str]) -> None:
    """Sets tags, over what they were."""
    rows = [{"run": seq, "key": key, "value": value} for key, value in tags.items()]
    tx.upsert(tag, rows, keys=["run", "key"], update=["value"])


def delete_tag(tx: Tx, seq: int, key: str) -> bool:
    """Removes a tag; False if there was none."""
    return tx.run(sa.delete(tag).where(tag.c.run == seq, tag.c.key == key)) > 0


def add_inputs(tx: Tx, seq: int, experiment: str, inputs: Iterable[DatasetInput]) -> int:
    """Links data sets to a run; returns how many were not linked before."""
    added = 0
    for item in inputs:
        row = {
            "experiment": experiment,
            "name": item.name,
            "digest": item.digest,
            "source_type": item.source_type,
            "source": item.source,
            "schema": item.schema,
            "profile": item.profile,
        }
        tx.upsert(dataset_input, row, keys=["experiment", "name", "digest"])
        where = (
            dataset_input.c.experiment == experiment,
            dataset_input.c.name == item.name,
            dataset_input.c.digest == item.digest,
        )
        link = {
            "run": seq,
            "dataset": tx.scalar(sa.select(dataset_input.c.id).where(*where)),
            "context": item.tags.get(CONTEXT_TAG, ""),
            "tags": msgspec.json.encode(item.tags).decode(),
        }
        added += tx.upsert(run_input, link, keys=["run", "dataset"])
    return added


def add_models(tx: Tx, seq: int, direction: str, models: Iterable[ModelOutput]) -> int:
    """Links logged models to a run (`in` or `out`); returns how many were not linked before."""
    rows = [{"run": seq, "direction": direction, "model": m.model_id, "step": m.step} for m in models]
    return sum(tx.upsert(run_model, row, keys=["run", "direction", "model"]) for row in rows)


def load(tx: Tx, rows: Sequence[RunRow]) -> list[Run]:
    """Runs with params, latest metrics, tags, inputs and outputs, in the order of the rows."""
    params: dict[int, dict[str, str]] = defaultdict(dict)
    tags: dict[int, dict[str, str]] = defaultdict(dict)
    metrics: dict[int, dict[str, Metric]] = defaultdict(dict)
    inputs: dict[int, list[DatasetInput]] = defaultdict(list)
    read: dict[int, list[str]] = defaultdict(list)
    made: dict[int, list[ModelOutput]] = defaultdict(list)
    every = [row.seq for row in rows]
    for start in range(0, len(every), CHUNK):
        some = every[start : start + CHUNK]
        for seq, key, value in _PARAMS.rows_in(tx, some):
            params[seq][key] = value
        for seq, key, value in _TAGS.rows_in(tx, some):
            tags[seq][key] = value
        for seq, key, value, ts, step, is_nan in _LATEST.rows_in(tx, some):
            metrics[seq][key] = Metric(key, NAN if is_nan else value, ts, step)
        for seq, name, digest, source_type, source, schema, profile, used in _INPUTS.rows_in(tx, some):
            marks = msgspec.json.decode(used, type=dict[str, str])
            inputs[seq].append(DatasetInput(name, digest, source_type, source, schema, profile, marks))
        for seq, direction, model, step in _MODELS.rows_in(tx, some):
            if direction == "in":
                read[seq].append(model)
            else:
                made[seq].append(ModelOutput(model, step))
    return [
        Run(
            r.id,
            r.experiment,
            r.name,
            r.user,
            RunStatus(r.status),
            r.started,
            r.ended,
            Lifecycle(r.lifecycle),
            params[r.seq],
            metrics[r.seq],
            tags[r.seq],
            inputs[r.seq],
            read[r.seq],
            made[r.seq],
            r.seal,
        )
        for r in rows
    ]


def head(row: RunRow) -> Run:
    """A run without what was logged to it."""
    status, lifecycle = RunStatus(row.status), Lifecycle(row.lifecycle)
    return Run(row.id, row.experiment, row.name, row.user, status, row.started, row.ended, lifecycle, seal=row.seal)
