"""Two servers side by side: stock MLflow and ours."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench.peers import mlflow_server
from tests.compat.twins import Side
from tests.conftest import start_server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.compat)


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Stock and ours; `MODELKEEL_STOCK` is the address of a stock server that runs already."""
    server = start_server(tmp_path_factory.mktemp("ours"))
    try:
        with nullcontext(os.environ["MODELKEEL_STOCK"]) if "MODELKEEL_STOCK" in os.environ else mlflow_server() as url:
            yield Side("stock", url), Side("ours", server.url)
    finally:
        server.stop()
