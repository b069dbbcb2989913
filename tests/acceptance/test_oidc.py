"""Signing in by a real OpenID Connect provider."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.conftest import Server, start_server
from tests.oidc_kit import SECRET, provider, sign_in


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Place:
    """A server with its provider."""

    server: Server
    issuer: str

    def browser(self) -> httpx.Client:
        return httpx.Client(follow_redirects=False, timeout=30)

    def sign_in(self, browser: httpx.Client, name: str, after: str = "/") -> httpx.Response:
        """Signs `name+group+group` in: somebody who is in these groups at the provider."""
        name, *groups = name.split("+")
        known = {"name": name, "groups": ",".join(groups)}
        httpx.get(f"{self.issuer}/test/groups", params=known).raise_for_status()
        return sign_in(browser, f"{self.server.url}/api/v1/oidc/start?after={after}", name)

    def me(self, browser: httpx.Client) -> httpx.Response:
        return browser.get(f"{self.server.url}/api/v1/me")

    def entries(self, kind: str) -> list[dict[str, object]]:
        with self.server.client(self.server.token) as owner:
            found = owner.get("/api/v1/ledger/entries", params={"types": kind}).raise_for_status().json()
        return list(found["entries"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home: Path = tmp_path_factory.mktemp("home")
    ports = _free_port(), _free_port()
    redirect = f"http://127.0.0.1:{ports[0]}/api/v1/oidc/callback"
    os.environ["MODELKEEL_OIDC_SECRET"] = SECRET
    try:
        with provider(ports[1], redirect) as issuer:
            options = ["--oidc-issuer", issuer, "--oidc-client", "modelkeel", "--oidc-name", "Test provider"]
            server = start_server(home, "--no-anonymous", "--port", str(ports[0]), *options)
            yield Place(server, issuer)
            server.stop()
    finally:
        del os.environ["MODELKEEL_OIDC_SECRET"]


@pytest.fixture(scope="module")
def group(place: Place) -> str:
    """A group of the workspace that gives its members the role of a contributor."""
    with place.server.client(place.server.token) as owner:
        owner.put("/api/v1/groups/ml-team/roles/contributor").raise_for_status()
    return "ml-team"


def test_the_page_hears_of_the_provider(place: Place):
    with place.server.client() as page:
        ways = page.get("/api/v1/sign-in").raise_for_status().json()
    assert ways == {"setup": False, "password": False, "oidc": "Test provider", "anonymous": False}


def test_somebody_of_a_known_group_gets_its_roles_and_a_session(place: Place, group: str):
    with place.browser() as browser:
        answer = place.sign_in(browser, "vera+ml-team+unknown", after="/models")
        assert answer.status_code == 302
        assert answer.headers["location"] == "/models"
        me = place.me(browser).raise_for_status().json()
        assert (me["name"], me["kind"], me["roles"]) == ("vera", "user", ["contributor"])
        csrf = {"x-modelkeel-csrf": browser.cookies["modelkeel_csrf"]}
        body = {"name": "of vera"}
        made = browser.post(f"{place.server.url}/api/2.0/mlflow/experiments/create", json=body, headers=csrf)
        assert made.status_code == 200
    with place.server.client(place.server.token) as owner:
        names = [one["name"] for one in owner.get("/api/v1/groups").json()]
    assert names == [group]  # the provider's other groups make none here


def test_who_leaves_the_group_loses_its_roles_at_the_next_sign_in(place: Place, group: str):
    with place.browser() as browser:
        place.sign_in(browser, "walt+ml-team")
        assert place.me(browser).json()["roles"] == ["contributor"]
    with place.browser() as browser:
        assert place.sign_in(browser, "walt").headers["location"] == "/"
        refused = place.me(browser)
        assert refused.status_code == 404
        assert "workspace" in refused.json()["detail"]
    assert len(place.entries("group.left")) == 1


def test_a_local_account_of_the_same_name_is_not_taken_over(place: Place, group: str):
    place.server.user("ann", "admin")
    with place.browser() as browser:
        place.sign_in(browser, "ann+ml-team")
        me = place.me(browser).json()
    assert me["name"] == "ann 2"
    assert "admin" not in me["roles"]


def test_the_same_subject_is_the_same_person(place: Place, group: str):
    seen = set()
    for _ in range(2):
        with place.browser() as browser:
            place.sign_in(browser, "tess+ml-team")
            seen.add(place.me(browser).json()["id"])
    assert len(seen) == 1


def test_a_closed_account_can_not_sign_in(place: Place, group: str):
    with place.browser() as browser:
        place.sign_in(browser, "paul+ml-team")
        person = place.me(browser).json()["id"]
        with place.server.client(place.server.token) as owner:
            owner.put(f"/api/v1/users/{person}/disabled").raise_for_status()
        assert place.me(browser).status_code == 401
        again = place.sign_in(browser, "paul+ml-team")
        assert _problem(again).startswith("This account is closed")


def test_an_answer_without_its_browser_is_refused(place: Place):
    """Login CSRF: somebody else's answer, sent to a browser that began nothing, signs nobody in."""
    before = len(place.entries("login.failed"))
    with place.browser() as attacker, place.browser() as victim:
        started = attacker.get(f"{place.server.url}/api/v1/oidc/start")
        state = parse_qs(urlsplit(started.headers["location"]).query)["state"][0]
        for query in ({"code": "x", "state": state}, {"code": "x"}, {"error": "access_denied", "state": state}, {}):
            answer = victim.get(f"{place.server.url}/api/v1/oidc/callback", params=query)
            assert "sign-in took too long" in _problem(answer)
        assert "modelkeel_session" not in victim.cookies
        wrong_state = attacker.get(f"{place.server.url}/api/v1/oidc/callback", params={"code": "x", "state": "other"})
        assert "belongs to no sign-in" in _problem(wrong_state)
        mixed = {"code": "x", "state": state, "iss": "https://other.example"}
        assert "another provider" in _problem(attacker.get(f"{place.server.url}/api/v1/oidc/callback", params=mixed))
        wrong_code = attacker.get(f"{place.server.url}/api/v1/oidc/callback", params={"code": "x", "state": state})
        assert "invalid_grant" in _problem(wrong_code)
    assert len(place.entries("login.failed")) == before + 7


def test_nobody_is_sent_to_another_site_afterwards(place: Place, group: str):
    for after in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        with place.browser() as browser:
            assert place.sign_in(browser, "vera+ml-team", after).headers["location"] == "/"


def test_a_code_is_good_once(place: Place, group: str):
    with place.browser() as browser:
        answer = place.sign_in(browser, "vera+ml-team")
        assert browser.get(str(answer.request.url)).headers["location"].startswith("/login?error=")


def _problem(answer: httpx.Response) -> str:
    location = urlsplit(answer.headers["location"])
    assert location.path == "/login"
    return parse_qs(location.query)["error"][0]
