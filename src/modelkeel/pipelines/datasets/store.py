"""The tables of data sets and all the SQL that touches them."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Visible
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import runs_within

Row = sa.Row[Any]
dataset = sa.Table(
    "dataset",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("keep_versions", sa.BigInteger),
    sa.Column("keep_days", sa.BigInteger),
    sa.Column("newest", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("updated", sa.BigInteger, nullable=False),
    sa.Index("ix_dataset_workspace_name", "workspace", "name", unique=True),
)
version = sa.Table(
    "dataset_version",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("value", sa.LargeBinary),
    sa.Column("profile", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("deleted", sa.BigInteger),
)
use = sa.Table(
    "dataset_use",
    metadata,
    sa.Column("dataset", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)


def named(tx: Tx, workspace: str, name: str) -> Row | None:
    """One data set."""
    return tx.one(sa.select(dataset).where(dataset.c.workspace == workspace, dataset.c.name == name))


def of_workspace(tx: Tx, workspace: str) -> Sequence[Row]:
    """Every data set of a workspace, by name."""
    return tx.all(sa.select(dataset).where(dataset.c.workspace == workspace).order_by(dataset.c.name))


def add(tx: Tx, row: Mapping[str, Any]) -> None:
    """Stores a new data set."""
    tx.run(sa.insert(dataset), {"newest": 0, "created": tx.now, "updated": tx.now, **row})


def change(tx: Tx, identity: str, **values: Any) -> None:
    """Sets columns of a data set, and when."""
    tx.run(sa.update(dataset).where(dataset.c.id == identity).values(updated=tx.now, **values))


def remove(tx: Tx, identity: str) -> None:
    """Removes a data set with its versions."""
    for table in (use, version):
        tx.run(sa.delete(table).where(table.c.dataset == identity))
    tx.run(sa.delete(dataset).where(dataset.c.id == identity))


def add_version(tx: Tx, row: Mapping[str, Any]) -> None:
    """Stores a new version, which is the newest one then."""
    tx.run(sa.insert(version), {"created": tx.now, **row})
    change(tx, row["dataset"], newest=row["number"])


def versions(tx: Tx, identity: str) -> Sequence[Row]:
    """All versions, newest first; those that were deleted too."""
    return tx.all(sa.select(version).where(version.c.dataset == identity).order_by(version.c.number.desc()))


def one_version(tx: Tx, identity: str, number: int) -> Row | None:
    """One version."""
    return tx.one(sa.select(version).where(version.c.dataset == identity, version.c.number == number))


def newest_versions(tx: Tx, workspace: str) -> dict[str, Row]:
    """The newest version of each data set of a workspace."""
    query = (
        sa.select(version)
        .join(dataset, (dataset.c.id == version.c.dataset) & (dataset.c.newest == version.c.number))
        .where(dataset.c.workspace == workspace)
    )
    return {row.dataset: row for row in tx.all(query)}


def drop_content(tx: Tx, identity: str, number: int) -> bool:
    """Lets go of a version's content; what it was stays known. False: it was let go before."""
    where = (version.c.dataset == identity, version.c.number == number, version.c.deleted.is_(None))
    return tx.run(sa.update(version).where(*where).values(value=None, deleted=tx.now)) > 0


def kept_for_a_time(tx: Tx) -> Sequence[Row]:
    """Data sets of every workspace whose versions end by themselves."""
    c = dataset.c
    return tx.all(sa.select(dataset).where(c.keep_versions.is_not(None) | c.keep_days.is_not(None)))


def add_use(tx: Tx, identity: str, number: int, run_id: str) -> None:
    """Notes that a run read a version; again, it changes nothing."""
    row = {"dataset": identity, "number": number, "run_id": run_id, "created": tx.now}
    tx.upsert(use, row, keys=("dataset", "number", "run_id"))


def uses(tx: Tx, identity: str, number: int, visible: Visible, limit: int = 100) -> list[str]:
    """Runs that read a version, of those that may be seen, newest first."""
    where = (use.c.dataset == identity, use.c.number == number, *runs_within(visible, use.c.run_id))
    return [str(row.run_id) for row in tx.all(sa.select(use).where(*where).order_by(use.c.created.desc()).limit(limit))]
