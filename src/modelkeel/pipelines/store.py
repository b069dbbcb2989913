"""The tables of pipelines and all the SQL that touches them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import EVERYTHING, Visible
from modelkeel.pipelines.models import ALIVE
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import runs_within

pipeline_run = sa.Table(
    "pipeline_run",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("reason", sa.LargeBinary, nullable=False),
    sa.Column("params", sa.LargeBinary, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("paths", sa.LargeBinary, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("python", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text),
    sa.Column("capture", sa.LargeBinary),
    sa.Column("reproduces", sa.Text),
    sa.Column("resumes", sa.Text),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger),
    sa.Column("pid", sa.BigInteger),
    sa.Column("cause", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("ix_pipeline_run_workspace_started", "workspace", "started"),
    sa.Index("ix_pipeline_run_status", "status"),
    sa.Index("ix_pipeline_run_workspace_cause", "workspace", "cause", unique=True),
)
step_run = sa.Table(
    "step_run",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("parts", sa.LargeBinary),
    sa.Column("inputs", sa.LargeBinary, nullable=False),
    sa.Column("output", sa.LargeBinary),
    sa.Column("logged", sa.LargeBinary, nullable=False),
    sa.Column("miss", sa.LargeBinary, nullable=False),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("wall_us", sa.BigInteger, nullable=False),
    sa.Column("cpu_us", sa.BigInteger, nullable=False),
    sa.Column("peak_bytes", sa.BigInteger, nullable=False),
    sa.Column("paid_by", sa.Text),
    sa.Column("paid_step", sa.BigInteger),
    sa.Column("saved_us", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("log", sa.Text),
    sa.Column("approval", sa.LargeBinary),
)
step_cache = sa.Table(
    "step_cache",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("output", sa.LargeBinary, nullable=False),
    sa.Column("logged", sa.LargeBinary, nullable=False),
    sa.Column("wall_us", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
step_last = sa.Table(
    "step_last",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("parts", sa.LargeBinary, nullable=False),
)
code_snapshot = sa.Table(
    "code_snapshot",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
reproduction = sa.Table(
    "reproduction",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("rerun_id", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("report", sa.LargeBinary, nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Index("ix_reproduction_workspace_run_id", "workspace", "run_id"),
)


def add_run(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(pipeline_run), row)


def run(tx: Tx, workspace: str, run_id: str, visible: Visible = EVERYTHING) -> sa.Row[Any] | None:
    c = pipeline_run.c
    of_run = (c.workspace == workspace, c.run_id == run_id, *runs_within(visible, c.run_id))
    return tx.one(sa.select(pipeline_run).where(*of_run))


def change_run(tx: Tx, run_id: str, values: Mapping[str, Any]) -> None:
    tx.run(sa.update(pipeline_run).where(pipeline_run.c.run_id == run_id).values(**values))


def saw_run(tx: Tx, run_id: str) -> None:
    change_run(tx, run_id, {"seen": tx.now})


def runs(
    tx: Tx, workspace: str, *, pipeline: str | None, before: int | None, limit: int, visible: Visible = EVERYTHING
) -> Sequence[sa.Row[Any]]:
    """Newest first, each with the sums over its steps."""
    c = pipeline_run.c
    query = sa.select(*(column for column in c if column.name != "capture"))
    query = query.where(c.workspace == workspace, *runs_within(visible, c.run_id))
    if pipeline is not None:
        query = query.where(c.pipeline == pipeline)
    if before is not None:
        query = query.where(c.started < before)
    return tx.all(query.order_by(c.started.desc(), c.run_id).limit(limit))


def sums(tx: Tx, run_ids: Sequence[str]) -> dict[str, sa.Row[Any]]:
    """Counts and sums over the steps of some runs."""
    s = step_run.c
    query = (
        sa.select(
            s.run_id,
            sa.func.count().label("steps"),
            sa.func.sum(sa.case((s.status == "cached", 1), else_=0)).label("cached"),
            sa.func.sum(s.saved_us).label("saved_us"),
            sa.func.sum(s.cpu_us).label("cpu_us"),
        )
        .where(s.run_id.in_(list(run_ids)))
        .group_by(s.run_id)
    )
    return {row.run_id: row for row in tx.all(query)} if run_ids else {}


def last_run(
    tx: Tx, workspace: str, pipeline: str, *, captured: bool, project: str | None = None, visible: Visible = EVERYTHING
) -> sa.Row[Any] | None:
    """The newest finished run of a pipeline; with `captured` only one whose snapshot and environment are stored."""
    c = pipeline_run.c
    query = sa.select(pipeline_run).where(c.workspace == workspace, c.pipeline == pipeline, c.status == "finished")
    query = query.where(*runs_within(visible, c.run_id))
    if captured:
        query = query.where(c.snapshot.is_not(None), c.origin != "reproduce")
    if project is not None:
        query = query.where(c.project == project)
    return tx.one(query.order_by(c.started.desc()).limit(1))


def run_by_cause(tx: Tx, workspace: str, cause: str) -> str | None:
    """The run that was launched for a cause."""
    c = pipeline_run.c
    found: str | None = tx.scalar(sa.select(c.run_id).where(c.workspace == workspace, c.cause == cause))
    return found


def alive(tx: Tx) -> Sequence[sa.Row[Any]]:
    """Runs of every workspace that have not ended."""
    return tx.all(sa.select(pipeline_run).where(pipeline_run.c.status.in_(sorted(ALIVE))))


def put_step(tx: Tx, row: Mapping[str, Any]) -> None:
    names = [name for name in row if name not in {"run_id", "step"}]
    tx.upsert(step_run, row, keys=["run_id", "step"], update=names)


def steps(tx: Tx, run_id: str, *, after: int = -1, limit: int | None = None) -> Sequence[sa.Row[Any]]:
    """Steps in their order, from the one behind `after`."""
    s = step_run.c
    return tx.all(sa.select(step_run).where(s.run_id == run_id, s.step > after).order_by(s.step).limit(limit))


def step(tx: Tx, run_id: str, index: int) -> sa.Row[Any] | None:
    s = step_run.c
    return tx.one(sa.select(step_run).where(s.run_id == run_id, s.step == index))


def finished_steps(tx: Tx, run_id: str) -> Sequence[sa.Row[Any]]:
    """Steps of a run whose results are there."""
    s = step_run.c
    ended = s.status.in_(["finished", "cached"]) & s.output.is_not(None) & s.parts.is_not(None)
    return tx.all(sa.select(step_run).where(s.run_id == run_id, ended))


def step_sums(tx: Tx, run_id: str) -> Sequence[sa.Row[Any]]:
    """Counts and sums over the steps of a run by name and status, in the order of their first step."""
    s = step_run.c
    query = sa.select(
        s.name,
        s.status,
        sa.func.min(s.step).label("first"),
        sa.func.count().label("steps"),
        sa.func.sum(s.wall_us).label("wall_us"),
        sa.func.sum(s.cpu_us).label("cpu_us"),
        sa.func.sum(s.saved_us).label("saved_us"),
    )
    return tx.all(query.where(s.run_id == run_id).group_by(s.name, s.status).order_by("first"))


def known_steps(tx: Tx, run_id: str, indexes: Sequence[int]) -> dict[int, tuple[str, bytes, bytes | None]]:
    """Status, miss reasons and approval of those steps that were told of before."""
    s = step_run.c
    query = sa.select(s.step, s.status, s.miss, s.approval).where(s.run_id == run_id, s.step.in_(indexes))
    return {row.step: (row.status, row.miss, row.approval) for row in tx.all(query)} if indexes else {}


def stop_steps(tx: Tx, run_id: str, error: str) -> None:
    """Steps that never ended fail with their run."""
    s = step_run.c
    open_ = s.status.in_(["running", "waiting"])
    tx.run(sa.update(step_run).where(s.run_id == run_id, open_).values(status="failed", error=error))


def answer(tx: Tx, run_id: str, index: int, approval: bytes) -> None:
    """Notes what a person said to a waiting step."""
    s = step_run.c
    tx.run(sa.update(step_run).where(s.run_id == run_id, s.step == index).values(approval=approval))


def publish(tx: Tx, row: Mapping[str, Any]) -> None:
    """Makes a result known under its key; a newer one replaces an older, whose content may be gone."""
    tx.upsert(
        step_cache,
        {**row, "created": tx.now},
        keys=["workspace", "key"],
        update=["run_id", "step", "output", "logged", "wall_us", "created"],
    )


def cached(tx: Tx, workspace: str, keys: Iterable[str], *, launched: bool = False) -> Sequence[sa.Row[Any]]:
    """What the workspace has under some keys; with `launched`, only what runs that the server started computed."""
    wanted = list(keys)
    c = step_cache.c
    query = sa.select(step_cache).where(c.workspace == workspace, c.key.in_(wanted))
    if launched:
        query = query.join(pipeline_run, pipeline_run.c.run_id == c.run_id).where(pipeline_run.c.origin == "launch")
    return tx.all(query) if wanted else []


def keys_of(tx: Tx, run_id: str) -> list[str]:
    s = step_run.c
    found = tx.all(sa.select(s.key).where(s.run_id == run_id, s.key.is_not(None)))
    return [row.key for row in found]


def last_parts(tx: Tx, workspace: str, step_name: str) -> bytes | None:
    """The key parts of the last run of a step, named `pipeline/step`."""
    s = step_last.c
    found: bytes | None = tx.scalar(sa.select(s.parts).where(s.workspace == workspace, s.step == step_name))
    return found


def set_last_parts(tx: Tx, workspace: str, step_name: str, parts: bytes) -> None:
    row = {"workspace": workspace, "step": step_name, "parts": parts}
    tx.upsert(step_last, row, keys=["workspace", "step"], update=["parts"])


def add_snapshot(tx: Tx, workspace: str, digest: str, files: int, size: int) -> bool:
    """Whether the snapshot is new to the workspace."""
    row = {"workspace": workspace, "digest": digest, "files": files, "size": size, "created": tx.now}
    return tx.upsert(code_snapshot, row, keys=["workspace", "digest"]) == 1


def add_reproduction(tx: Tx, row: Mapping[str, Any]) -> None:
    tx.run(sa.insert(reproduction), row)


def reproductions(
    tx: Tx, workspace: str, run_id: str | None, limit: int, visible: Visible = EVERYTHING
) -> Sequence[sa.Row[Any]]:
    c = reproduction.c
    query = sa.select(reproduction).where(c.workspace == workspace, *runs_within(visible, c.run_id))
    if run_id is not None:
        query = query.where(c.run_id == run_id)
    return tx.all(query.order_by(c.created.desc()).limit(limit))


def savings(tx: Tx, workspace: str) -> sa.Row[Any]:
    s = step_run.c
    row = tx.one(
        sa.select(
            sa.func.coalesce(sa.func.sum(sa.case((s.status == "cached", 1), else_=0)), 0).label("cached"),
            sa.func.coalesce(sa.func.sum(sa.case((s.status == "finished", 1), else_=0)), 0).label("ran"),
            sa.func.coalesce(sa.func.sum(s.saved_us), 0).label("saved_us"),
            sa.func.coalesce(sa.func.sum(s.wall_us), 0).label("spent_us"),
        ).where(s.workspace == workspace)
    )
    assert row is not None  # noqa: S101 - an aggregate without groups always gives one row
    return row


def usage(tx: Tx, workspace: str, visible: Visible = EVERYTHING) -> Sequence[sa.Row[Any]]:
    """For each run what its steps used, and what its cached steps would have used: as much as those that paid."""
    s, paid = step_run.c, step_run.alias("paid")
    ran, cached = s.status != "cached", s.status == "cached"
    held = sa.cast(s.peak_bytes, sa.Float) * s.wall_us
    spared = sa.cast(paid.c.peak_bytes, sa.Float) * paid.c.wall_us

    def total(condition: sa.ColumnElement[bool], value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, value), else_=0)), 0)

    query = (
        sa.select(
            pipeline_run.c.run_id,
            pipeline_run.c.pipeline,
            pipeline_run.c.origin,
            pipeline_run.c.started,
            pipeline_run.c.ended,
            total(cached, sa.literal(1)).label("cached"),
            total(ran, s.wall_us).label("wall_us"),
            total(ran, s.cpu_us).label("cpu_us"),
            total(ran, held).label("byte_us"),
            total(cached, s.saved_us).label("saved_us"),
            total(cached, paid.c.cpu_us).label("saved_cpu_us"),
            total(cached, spared).label("saved_byte_us"),
        )
        .select_from(
            pipeline_run.outerjoin(step_run, s.run_id == pipeline_run.c.run_id).outerjoin(
                paid, (paid.c.run_id == s.paid_by) & (paid.c.step == s.paid_step)
            )
        )
        .where(pipeline_run.c.workspace == workspace, *runs_within(visible, pipeline_run.c.run_id))
        .group_by(
            pipeline_run.c.run_id,
            pipeline_run.c.pipeline,
            pipeline_run.c.origin,
            pipeline_run.c.started,
            pipeline_run.c.ended,
        )
        .order_by(pipeline_run.c.started.desc())
    )
    return tx.all(query)
