"""The page's files over HTTP, and whether its types of the API are current."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from modelkeel.http.problems import HANDLERS
from modelkeel.web.routes import router

UI = Path(__file__).parents[3] / "ui"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as the build leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>page")
    (tmp_path / "assets" / "index-Ab12.js").write_text("1")
    (tmp_path / "assets" / "index-Ab12.css").write_text("p{}")
    (tmp_path / "secret.txt").write_text("no")
    return tmp_path


def _client(folder: Path) -> TestClient[Litestar]:
    return TestClient(Litestar([router(folder)], exception_handlers=HANDLERS))


def test_addresses_of_the_application_get_the_page_and_others_do_not(built: Path):
    with _client(built) as client:
        for address in ("/", "/models", "/models/flights/7", "/runs/abc", "/ledger/3"):
            assert client.get(address).text == "<!doctype html>page"
        assert client.get("/").headers["cache-control"] == "no-cache"
        for address in ("/elsewhere", "/api/v1/none", "/assets/..%2fsecret.txt", "/assets/.hidden", "/assets/none.js"):
            assert client.get(address).status_code == 404, address


def test_hashed_files_stay_in_the_browser(built: Path):
    with _client(built) as client:
        script = client.get("/assets/index-Ab12.js")
        style = client.get("/assets/index-Ab12.css")
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")


def test_no_foreign_script_frame_or_guess_is_allowed(built: Path):
    with _client(built) as client:
        headers = client.get("/").headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_missing_page_says_how_to_build_it(tmp_path: Path):
    with _client(tmp_path) as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "ui/toolchain.py build" in answer.text


def test_the_types_of_the_api_are_current():
    toolchain = _toolchain()
    head = toolchain.TYPES.read_text().partition("\n")[0]
    now = toolchain.schema_digest(toolchain.describe())
    assert head == f"// OpenAPI sha256: {now}", "The API changed: run `make types` and commit ui/src/api/api.gen.ts."


def test_the_bundle_names_the_licences_of_what_is_in_it():
    toolchain = _toolchain()
    notices = (toolchain.STATIC / "THIRD-PARTY-NOTICES.txt").read_text()
    for package in ("react ", "react-dom ", "wouter ", "uplot ", "@tanstack/react-query "):
        assert f"\n{package}" in f"\n{notices}"
    assert "Permission is hereby granted" in notices


def test_the_lock_names_no_registry():
    assert '"resolved"' not in (UI / "package-lock.json").read_text()


def _toolchain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ui_toolchain", UI / "toolchain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
