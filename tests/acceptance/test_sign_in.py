"""Signing in by local accounts, sessions and tokens, against real servers."""

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.exceptions import MlflowException

from tests.conftest import Server, start_server

PASSWORD = "a fox jumps over walls"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets nobody in without signing in."""
    running = start_server(tmp_path_factory.mktemp("home"), "--no-anonymous")
    yield running
    running.stop()


def person(server: Server, name: str, *roles: str, password: str = PASSWORD) -> str:
    """Adds somebody with a password. Returns their id."""
    with server.client(server.token) as owner:
        body = {"name": name, "roles": list(roles), "password": password}
        return str(owner.post("/api/v1/users", json=body).raise_for_status().json()["id"])


@contextmanager
def page(server: Server, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """A browser that is signed in."""
    with server.client() as browser:
        browser.post("/api/v1/sessions", json={"name": name, "password": password}).raise_for_status()
        browser.headers["x-modelkeel-csrf"] = browser.cookies["modelkeel_csrf"]
        yield browser


def entries(server: Server, *kinds: str) -> list[dict[str, object]]:
    with server.client(server.token) as owner:
        found = owner.get("/api/v1/ledger/entries", params={"types": ",".join(kinds), "limit": 1000})
    return list(found.raise_for_status().json()["entries"])


def test_the_first_run_is_set_up_with_the_printed_code(server: Server):
    log = (server.home / "server.log").read_text()
    code = re.search(r"/login\?code=([\w-]+)", log)
    assert code is not None
    with server.client() as browser:
        assert browser.get("/api/v1/sign-in").json()["setup"] is True
        body = {"code": "guessed", "name": "olga", "password": PASSWORD}
        assert browser.post("/api/v1/setup", json=body).status_code == 401
        for weak in ("short", "password1234", "aaaaaaaaaaaaaa", "olga12345678!", "x" * 300):
            refused = browser.post("/api/v1/setup", json={**body, "code": code[1], "password": weak})
            assert refused.status_code == 400, weak
        browser.post("/api/v1/setup", json={**body, "code": code[1]}).raise_for_status()
        assert browser.get("/api/v1/sign-in").json() == {
            "setup": False,
            "password": True,
            "oidc": None,
            "anonymous": True,
        }
        again = browser.post("/api/v1/setup", json={**body, "code": code[1]})
        assert again.status_code == 401  # the code was used
    with page(server, "olga") as owner:
        me = owner.get("/api/v1/me").json()
        assert (me["name"], me["roles"], me["password"]) == ("olga", ["admin"], True)
        assert "grant" in me["installation"]
    assert server.client(server.token).get("/api/v1/me").json()["name"] == "olga"  # the owner's token is theirs still
    assert not server.home.joinpath("server.log").read_text().count(PASSWORD)


def test_there_is_no_default_password(strict: Server):
    for name, word in (("admin", "password1234"), ("owner", "password"), ("owner", ""), ("admin", "admin")):
        with strict.client() as browser:
            refused = browser.post("/api/v1/sessions", json={"name": name, "password": word})
            assert refused.status_code == 401
            assert not browser.cookies
        basic = base64.b64encode(f"{name}:{word}".encode()).decode()
        with strict.client() as client:
            assert client.get("/api/v1/me", headers={"Authorization": f"Basic {basic}"}).status_code == 401


def test_a_session_opens_the_page_and_ends(strict: Server):
    person(strict, "sara", "contributor")
    with page(strict, "sara") as browser:
        assert browser.get("/api/v1/me").json()["name"] == "sara"
        (session,) = browser.get("/api/v1/sessions").json()
        assert (session["current"], session["method"]) == (True, "password")
        kept = dict(browser.cookies)
        browser.delete("/api/v1/sessions/current").raise_for_status()
        assert "modelkeel_session" not in browser.cookies
        with strict.client() as thief:
            thief.cookies.update(kept)
            assert thief.get("/api/v1/me").status_code == 401
    kinds = [entry["type"] for entry in entries(strict, "session.started", "session.ended")]
    assert kinds[:2] == ["session.ended", "session.started"]


def test_cookies_are_closed_to_scripts_and_other_sites(strict: Server):
    person(strict, "cora", "viewer")
    with strict.client() as browser:
        answer = browser.post("/api/v1/sessions", json={"name": "cora", "password": PASSWORD})
    session, csrf = sorted(answer.headers.get_list("set-cookie"), key=lambda line: "csrf" in line)
    assert "HttpOnly" in session
    assert "HttpOnly" not in csrf
    for line in (session, csrf):
        assert "samesite=strict" in line.lower()
        assert "Max-Age=604800" in line
    assert PASSWORD not in answer.text
    assert "mks_" not in answer.text


def test_a_cookie_alone_changes_nothing(strict: Server):
    """CSRF: the browser sends the cookie by itself; the header only the page can send."""
    person(strict, "nora", "admin")
    before = len(entries(strict))
    with page(strict, "nora") as browser:
        signed_in = len(entries(strict))
        for header in ({"x-modelkeel-csrf": ""}, {"x-modelkeel-csrf": "0" * 64}, {"x-modelkeel-csrf": "wrong"}):
            for method, path, body in (
                ("POST", "/api/v1/users", {"name": "x", "roles": []}),
                ("POST", "/api/2.0/mlflow/experiments/create", {"name": "x"}),
                ("PUT", "/api/v1/grants", {}),
                ("DELETE", "/api/v1/tokens/x", None),
            ):
                refused = browser.request(method, path, json=body, headers=header)
                assert refused.status_code == 403, (header, path)
        form = browser.post(
            "/api/2.0/mlflow/experiments/create",
            content=b'{"name": "x"}',
            headers={"content-type": "text/plain", "x-modelkeel-csrf": ""},
        )
        assert form.status_code == 403
        assert browser.get("/api/v1/users").status_code == 200  # reading needs no header
    assert len(entries(strict)) == signed_in == before + 1


def test_another_sessions_csrf_value_is_worth_nothing(strict: Server):
    person(strict, "rita", "admin")
    with page(strict, "rita") as one, page(strict, "rita") as other:
        stolen = {"x-modelkeel-csrf": other.cookies["modelkeel_csrf"]}
        refused = one.post("/api/v1/users", json={"name": "y", "roles": []}, headers=stolen)
        assert refused.status_code == 403


def test_idle_and_old_sessions_end(server: Server):
    person(server, "ida", "viewer")
    for column, age in (("seen", 13 * 3_600_000), ("expires", 8 * 86_400_000)):
        with page(server, "ida") as browser:
            assert browser.get("/api/v1/me").json()["name"] == "ida"
            with sqlite3.connect(server.home / "modelkeel.db", timeout=10) as database:
                database.execute(f"UPDATE session SET {column} = {column} - {age}")
            # The principal of a moment ago is kept for two seconds; a workspace's name makes another key.
            answer = browser.get("/api/v1/me", headers={"x-modelkeel-workspace": "default"})
            assert answer.status_code == 401
            assert "ended" in answer.json()["detail"]


def test_guesses_get_slower_and_are_entries(strict: Server):
    known = person(strict, "gina", "viewer")
    before = len(entries(strict, "login.failed"))
    answers = []
    with strict.client() as browser:
        for number in range(8):
            body = {"name": "gina", "password": f"a wrong one {number}"}
            answers.append(browser.post("/api/v1/sessions", json=body))
        assert [answer.status_code for answer in answers[:5]] == [401] * 5
        assert answers[5].status_code == 429
        assert int(answers[5].headers["retry-after"]) >= 1
        right = browser.post("/api/v1/sessions", json={"name": "gina", "password": PASSWORD})
        assert right.status_code == 429  # even the right one waits: a guesser learns nothing
    failed = entries(strict, "login.failed")
    assert len(failed) == before + 5  # an attempt that was not looked at is no entry, so guessing can't fill the ledger
    assert failed[0]["subject"] == {"user": known}
    with strict.client() as other:
        unknown = other.post("/api/v1/sessions", json={"name": PASSWORD, "password": "typed into the wrong field"})
        assert unknown.json()["detail"] == answers[0].json()["detail"]
    latest = entries(strict, "login.failed")[0]
    assert PASSWORD not in str(latest)


def test_changing_a_password_ends_other_sessions(strict: Server):
    who = person(strict, "pia", "viewer")
    fresh = "another fox, another wall"
    with page(strict, "pia") as here, page(strict, "pia") as there, page(strict, "pia") as third:
        wrong = here.put(f"/api/v1/users/{who}/password", json={"password": fresh, "current": "not it"})
        assert wrong.status_code == 403
        here.put(f"/api/v1/users/{who}/password", json={"password": fresh, "current": PASSWORD}).raise_for_status()
        assert here.get("/api/v1/me").status_code == 200
        assert there.get("/api/v1/me").status_code == 401
        assert third.get("/api/v1/me").status_code == 401
    with strict.client() as browser:
        old = browser.post("/api/v1/sessions", json={"name": "pia", "password": PASSWORD})
        assert old.status_code == 401
    with page(strict, "pia", fresh) as browser:
        assert browser.get("/api/v1/me").status_code == 200


def test_only_the_installations_admin_sets_somebody_elses_password(strict: Server):
    victim = person(strict, "vic", "viewer")
    person(strict, "adam", "admin")  # of the workspace, not of the installation
    with page(strict, "adam") as browser:
        refused = browser.put(f"/api/v1/users/{victim}/password", json={"password": "mine from now on"})
        assert refused.status_code == 403
        assert browser.put(f"/api/v1/users/{victim}/disabled").status_code == 403
        assert browser.post("/api/v1/workspaces", json={"name": "mine"}).status_code == 403
    with strict.client(strict.token) as owner:
        owner.put(f"/api/v1/users/{victim}/password", json={"password": "a new one from the admin"}).raise_for_status()
    with page(strict, "vic", "a new one from the admin") as browser:
        assert browser.get("/api/v1/me").status_code == 200


def test_a_closed_account_is_closed_everywhere_at_once(strict: Server):
    who = person(strict, "dora", "contributor")
    with strict.client(strict.token) as owner:
        token = owner.post("/api/v1/tokens", json={"user": "dora"}).json()["secret"]
        with page(strict, "dora") as browser, strict.client(token) as program:
            assert program.get("/api/v1/me").status_code == browser.get("/api/v1/me").status_code == 200
            owner.put(f"/api/v1/users/{who}/disabled").raise_for_status()
            owner.put(f"/api/v1/users/{who}/disabled").raise_for_status()  # again changes nothing
            assert program.get("/api/v1/me").status_code == browser.get("/api/v1/me").status_code == 401
            again = browser.post("/api/v1/sessions", json={"name": "dora", "password": PASSWORD})
            assert again.status_code == 401
            owner.delete(f"/api/v1/users/{who}/disabled").raise_for_status()
            assert program.get("/api/v1/me").status_code == 200
        me = owner.get("/api/v1/me").json()["id"]
        assert owner.put(f"/api/v1/users/{me}/disabled").status_code == 409
    kinds = [entry["type"] for entry in entries(strict, "user.disabled", "user.enabled")]
    assert kinds[:2] == ["user.enabled", "user.disabled"]


def test_tokens_are_listed_narrowed_and_revoked(strict: Server):
    strict.user("tom", "maintainer")
    with strict.client(strict.token) as owner:
        first = owner.post("/api/v1/tokens", json={"user": "tom"}).json()["secret"]
    with strict.client(first) as tom:
        body = {"name": "reads only", "permissions": ["read"], "seconds": 3600}
        narrow = tom.post("/api/v1/tokens", json=body).raise_for_status().json()
        listed = {one["id"]: one for one in tom.get("/api/v1/tokens").json()}
        shown = listed[narrow["id"]]
        assert (shown["name"], shown["permissions"], shown["workspace"]) == ("reads only", ["read"], "default")
        assert narrow["secret"] not in str(listed)
        with strict.client(narrow["secret"]) as reader:
            assert reader.get("/api/v1/users").status_code == 200
            made = reader.post("/api/2.0/mlflow/experiments/create", json={"name": "no"})
            assert made.status_code == 403
            # A narrowed token mints none that is wider or lives longer.
            child = reader.post("/api/v1/tokens", json={"everywhere": False}).raise_for_status().json()
            assert child["expires"] <= narrow["expires"]
        with strict.client(child["secret"]) as grandchild:
            assert grandchild.get("/api/v1/me").json()["permissions"] == ["read"]
        tom.delete(f"/api/v1/tokens/{narrow['id']}").raise_for_status()
        tom.delete(f"/api/v1/tokens/{narrow['id']}").raise_for_status()  # again changes nothing
        assert strict.client(narrow["secret"]).get("/api/v1/me").status_code == 401
        for bad in (
            {"seconds": 0},
            {"seconds": -5},
            {"permissions": []},
            {"permissions": ["fly"]},
            {"name": "x" * 300},
        ):
            assert tom.post("/api/v1/tokens", json=bad).status_code == 400, bad
        assert tom.post("/api/v1/tokens", json={"user": "owner"}).status_code == 403
        assert tom.post("/api/v1/tokens", json={"everywhere": True}).status_code == 403
        assert tom.get("/api/v1/tokens", params={"everybody": True}).status_code == 403
    with strict.client(strict.token) as owner:
        everybody = owner.get("/api/v1/tokens", params={"everybody": True}).json()
        assert {"tom"} <= {one["user_name"] for one in everybody}
        mine = owner.get("/api/v1/tokens").json()
        assert [one["workspace"] for one in mine] == [None]
    revoked = [entry for entry in entries(strict, "token.revoked") if entry["subject"]["token"] == narrow["id"]]
    assert len(revoked) == 1


def test_somebody_elses_token_can_not_be_revoked(strict: Server):
    one, other = strict.user("una", "contributor"), strict.user("otto", "contributor")
    with strict.client(one) as una, strict.client(other) as otto:
        (token,) = una.get("/api/v1/tokens").json()
        assert otto.delete(f"/api/v1/tokens/{token['id']}").status_code == 404
        assert una.get("/api/v1/me").status_code == 200


def test_a_token_is_good_in_its_workspace_only(strict: Server):
    with strict.client(strict.token) as owner:
        owner.post("/api/v1/workspaces", json={"name": "risk"}).raise_for_status()
        for bad in ("Risk", "a b", "", "-x", "x" * 64, "../x"):
            assert owner.post("/api/v1/workspaces", json={"name": bad}).status_code == 400
        assert owner.post("/api/v1/workspaces", json={"name": "risk"}).status_code == 409
        names = [one["name"] for one in owner.get("/api/v1/workspaces").json()]
        assert {"default", "risk"} <= set(names)
        here = owner.get("/api/v1/me", headers={"X-MLflow-Workspace": "risk"}).json()
        assert here["workspace"]["name"] == "risk"
        owner.post("/api/v1/users", json={"name": "wim", "roles": ["viewer"]}).raise_for_status()
        in_risk = {"X-MLflow-Workspace": "risk"}
        owner.put("/api/v1/users/wim/roles/admin", headers=in_risk).raise_for_status()
        bound = owner.post("/api/v1/tokens", json={"user": "wim"}).json()["secret"]
    with strict.client(bound) as wim:
        assert wim.get("/api/v1/me").json()["workspace"]["name"] == "default"
        assert wim.get("/api/v1/me", headers=in_risk).status_code == 404
        assert [one["name"] for one in wim.get("/api/v1/workspaces").json()] == ["default"]


def test_service_accounts_belong_to_a_workspace(strict: Server):
    with strict.client(strict.token) as owner:
        for name in ("one-side", "other-side"):
            owner.post("/api/v1/workspaces", json={"name": name}).raise_for_status()
        made = {}
        for name in ("one-side", "other-side"):
            body = {"name": "deployer", "roles": ["maintainer"], "kind": "service"}
            answer = owner.post("/api/v1/users", json=body, headers={"X-MLflow-Workspace": name})
            made[name] = answer.raise_for_status().json()["id"]
        assert len(set(made.values())) == 2
        there = {"X-MLflow-Workspace": "other-side"}
        stolen = owner.put(f"/api/v1/users/{made['one-side']}/roles/admin", headers=there)
        assert stolen.status_code == 404
        refused = owner.post("/api/v1/users", json={**body, "name": "robot", "password": PASSWORD})
        assert refused.status_code == 400


def test_the_mlflow_client_signs_in_by_its_usual_variables(strict: Server, monkeypatch: pytest.MonkeyPatch):
    person(strict, "mia", "contributor")
    token = strict.user("max", "contributor")
    mlflow.set_tracking_uri(strict.url)
    with pytest.raises(MlflowException, match="wants a token"):
        mlflow.MlflowClient().search_experiments()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "mia")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    mlflow.set_experiment("of mia")
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.9)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "not hers")
    with pytest.raises(MlflowException, match="wrong"):
        mlflow.MlflowClient().get_run(run.info.run_id)
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    assert mlflow.MlflowClient().get_run(run.info.run_id).data.metrics == {"auc": 0.9}


def test_what_a_proxy_passes_on_is_not_local(server: Server):
    with server.client() as client:
        assert client.get("/api/v1/me").json()["kind"] == "anonymous"
        for header in ({"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}):
            assert client.get("/api/v1/me", headers=header).status_code == 401


def test_secrets_are_stored_as_hashes_only(strict: Server):
    person(strict, "hana", "viewer")
    token = strict.user("hugo", "viewer")
    with page(strict, "hana") as browser:
        session = browser.cookies["modelkeel_session"]
        for path in Path(strict.home).rglob("*"):
            if path.is_file() and path.name != "owner.token":
                content = path.read_bytes()
                for secret in (PASSWORD, token, session, strict.token):
                    assert secret.encode() not in content, path


def test_the_commands_of_the_guide(server: Server):
    def keel(*arguments: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MODELKEEL_HOME": str(server.home), "NO_COLOR": "1", "COLUMNS": "200", **variables}
        command = [sys.executable, "-m", "modelkeel", *arguments]
        return subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, check=False)

    added = keel("users", "add", "vera", "--role", "approver", "--password", typed=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr
    link = keel("login", "--page").stdout.strip()
    assert link.startswith(f"{server.url}/login?code=")
    with server.client() as browser:
        browser.post("/api/v1/sessions", json={"code": link.rpartition("=")[2]}).raise_for_status()
        assert browser.get("/api/v1/me").json()["name"] == "owner"
    minted = keel("token", "new", "--name", "nightly", "--permission", "read", "--days", "2", "--json")
    identity = json.loads(minted.stdout)["id"]
    assert "nightly" in keel("token", "list").stdout
    assert keel("token", "revoke", identity).returncode == 0
    assert "nightly" not in keel("token", "list").stdout
    weak = keel("users", "password", "vera", typed="short\n")
    assert weak.returncode != 0
    assert "12 to 256 characters" in weak.stderr
    assert keel("users", "password", "vera", typed="some other long one\n").returncode == 0
    assert keel("users", "close", "vera").returncode == 0
    assert "vera (closed)" in keel("users", "list").stdout
    assert keel("users", "reopen", "vera").returncode == 0
    assert keel("workspaces", "create", "fraud").returncode == 0
    assert keel("users", "role", "vera", "maintainer", MODELKEEL_WORKSPACE="fraud").returncode == 0
    assert "maintainer" in keel("users", "list", MODELKEEL_WORKSPACE="fraud").stdout
    assert "* fraud" in keel("workspaces", "list", MODELKEEL_WORKSPACE="fraud").stdout
