"""Brings a database to this version's schema: forward only, in one transaction, an embedded one copied first."""

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

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
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head() or ""
    with database.engines.writer.connect() as conn, transaction(conn, database.engines.begin_writing):
        if database.dialect == "postgresql":
            conn.exec_driver_sql("SELECT pg_advisory_xact_lock(7251136820911)")  # one migrating server at a time
        current = MigrationContext.configure(conn).get_current_revision()
        if current == head:
            return head
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise Unavailable(
                f"This database is at schema {current}, newer than this version of Modelkeel knows ({head}).",
                hint="Install the newer version again, or restore the copy made before the upgrade.",
            )
        if current is not None and copy_to is not None and database.dialect == "sqlite":
            _copy(conn, copy_to / f"before-{head}-from-{current}.db")
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
    return head


def _copy(conn: sa.Connection, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = conn.engine.url.database
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
