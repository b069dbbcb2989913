"""Bodies that are no request, at every route of the protocol: an answer below 500, so that no client repeats it."""

import httpx
import pytest

from tests.conftest import Server
from tests.security.cases_mlflow import CASES

BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"x"',
    b"\xff\xfe",
    b"{}",
    b'{"": null, "x": [[[]]]}',
    b'{"name": {}, "run_id": [], "experiment_id": 1e400, "tags": "x", "metrics": {}, "experiment_ids": [null]}',
    b'{"run_id": "' + b"0" * 32 + b'", "metrics": [null], "params": [7], "tags": [[]], "key": 1, "version": -1}',
    b'{"filter": "' + b"(" * 500 + b'", "order_by": ["' + b"'" * 50 + b'"], "max_results": -9223372036854775809}',
    b'{"name": "a\\u0000b", "key": "\\u0000", "value": "\\ud800", "run_id": "\\u0000", "experiment_id": "\\u0000"}',
    b'{"name": "' + b"x" * 100_000 + b'", "page_token": "eyJvZmZzZXQiOiA5OTk5OTk5OTk5OTk5OTk5OTk5fQ=="}',
    b"[" * 5000,
]


@pytest.fixture(scope="module")
def client(shared_server: Server) -> httpx.Client:
    return shared_server.client(shared_server.token)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
def test_no_body_makes_the_server_fail(client: httpx.Client, method: str) -> None:
    routes = {route.partition(" ")[2] for route in CASES if route.startswith(f"{method} ")}
    assert routes
    failed = []
    for route in sorted(routes):
        path = "/".join("x" if part.startswith("{") else part for part in route.split("/"))
        for body in BODIES:
            answer = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
            if answer.status_code >= 500 and answer.status_code != 501:
                failed.append((method, path, body[:60], answer.status_code, answer.text[:200]))
    assert failed == []


@pytest.mark.parametrize(
    "query",
    ["run_id=%00", "run_id=%ff", "max_results=x", "max_results=99999999999999999999", "page_token=%00", "filter=%00'"],
)
def test_no_query_makes_the_server_fail(client: httpx.Client, query: str) -> None:
    routes = sorted({route.partition(" ")[2] for route in CASES if route.startswith("GET ") and "{" not in route})
    failed = [(route, client.get(f"{route}?{query}").status_code) for route in routes]
    assert [one for one in failed if one[1] >= 500 and one[1] != 501] == []
