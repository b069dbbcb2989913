"""People, roles and permissions by the calls of MLflow's auth client, as that client sends them."""

import time
from typing import Any

import httpx
import pytest

from tests.conftest import Server

_USERS, _V3 = "/api/2.0/mlflow/users", "/api/3.0/mlflow"
_PASSWORD = "a long enough password 7"


@pytest.fixture
def admin(shared_server: Server) -> httpx.Client:
    return shared_server.client(shared_server.token)


@pytest.fixture
def ann(admin: httpx.Client) -> str:
    name = f"ann{time.time_ns()}"
    admin.post(f"{_USERS}/create", json={"username": name, "password": _PASSWORD}).raise_for_status()
    return name


def _error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_a_persons_life(admin: httpx.Client, ann: str) -> None:
    found = admin.get(f"{_USERS}/get", params={"username": ann}).raise_for_status().json()["user"]
    assert (found["username"], found["is_admin"]) == (ann, False)
    assert ann in {user["username"] for user in admin.get(f"{_USERS}/list").json()["users"]}
    again = admin.post(f"{_USERS}/create", json={"username": ann, "password": _PASSWORD})
    assert _error(again) == (400, "RESOURCE_ALREADY_EXISTS")
    changed = {"username": ann, "password": "another good password 8"}
    assert admin.patch(f"{_USERS}/update-password", json=changed).json() == {}
    assert admin.patch(f"{_USERS}/update-admin", json={"username": ann, "is_admin": True}).json() == {}
    assert admin.get(f"{_USERS}/get", params={"username": ann}).json()["user"]["is_admin"] is True
    assert admin.request("DELETE", f"{_USERS}/delete", json={"username": ann}).json() == {}
    gone = admin.get(f"{_USERS}/get", params={"username": ann})
    assert _error(gone) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_password_is_the_one_that_was_given(shared_server: Server, ann: str) -> None:
    for password, status in ((_PASSWORD, 200), ("wrong", 401)):
        answer = httpx.get(f"{shared_server.url}{_USERS}/current", auth=(ann, password))
        assert answer.status_code == status, answer.text
    assert httpx.get(f"{shared_server.url}{_USERS}/current", auth=(ann, _PASSWORD)).json()["user"]["username"] == ann


def test_roles_are_ours(admin: httpx.Client, ann: str) -> None:
    roles = {role["name"]: role["id"] for role in admin.get(f"{_V3}/roles/list").json()["roles"]}
    assert set(roles) == {"viewer", "contributor", "maintainer", "approver", "admin", "auditor"}
    one = admin.get(f"{_V3}/roles/get", params={"role_id": str(roles["approver"])}).json()["role"]
    assert (one["name"], "approve" in one["description"]) == ("approver", True)
    sent = {"username": ann, "role_id": roles["contributor"]}
    assert admin.post(f"{_V3}/roles/assign", json=sent).json()["assignment"]["role_id"] == roles["contributor"]
    held = admin.get(f"{_V3}/users/roles/list", params={"username": ann}).json()["roles"]
    assert {role["name"] for role in held} == {"viewer", "contributor"}
    assert admin.request("DELETE", f"{_V3}/roles/unassign", json=sent).json() == {}
    held = admin.get(f"{_V3}/users/roles/list", params={"username": ann}).json()["roles"]
    assert {role["name"] for role in held} == {"viewer"}
    assert _error(admin.get(f"{_V3}/roles/get", params={"role_id": "7"})) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert admin.post(f"{_V3}/roles/create", json={"workspace": "default", "name": "x"}).status_code == 501


@pytest.mark.parametrize("kind", ["experiment", "registered_model"])
def test_permissions_on_one_thing(shared_server: Server, admin: httpx.Client, ann: str, kind: str) -> None:
    name = f"thing{time.time_ns()}"
    made = admin.post("/api/2.0/mlflow/experiments/create", json={"name": name}).json()["experiment_id"]
    admin.post("/api/2.0/mlflow/registered-models/create", json={"name": name})
    on: dict[str, Any] = {"username": ann, "resource_type": kind, "resource_id": made if kind == "experiment" else name}

    def level() -> tuple[bool, str]:
        answer = admin.get(f"{_V3}/users/permissions/get", params=on).raise_for_status().json()
        return answer["allowed"], answer["permission"]

    def grant(permission: str) -> None:
        sent = admin.post(f"{_V3}/users/permissions/grant", json={**on, "permission": permission})
        assert sent.json() == {}, sent.text

    own = httpx.Client(base_url=shared_server.url, auth=(ann, _PASSWORD))

    def tags() -> int:
        if kind == "experiment":
            body = {"experiment_id": made, "key": "k", "value": str(time.time_ns())}
            return own.post("/api/2.0/mlflow/experiments/set-experiment-tag", json=body).status_code
        body = {"name": name, "key": "k", "value": str(time.time_ns())}
        return own.post("/api/2.0/mlflow/registered-models/set-tag", json=body).status_code

    assert (level(), tags()) == ((True, "READ"), 403), "a viewer of the workspace"
    grant("EDIT")
    assert (level(), tags()) == ((True, "EDIT"), 200)
    grant("NO_PERMISSIONS")
    assert (level(), tags()) == ((False, "NO_PERMISSIONS"), 404)
    grant("READ")
    assert (level(), tags()) == ((True, "READ"), 403)
    assert admin.post(f"{_V3}/users/permissions/revoke", json=on).json() == {}
    assert level() == (True, "READ")
    for wrong in ({"permission": "ALL"}, {"resource_type": "scorer"}, {"resource_id": "*"}, {"resource_id": ""}):
        sent = admin.post(f"{_V3}/users/permissions/grant", json={**on, "permission": "READ", **wrong})
        assert _error(sent) == (400, "INVALID_PARAMETER_VALUE"), wrong


def test_who_may_not_grant_may_not_by_these_calls_either(shared_server: Server, ann: str) -> None:
    own = httpx.Client(base_url=shared_server.url, auth=(ann, _PASSWORD))
    for method, path, body in (
        ("POST", f"{_USERS}/create", {"username": "bob", "password": _PASSWORD}),
        ("PATCH", f"{_USERS}/update-admin", {"username": ann, "is_admin": True}),
        ("PATCH", f"{_USERS}/update-password", {"username": "owner", "password": _PASSWORD}),
        ("DELETE", f"{_USERS}/delete", {"username": "owner"}),
        ("POST", f"{_V3}/roles/assign", {"username": ann, "role_id": 5}),
        (
            "POST",
            f"{_V3}/users/permissions/grant",
            {"username": ann, "resource_type": "experiment", "resource_id": "0", "permission": "MANAGE"},
        ),
    ):
        answer = own.request(method, path, json=body)
        assert _error(answer) == (403, "PERMISSION_DENIED"), (path, answer.text)
