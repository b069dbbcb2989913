"""Brings a database to this version's schema: forward only, in one transaction, an embedded one copied first."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa

from modelkeel.core.errors import Unavailable
from modelkeel.storage.database import Database
from modelkeel.storage.engines import transaction


def migrate(database: Database, *, copy_to: Path | None = None) -> str:
    """Applies what is missing and returns the schema's revision.

    Args:
        database: which.
        copy_to: a folder for a copy of an embedded database, made before it is changed.

    Raises:
        Unavailable: the database was written by a newer version.
    """
    scripts = Path(__file__).parent / "migrations"
    revisions = sorted(path.name[:4] for path in (scripts / "versions").glob("[0-9]*.py"))
    head = revisions[-1]
    with database.engines.writer.connect() as conn, transaction(conn, database.engines.begin_writing):
        if database.dialect == "postgresql":
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7251136820911)")  # one migrating server at a time
        current = None
        if sa.inspect(conn).has_table("alembic_version"):
            current = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if current == head:
            return head
        if current is not None and current not in revisions:
            raise Unavailable(
                f"This database is at schema {current}, newer than this version of Modelkeel knows ({head}).",
                hint="Install the newer version again, or restore the copy made before the upgrade.",
            )
        if current is not None and copy_to is not None and database.dialect == "sqlite":
            _copy(conn, copy_to / f"before-{head}-from-{current}.db")
        from alembic import command  # a server whose schema is right starts without it
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(scripts))
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
    return head


def _copy(conn: sa.Connection, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = conn.engine.url.database
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
