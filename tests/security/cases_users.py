"""A valid request to every route of MLflow's users and permissions. Add a line here for each new route."""

from typing import Any

from tests.security.routes_kit import Ask, Case
from tests.security.story import Story

_V2, _V3 = "/api/2.0/mlflow/users", "/api/3.0/mlflow"
_PASSWORD = "a long enough password 7"
_OWN = "their own workspace's people"


def _read(make: Any, own: str = "") -> Case:
    return Case(make, viewer=(200,), own=own)


def _name(s: Story) -> str:
    return str(s.new_user()[0])


def _on(s: Story, **more: str) -> dict[str, str]:
    return {"username": _name(s), "resource_type": "experiment", "resource_id": s.experiment, **more}


def _granted(s: Story) -> dict[str, str]:
    on = _on(s)
    s.owner.post(f"{_V3}/users/permissions/grant", json={**on, "permission": "EDIT"}).raise_for_status()
    return on


CASES: dict[str, Case] = {
    f"POST {_V2}/create": Case(
        lambda s: Ask(json={"username": s.name(), "password": _PASSWORD}),
        ("user.created", "role.granted"),
        own=_OWN,
    ),
    f"GET {_V2}/get": _read(lambda s: Ask(params={"username": _name(s)})),
    f"GET {_V2}/current": _read(lambda _: Ask(), _OWN),
    f"GET {_V2}/list": _read(lambda _: Ask(), _OWN),
    f"PATCH {_V2}/update-password": Case(
        lambda s: Ask(json={"username": _name(s), "password": _PASSWORD}), ("user.updated",), by="owner"
    ),
    f"PATCH {_V2}/update-admin": Case(lambda s: Ask(json={"username": _name(s), "is_admin": True}), ("role.granted",)),
    f"DELETE {_V2}/delete": Case(lambda s: Ask(json={"username": _name(s)}), ("user.disabled",), by="owner"),
    f"GET {_V3}/roles/list": _read(lambda _: Ask(), _OWN),
    f"GET {_V3}/roles/get": _read(lambda _: Ask(params={"role_id": 1}), _OWN),
    f"GET {_V3}/roles/users/list": _read(lambda _: Ask(params={"role_id": 1}), _OWN),
    f"GET {_V3}/users/roles/list": _read(lambda s: Ask(params={"username": _name(s)})),
    f"POST {_V3}/roles/assign": Case(lambda s: Ask(json={"username": _name(s), "role_id": 2}), ("role.granted",)),
    f"DELETE {_V3}/roles/unassign": Case(lambda s: Ask(json={"username": _name(s), "role_id": 1}), ("role.revoked",)),
    f"POST {_V3}/users/permissions/grant": Case(lambda s: Ask(json=_on(s, permission="EDIT")), ("grant.set",)),
    f"POST {_V3}/users/permissions/revoke": Case(lambda s: Ask(json=_granted(s)), ("grant.removed",)),
    f"GET {_V3}/users/permissions/get": Case(lambda s: Ask(params=_on(s))),
}
