"""What a foreign page in a browser, or a foreign name for our address, has done to such servers."""

import json

import pytest

from tests.security.attack_kit import V2, Answer, Victim, raw, victim

BODY = b'{"name": "forged"}'
FORM = b"name=forged"
TEXT, JSON = ("Content-Type", "text/plain"), ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def local():
    """A server that lets tokenless loopback callers track: what a page on this machine's browser could reach."""
    with victim() as made:
        yield made


def _origin(local: Victim) -> str:
    return local.server.url


def _create(local: Victim, headers: list[tuple[str, str]], body: bytes = BODY, target: str = "") -> Answer:
    return raw(local.server.url, "POST", target or f"{V2}/experiments/create", headers, body)


SIMPLE = {
    "CVE-2024-2196-text": [TEXT, ("Origin", "https://evil.example")],
    "CVE-2024-24593-form": [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "https://evil.example")],
    "CVE-2025-1473-multipart": [
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Origin", "https://evil.example"),
    ],
    "CVE-2023-48022-no-type": [("Origin", "http://evil.example")],
    "CVE-2025-14279-json": [JSON, ("Origin", "http://evil.example")],
    "CVE-2025-62593-null": [TEXT, ("Origin", "null")],
    "CVE-2025-62593-file": [TEXT, ("Origin", "file://")],
    "CVE-2024-8183-other-port": [TEXT, ("Origin", "http://127.0.0.1:1")],
    "CVE-2024-8183-prefix": [TEXT, ("Origin", "{url}.evil.example")],
    "CVE-2024-8183-userinfo": [TEXT, ("Origin", "{url}@evil.example")],
    "CVE-2024-8183-suffix": [TEXT, ("Origin", "http://evil{host}")],
    "CVE-2025-14279-no-scheme": [TEXT, ("Origin", "{host}")],
    "CVE-2025-14279-localhost": [TEXT, ("Origin", "http://localhost:{port}")],
    "CVE-2024-8183-two-origins": [TEXT, ("Origin", "{url}"), ("Origin", "http://evil.example")],
    "CVE-2024-8183-two-origins-turned": [TEXT, ("Origin", "http://evil.example"), ("Origin", "{url}")],
    "CVE-2024-8183-empty": [TEXT, ("Origin", "")],
    "CVE-2024-2196-extension": [TEXT, ("Origin", "chrome-extension://abcdef")],
    "CVE-2024-24593-cross-site": [TEXT, ("Sec-Fetch-Site", "cross-site")],
    "CVE-2024-24593-same-site": [TEXT, ("Sec-Fetch-Site", "same-site")],
}


