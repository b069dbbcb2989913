"""Principals and a count of ledger entries, for tests of the services in one process."""

from collections.abc import Awaitable, Callable

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import PERMISSIONS, Principal, Role

Entries = Callable[[], Awaitable[list[str]]]


@pytest.fixture
def person(keel: Keel) -> Principal:
    """A contributor of the default workspace."""
    return keel.identity.anonymous()


@pytest.fixture
def viewer(keel: Keel) -> Principal:
    """Somebody who may only read."""
    at = keel.identity.anonymous().workspace
    return Principal("v", "vera", "user", at, PERMISSIONS[Role.VIEWER])


@pytest.fixture
def stranger() -> Principal:
    """An admin of another workspace."""
    return Principal("s", "sam", "user", "elsewhere", PERMISSIONS[Role.ADMIN])


@pytest.fixture
async def fresh(keel: Keel, person: Principal) -> Entries:
    """The types of the ledger's entries since the last call."""
    seen = await keel.ledger.size()

    async def look() -> list[str]:
        nonlocal seen
        found = await keel.ledger.entries(person, start=seen, limit=1000)
        seen = await keel.ledger.size()
        return [entry.type for entry in found]

    return look
