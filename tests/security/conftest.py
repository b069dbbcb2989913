"""One server to attack for each module."""

from collections.abc import Iterator

import pytest

from tests.security import attack_kit


@pytest.fixture(scope="module")
def victim() -> Iterator[attack_kit.Victim]:
    with attack_kit.victim("--no-anonymous") as made:
        yield made


@pytest.fixture(autouse=True)
def _stays_well(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each attack the server answers, and what is not its own is as it was."""
    yield
    if "victim" in request.fixturenames:
        request.getfixturevalue("victim").is_well()
