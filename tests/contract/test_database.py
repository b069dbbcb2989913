"""What every database must do: group commits, undo one unit alone, keep readers apart, carry the schema."""

import asyncio
import importlib
import pkgutil

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import modelkeel
from modelkeel.core.errors import Conflict, InvalidInput
from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import blob_holding, held, hold
from modelkeel.storage.migrate import migrate
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx


def _hold(digest: str):
    return lambda tx: hold(tx, "w", [BlobRef(digest, 1)])


async def test_concurrent_writers_share_commits_and_lose_nothing(database: Database):
    names = [f"{n:064x}" for n in range(200)]
    await asyncio.gather(*(database.write(_hold(name)) for name in names))
    assert set(await database.read(lambda tx: held(tx, "w", names))) == set(names)


async def test_a_failing_unit_undoes_itself_alone(database: Database):
    def bad(tx: Tx) -> None:
        hold(tx, "w", [BlobRef("bad", 1)])
        raise InvalidInput("no")

    results = await asyncio.gather(
        database.write(_hold("a")), database.write(bad), database.write(_hold("b")), return_exceptions=True
    )
    assert isinstance(results[1], InvalidInput)
    assert set(await database.read(lambda tx: held(tx, "w", ["a", "b", "bad"]))) == {"a", "b"}


async def test_a_broken_constraint_is_a_conflict(database: Database):
    row = {"workspace": "w", "digest": "d", "size": 1, "created": 0}

    def insert(tx: Tx) -> None:
        tx.run(sa.insert(blob_holding), row)

    await database.write(insert)
    with pytest.raises(Conflict):
        await database.write(insert)
    await database.write(_hold("after"))  # the writer goes on


@pytest.mark.parametrize("value", [2**70, "\ud800"])
async def test_what_no_row_can_hold_is_the_callers_mistake(database: Database, value: object):
    row = {"workspace": "w", "digest": "d", "size": 1, "created": 0}
    bad = {**row, ("created" if isinstance(value, int) else "digest"): value}
    with pytest.raises(InvalidInput):
        await database.write(lambda tx: tx.run(sa.insert(blob_holding), bad))
    found = blob_holding.c.created == value if isinstance(value, int) else blob_holding.c.digest == value
    if isinstance(value, str) or database.dialect == "sqlite":  # Postgres compares numbers of any length
        with pytest.raises(InvalidInput):
            await database.read(lambda tx: tx.all(sa.select(blob_holding).where(found)))
    await database.write(_hold("after"))  # the writer goes on


async def test_readers_see_one_snapshot_while_a_writer_writes(database: Database):
    def count(tx: Tx) -> int:
        return tx.scalar(sa.select(sa.func.count()).select_from(blob_holding))

    def read_twice(tx: Tx) -> tuple[int, int]:
        before = count(tx)
        database.write_now(_hold("new"))
        return before, count(tx)

    before, after = await database.read(read_twice)
    assert before == after == 0
    assert await database.read(count) == 1


def test_readers_can_not_write(database: Database):
    with pytest.raises(Exception, match=r"read-?only"):
        database.read_now(_hold("x"))


def test_migrating_twice_changes_nothing(database: Database):
    assert migrate(database) == migrate(database)


def test_migrated_schema_is_the_union_of_the_tables(database: Database):
    for module in pkgutil.walk_packages(modelkeel.__path__, "modelkeel."):
        if ".store" in module.name or module.name.endswith(("holdings", "leases")):
            importlib.import_module(module.name)
    with database.engines.writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [d for d in compare_metadata(context, metadata) if "alembic_version" not in str(d)]
    assert differences == []
