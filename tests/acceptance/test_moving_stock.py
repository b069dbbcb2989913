"""From a stock MLflow server over HTTP: what comes over is the same here."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from bench.peers import mlflow_server
from tests.acceptance.moving_kit import command, fill, picture, registry
from tests.conftest import Server

pytestmark = pytest.mark.compat


def _imported(server: Server, source: str) -> dict[str, Any]:
    done = command("import", "mlflow", source, "--json", home=server.home)
    return dict(json.loads(done.stdout)["report"])


def test_a_stock_server_comes_over_by_http(server: Server, tmp_path: Path):
    with mlflow_server() as url:
        fill(url, tmp_path)
        report = _imported(server, url)
        assert report["differences"] == []
        assert report["counts"]["verified"] == 4 + 3  # runs and logged models
        stock, ours = MlflowClient(url), MlflowClient(server.url)
        assert picture(ours) == picture(stock)
        assert registry(ours) == registry(stock)
        again = _imported(server, url)
        assert again["counts"].get("made", 0) == again["counts"].get("changed", 0) == 0
