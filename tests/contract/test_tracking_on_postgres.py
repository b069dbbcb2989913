"""Every use case of tracking and registry again, on a real Postgres."""

# ruff: noqa: F401, F403 - the tests and fixtures are those of tests/unit
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from modelkeel.app import Keel, Settings
from tests.unit.registry.conftest import flights
from tests.unit.registry.test_promotion_port import *
from tests.unit.registry.test_registry_service import *
from tests.unit.tracking.conftest import fresh, person, stranger, viewer
from tests.unit.tracking.test_artifacts import *
from tests.unit.tracking.test_seal import *
from tests.unit.tracking.test_tracking_search import *
from tests.unit.tracking.test_tracking_service import *


@pytest.fixture
async def keel(home: Path, postgres: str) -> AsyncIterator[Keel]:
    """Every service of a server on an empty Postgres database."""
    name = f"keel_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    opened = Keel.open(Settings(home, database=postgres.replace("/postgres?", f"/{name}?")))
    yield opened
    opened.close()
