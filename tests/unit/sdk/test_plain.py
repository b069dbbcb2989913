"""Which servers are handed the code of a plain script, and which calls of mlflow are a run's start."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from modelkeel.sdk.plain.context import KeelRunContext, is_keel


class Stock(BaseHTTPRequestHandler):
    """Answers `/health` as stock MLflow does."""

    answer = b"OK"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(params=[b"OK", b'{"status": "healthy"}', b"[]", b""])
def other(request: pytest.FixtureRequest) -> Iterator[str]:
    kind = type("Other", (Stock,), {"answer": request.param})
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_other_servers_are_none_of_ours(other: str) -> None:
    assert not is_keel(other)


@pytest.mark.parametrize("address", ["sqlite:///x.db", "file:///tmp/x", "databricks", "http://127.0.0.1:1", "http://"])
def test_where_nothing_of_ours_answers(address: str) -> None:
    assert not is_keel(address)


def test_only_the_start_of_a_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELKEEL_CAPTURE", raising=False)
    assert not KeelRunContext().in_context(), "a logged model, or a trace, asks too"
