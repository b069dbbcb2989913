"""The use cases of governance that rest on the database most, and the bill, on a real Postgres."""

# ruff: noqa: F401, F403 - the tests are those of tests/integration
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modelkeel.app import Keel, Settings
from tests.integration.test_promotion import (
    test_a_version_is_promoted_by_two_people,
    test_changed_evidence_voids_an_approval,
)
from tests.integration.test_promotion_bill import *
from tests.integration.test_promotion_guards import (
    test_fifty_promotions_race_and_one_wins_with_current_evidence,
)
from tests.integration.test_promotion_serving import *
from tests.integration.test_promotion_standing import *


@pytest.fixture
async def keel(home: Path, postgres_database: str) -> AsyncIterator[Keel]:
    """Every service of a server on an empty Postgres database."""
    opened = Keel.open(Settings(home, database=postgres_database))
    yield opened
    opened.close()