def _filled(local: Victim, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    host = local.server.url.removeprefix("http://")
    port = host.rpartition(":")[2]
    return [(name, value.format(url=local.server.url, host=host, port=port)) for name, value in headers]


@pytest.mark.parametrize("case", SIMPLE)
@pytest.mark.parametrize("body", [BODY, FORM], ids=["json", "form"])
def test_a_foreign_page_changes_nothing(local: Victim, case: str, body: bytes):
    before = local.size()
    answer = _create(local, _filled(local, SIMPLE[case]), body)
    assert answer.status == 403, answer.text
    assert "access-control-allow-origin" not in answer.headers
    assert "forged" not in local.experiments()
    assert local.size() == before


def test_the_page_itself_and_no_page_may(local: Victim):
    for name, headers in (
        ("by-page", [("Origin", _origin(local)), ("Sec-Fetch-Site", "same-origin")]),
        ("by-tool", []),
    ):
        answer = _create(local, [JSON, *headers], json.dumps({"name": name}).encode())
        assert answer.status == 200, answer.text
    assert {"by-page", "by-tool"} <= local.experiments()


HOSTS = {
    "CVE-2025-14279-foreign": ["evil.example"],
    "CVE-2025-14279-foreign-with-our-port": ["evil.example:{port}"],
    "CVE-2025-62593-two-last-ours": ["evil.example", "127.0.0.1:{port}"],
    "CVE-2025-62593-two-first-ours": ["127.0.0.1:{port}", "evil.example"],
    "CVE-2025-62593-two-the-same": ["127.0.0.1:{port}", "127.0.0.1:{port}"],
    "userinfo": ["evil.example@127.0.0.1"],
    "userinfo-with-port": ["evil.example:80@127.0.0.1:{port}"],
    "prefix": ["127.0.0.1.evil.example"],
    "suffix": ["evil.example.127.0.0.1"],
    "localhost-below": ["localhost.evil.example"],
    "path": ["127.0.0.1/evil.example"],
    "query": ["127.0.0.1?evil.example"],
    "fragment": ["127.0.0.1#evil.example"],
    "backslash": ["127.0.0.1\\@evil.example"],
    "list": ["127.0.0.1, evil.example"],
    "space": ["127.0.0.1 evil.example"],
    "decimal": ["2130706433"],
    "octal": ["0177.0.0.1"],
    "any-address": ["0.0.0.0:{port}"],
    "bad-port": ["127.0.0.1:http"],
    "open-bracket": ["[::1"],
    "empty": [""],
    "missing": [],
}


@pytest.mark.parametrize("case", HOSTS)
def test_dns_rebinding_shows_in_the_host_and_is_refused(local: Victim, case: str):
    port = local.server.url.rpartition(":")[2]
    hosts = [("Host", value.format(port=port)) for value in HOSTS[case]]
    before = local.size()
    for method, target in (("POST", f"{V2}/experiments/create"), ("GET", "/api/v1/me"), ("GET", "/health")):
        headers = [JSON, *(hosts or [("host", "")])] if case != "missing" else [JSON, ("Host", "")]
        answer = raw(local.server.url, method, target, headers, BODY if method == "POST" else b"")
        assert answer.status in {400, 421}, f"{method} {target}: {answer.status} {answer.text[:200]}"
    assert "forged" not in local.experiments()
    assert local.size() == before


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_our_own_names_are_answered(local: Victim, name: str):
    port = local.server.url.rpartition(":")[2]
    for host in (name, f"{name}:{port}"):
        assert raw(local.server.url, "GET", "/health", [("Host", host)]).status == 200


@pytest.mark.parametrize(
    "target", ["http://evil.example/api/v1/me", "http://evil.example:80/health", "//evil.example/"]
)
def test_an_absolute_target_names_no_other_host(local: Victim, target: str):
    """A proxy's form of a request: its own host would count above `Host` (RFC 9112, 3.2.2), so it is refused."""
    answer = raw(local.server.url, "GET", target)
    assert answer.status in {400, 404}, answer.text


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND"])
def test_methods_that_echo_or_tunnel_are_not_served(local: Victim, method: str):
    answer = raw(local.server.url, method, "/api/v1/me", [("X-Echo", "echoed-header")])
    assert answer.status in {0, 400, 404, 405, 501}
    assert "echoed-header" not in answer.text


def test_no_page_opens_a_socket(local: Victim):
    """Cross-site WebSocket hijacking (CVE-2024-26135): an upgrade carries cookies, and no preflight asks for it."""
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    headers = [*upgrade, ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="), ("Origin", "https://evil.example")]
    answer = raw(local.server.url, "GET", "/api/v1/me", headers)
    assert answer.status not in {0, 101, 200}, answer.text


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"]
)
def test_no_header_makes_another_request_of_one(local: Victim, header: str):
    run = local.post("runs/create", experiment_id=local.experiment)["run"]["info"]["run_id"]
    value = "DELETE" if "Method" in header else f"{V2}/runs/delete"
    target = f"{V2}/runs/get?run_id={run}&_method=DELETE"
    raw(local.server.url, "GET", target, [(header, value)])
    found = local.owner.get(f"{V2}/runs/get", params={"run_id": run}).json()["run"]["info"]
    assert found["lifecycle_stage"] == "active"


@pytest.mark.parametrize(
    "path", ["experiments/create", "experiments/delete", "runs/create", "runs/delete", "registered-models/create"]
)
def test_no_get_changes_anything(local: Victim, path: str):
    """CVE-2024-24593 and its kin: an image tag is enough where a GET changes something."""
    before = local.size()
    answer = raw(
        local.server.url, "GET", f"{V2}/{path}?name=forged&experiment_id={local.experiment}&run_id={local.run}"
    )
    assert answer.status in {404, 405}
    assert local.size() == before


def test_a_cookie_alone_changes_nothing(local: Victim):
    """CVE-2024-2196: a cookie is sent by the browser whoever asked for the request."""
    cookies = local.server.session()
    jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
    assert raw(local.server.url, "GET", "/api/v1/users", [("Cookie", jar)]).status == 200
    before = local.size()
    for extra in ([], [("X-Modelkeel-Csrf", "wrong")], [("X-Modelkeel-Csrf", "")]):
        answer = raw(
            local.server.url, "POST", "/api/v1/users", [("Cookie", jar), TEXT, *extra], b'{"name":"forged","roles":[]}'
        )
        assert answer.status == 403, answer.text
    assert local.size() == before


def test_smuggled_requests_are_not_answered_twice(local: Victim):
    """Content-Length beside Transfer-Encoding, as in CVE-2025-43859 and many: never two answers to one request."""
    hidden = f"GET /api/v1/me HTTP/1.1\r\nHost: {local.server.url[7:]}\r\n\r\n".encode()
    body = b"0\r\n\r\n" + hidden
    headers = [JSON, ("Content-Length", str(len(body))), ("Transfer-Encoding", "chunked")]
    answer = raw(local.server.url, "POST", f"{V2}/experiments/search", headers, body)
    assert answer.body.count(b"HTTP/1.1 ") == 0
    assert answer.status in {0, 200, 400}
