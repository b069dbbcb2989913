"""Roles above the workspaces: admins who keep the installation, auditors who read all of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Server, start_server

PASSWORD = "a fox jumps over walls"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a second workspace in which something happened."""
    running = start_server(tmp_path_factory.mktemp("home"), "--no-anonymous")
    with running.client(running.token) as owner:
        owner.post("/api/v1/workspaces", json={"name": "risk"}).raise_for_status()
        there = {"X-MLflow-Workspace": "risk"}
        owner.post("/api/2.0/mlflow/experiments/create", json={"name": "theirs"}, headers=there).raise_for_status()
        for name in ("aida", "bert"):
            body = {"name": name, "roles": ["viewer"], "password": PASSWORD}
            owner.post("/api/v1/users", json=body).raise_for_status()
    yield running
    running.stop()


def _token(server: Server, name: str) -> str:
    """A token that somebody minted at their page for every workspace of theirs."""
    with server.client() as page:
        page.post("/api/v1/sessions", json={"name": name, "password": PASSWORD}).raise_for_status()
        csrf = {"x-modelkeel-csrf": page.cookies["modelkeel_csrf"]}
        minted = page.post("/api/v1/tokens", json={"everywhere": True}, headers=csrf).raise_for_status()
    return str(minted.json()["secret"])


def test_an_auditor_of_the_installation_reads_and_exports_every_workspace(strict: Server, tmp_path: Path):
    token = _token(strict, "aida")
    whole = {"installation": True, "limit": 1000}
    with strict.client(token) as aida, strict.client(strict.token) as owner:
        assert aida.get("/api/v1/ledger/entries", params=whole).status_code == 403
        assert aida.post("/api/v1/ledger/export", params={"installation": True}).status_code == 403
        owner.put("/api/v1/installation/users/aida/roles/auditor").raise_for_status()
        owner.put("/api/v1/installation/users/aida/roles/auditor").raise_for_status()  # again changes nothing
        entries = aida.get("/api/v1/ledger/entries", params=whole).raise_for_status().json()["entries"]
        assert len({entry["workspace"] for entry in entries}) == 2
        assert "theirs" in json.dumps(entries)
        here = aida.get("/api/v1/ledger/entries", params={"limit": 1000}).json()["entries"]
        assert "theirs" not in json.dumps(here)
        granted = [e for e in entries if e["type"] == "role.granted" and e["data"].get("of") == "installation"]
        assert [e["data"]["role"] for e in granted] == ["auditor", "admin"]
        assert aida.post("/api/v1/workspaces", json={"name": "mine"}).status_code == 403  # an auditor changes nothing
    environment = {**os.environ, "MODELKEEL_URL": strict.url, "MODELKEEL_TOKEN": token, "NO_COLOR": "1"}
    bundle = tmp_path / "everything"
    command = [sys.executable, "-m", "modelkeel", "audit", "export", str(bundle), "--installation"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    verify = [sys.executable, str(bundle / "verify.py"), str(bundle)]
    assert subprocess.run(verify, check=False, capture_output=True).returncode == 0
    text = b"".join(path.read_bytes() for path in bundle.iterdir() if path.is_file())
    assert b"theirs" in text
    with strict.client(strict.token) as owner:
        made = owner.get("/api/v1/ledger/entries", params={"types": "export.made"}).json()["entries"]
    assert [entry["data"] for entry in made] == [{"of": "installation"}]


def test_a_token_of_one_workspace_carries_nothing_from_above(strict: Server):
    with strict.client(strict.token) as owner:
        owner.put("/api/v1/installation/users/bert/roles/admin").raise_for_status()
        minted = owner.post("/api/v1/tokens", json={"user": "bert"}).raise_for_status().json()["secret"]
        with strict.client(minted) as bound, strict.client(_token(strict, "bert")) as unbound:
            assert bound.post("/api/v1/workspaces", json={"name": "by-a-bound-token"}).status_code == 403
            assert unbound.post("/api/v1/workspaces", json={"name": "by-bert"}).status_code == 201
            assert unbound.delete("/api/v1/installation/users/owner/roles/admin").is_success
            owner_again = unbound.put("/api/v1/installation/users/owner/roles/admin")
            assert owner_again.is_success
            assert unbound.put("/api/v1/installation/users/aida/roles/viewer").status_code == 400
            assert unbound.put("/api/v1/installation/users/nobody/roles/admin").status_code == 404
        owner.delete("/api/v1/installation/users/bert/roles/admin").raise_for_status()
        last = owner.delete("/api/v1/installation/users/owner/roles/admin")
        assert last.status_code == 409


def test_an_auditor_without_a_role_in_any_workspace_reads_the_trail_and_nothing_else(strict: Server):
    with strict.client(strict.token) as owner:
        owner.post("/api/v1/users", json={"name": "olaf", "roles": [], "password": PASSWORD}).raise_for_status()
        with strict.client() as page:
            page.post("/api/v1/sessions", json={"name": "olaf", "password": PASSWORD}).raise_for_status()
            assert page.get("/api/v1/me").status_code == 404, "no role anywhere yet"
        owner.put("/api/v1/installation/users/olaf/roles/auditor").raise_for_status()
        secret = _token(strict, "olaf")
        with strict.client(secret) as olaf:
            whole = olaf.get("/api/v1/ledger/entries", params={"installation": True, "limit": 1000})
            assert len({entry["workspace"] for entry in whole.raise_for_status().json()["entries"]}) >= 2
            assert olaf.post("/api/v1/ledger/export", params={"installation": True}).is_success
            for there in ({}, {"X-MLflow-Workspace": "risk"}):
                for path in ("ledger/entries", "users", "groups", "endpoints", "models", "experiments", "costs"):
                    assert olaf.get(f"/api/v1/{path}", headers=there).status_code == 403, path
                found = olaf.post("/api/2.0/mlflow/experiments/search", json={"max_results": 9}, headers=there)
                assert found.status_code == 403
                made = olaf.post("/api/2.0/mlflow/experiments/create", json={"name": "his"}, headers=there)
                assert made.status_code == 403
            assert olaf.get("/api/v1/me", headers={"X-MLflow-Workspace": "nowhere"}).status_code == 404
        owner.delete("/api/v1/installation/users/olaf/roles/auditor").raise_for_status()
        with strict.client(secret) as olaf:
            assert olaf.get("/api/v1/ledger/entries", params={"installation": True}).status_code == 404


def test_a_closed_account_does_not_count_as_the_last_admin(strict: Server):
    with strict.client(strict.token) as owner:
        ids = {user["name"]: user["id"] for user in owner.get("/api/v1/users").json()}
        owner.put("/api/v1/installation/users/bert/roles/admin").raise_for_status()
        owner.put(f"/api/v1/users/{ids['bert']}/disabled").raise_for_status()
        assert owner.delete("/api/v1/installation/users/owner/roles/admin").status_code == 409
        owner.delete(f"/api/v1/users/{ids['bert']}/disabled").raise_for_status()
        owner.delete("/api/v1/installation/users/bert/roles/admin").raise_for_status()
