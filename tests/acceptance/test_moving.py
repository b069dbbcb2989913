"""What comes over from MLflow is the same here, whatever happens on the way."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.acceptance.moving_kit import command, fill, picture, registry
from tests.conftest import Server


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stock")
    uri = f"sqlite:///{folder}/mlflow.db"
    fill(uri, folder)
    return uri


def _imported(server: Server, source: str, *more: str) -> dict[str, object]:
    done = command("import", "mlflow", source, "--json", *more, home=server.home)
    return dict(json.loads(done.stdout))


def _client(server: Server) -> MlflowClient:
    return MlflowClient(server.url)


def test_a_database_comes_over_whole_with_its_ids(server: Server, database: str):
    before = Path(database.removeprefix("sqlite:///")).read_bytes()
    report = _imported(server, database)["report"]
    assert isinstance(report, dict)
    assert report["differences"] == []
    assert report["complete"]
    stock, ours = MlflowClient(database), _client(server)
    assert picture(ours) == picture(stock)
    assert registry(ours) == registry(stock)
    assert Path(database.removeprefix("sqlite:///")).read_bytes() == before


def test_stock_to_ours_to_stock_is_the_same(server: Server, database: str, tmp_path: Path):
    _imported(server, database)
    target, files = f"sqlite:///{tmp_path}/new.db", tmp_path / "files"
    done = command("export", "mlflow", target, "--artifacts", str(files), "--json", home=server.home)
    assert json.loads(done.stdout)["counts"]["runs"] == 4
    stock, back = MlflowClient(database), MlflowClient(target)
    assert registry(back) == registry(stock)
    once, twice = picture(stock), picture(back, files=files)
    assert twice == once
