"""The rules of tests/acceptance/test_mlflow_search.py hold on stock MLflow too: the same tests, another server."""

from collections.abc import Iterator

import pytest

from tests.acceptance.test_mlflow_search import *  # noqa: F403 - its tests, with the fixture below
from tests.acceptance.test_mlflow_search import Place
from tests.compat.twins import Side

del test_what_stock_does_not_read  # noqa: F821 - what it tests is a listed difference


@pytest.fixture(scope="module")
def place(sides: tuple[Side, Side]) -> Iterator[Place]:
    return Place(sides[0].url)  # type: ignore[return-value]
