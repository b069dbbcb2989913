"""Every use case of tracking and registry again, on a real Postgres."""

# ruff: noqa: F401, F403 - the tests and fixtures are those of tests/unit
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from modelkeel.app import Keel, Settings
from modelkeel.storage.schema import metadata
from tests.unit.registry.conftest import flights
from tests.unit.registry.test_promotion_port import *
from tests.unit.registry.test_registry_service import *
from tests.unit.tracking.conftest import fresh, person, stranger, viewer
from tests.unit.tracking.test_artifacts import *
from tests.unit.tracking.test_seal import *
from tests.unit.tracking.test_tracking_search import *
from tests.unit.tracking.test_tracking_service import *


@pytest.fixture(scope="module")
def emptied(postgres: str) -> str:
    """The address of a database that each test empties: making one for each takes far longer than the tests."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE keel_tracking")
    return postgres.replace("/postgres?", "/keel_tracking?")


@pytest.fixture
async def keel(home: Path, emptied: str) -> AsyncIterator[Keel]:
    """Every service of a server on an empty Postgres database."""
    opened = Keel.open(Settings(home, database=emptied))
    yield opened
    opened.close()
    with psycopg.connect(emptied) as connection:
        for table in metadata.sorted_tables:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
