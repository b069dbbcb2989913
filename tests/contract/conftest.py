"""One contract, every database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelkeel.storage.database import Database
from modelkeel.storage.migrate import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'keel.db'}"
    found: str = request.getfixturevalue("postgres_database")
    return found


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """A migrated database of each kind."""
    opened = Database(address)
    migrate(opened)
    yield opened
    opened.close()
