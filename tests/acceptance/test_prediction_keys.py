"""Who may call a prediction address of a server without the loopback exception: real processes, real keys."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from modelkeel.runtime.control import SupervisorClient
from tests.conftest import Server, start_server

HOLD = 6.0
OPTIONS = ("--no-anonymous", "--keys-hold", str(HOLD))
BODY = {"dataframe_split": {"columns": ["x"], "data": [[2.0]]}}


class Place:
    """A server with one model at two endpoints.

    Attributes:
        at: each endpoint by name.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.owner = server.client(server.token)
        self.at = {}
        for name in ("churn", "risk"):
            self.owner.put(f"/api/v1/endpoints/{name}", json={"model": "churn/1"}).raise_for_status()
            deadline = time.monotonic() + 90
            while (at := self.owner.get(f"/api/v1/endpoints/{name}").json())["rollout"]["state"] != "completed":
                assert time.monotonic() < deadline, at
                time.sleep(0.1)
            self.at[name] = at
        # a rollout may be complete a moment before its address is open
        _becomes(lambda: self.call(server.token, "risk").status_code, 200)

    def call(self, secret: str | None, name: str = "churn") -> httpx.Response:
        """A prediction."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx.post(f"{self.at[name]['url']}/invocations", json=BODY, headers=headers, timeout=10)

    def key(self, **more: object) -> tuple[str, str]:
        """A new key of `churn` that is in force: its id and its secret."""
        body = {"name": "shop", **more}
        made = self.owner.post("/api/v1/endpoints/churn/keys", json=body).raise_for_status().json()
        _becomes(lambda: self.call(made["secret"]).status_code, 200)
        return made["key"]["id"], made["secret"]

    def restart(self) -> None:
        """Starts the server again; its prediction processes have gone on."""
        self.owner.close()
        self.server = start_server(self.server.home, *OPTIONS)
        self.owner = self.server.client(self.server.token)

    def last_used(self, identity: str) -> str | None:
        """On which day a key of `churn` was used."""
        keys = self.owner.get("/api/v1/endpoints/churn/keys").json()
        return next(key["last_used"] for key in keys if key["id"] == identity)

    def revoke(self, identity: str) -> None:
        """Revokes a key of `churn`."""
        self.owner.delete(f"/api/v1/endpoints/churn/keys/{identity}").raise_for_status()

    def entries(self, kind: str) -> list[dict]:
        """The ledger's entries of a type."""
        return self.owner.get("/api/v1/ledger/entries", params={"types": kind, "limit": 1000}).json()["entries"]


def _register(server: Server) -> None:
    os.environ["MLFLOW_TRACKING_TOKEN"] = server.token  # the fixtures of conftest take it back
    mlflow.set_tracking_uri(server.url)
    mlflow.set_experiment("Default")
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"x": draw.normal(size=100).astype("float32")})
    fitted = LogisticRegression().fit(frame, (frame["x"] > 0).astype(int))
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            fitted,
            name="model",
            input_example=frame.head(9),
            signature=mlflow.models.infer_signature(frame, fitted.predict(frame)),
            registered_model_name="churn",
            serialization_format="cloudpickle",
        )


def _becomes(look: Callable[[], int], wanted: int) -> float:
    """Seconds until `look` gives `wanted`."""
    start = time.monotonic()
    while (found := look()) != wanted:
        assert time.monotonic() < start + 20, found
        time.sleep(0.02)
    return time.monotonic() - start


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    home = Path(tempfile.mkdtemp(prefix="mk"))
    server = start_server(home, *OPTIONS)
    try:
        _register(server)
        made = Place(server)
        yield made
        server = made.server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def test_a_token_opens_an_address_where_its_user_may_predict(place: Place):
    assert place.call(None).status_code == 401
    assert "key" in place.call(None).json()["error"]
    assert place.call("mk_wrong").status_code == 401
    assert place.call(place.server.token).json()["predictions"] == [1]
    app = place.server.user("app", "maintainer")
    assert _becomes(lambda: place.call(app).status_code, 200) < 5
    denial = {"to": "app", "kind": "endpoint", "id": place.at["churn"]["id"], "permissions": ["predict"]}
    place.owner.put("/api/v1/grants", json={**denial, "effect": "deny"}).raise_for_status()
    assert _becomes(lambda: place.call(app).status_code, 403) < 5
    assert place.call(app, "risk").status_code == 200
    looker = place.server.user("looker", "viewer")
    assert _becomes(lambda: place.call(looker).status_code, 403) < 5


def test_a_key_opens_its_endpoint_and_nothing_else(place: Place):
    identity, secret = place.key()
    assert place.call(secret).json()["predictions"] == [1]
    assert place.call(secret, "risk").status_code == 403
    with place.server.client(secret) as app:
        for path in ("me", "endpoints", "endpoints/churn", "endpoints/churn/keys", "runs", "ledger/entries"):
            assert app.get(f"/api/v1/{path}").status_code == 401, path
        assert app.post("/api/v1/endpoints/churn/keys", json={"name": "more"}).status_code == 401
        assert app.post("/api/2.0/mlflow/experiments/search", json={}).status_code == 401
    shown = [key for key in place.owner.get("/api/v1/endpoints/churn/keys").json() if key["id"] == identity]
    assert [key["name"] for key in shown] == ["shop"]
    days = (np.datetime64(shown[0]["expires"][:19]) - np.datetime64(shown[0]["created"][:19])) / np.timedelta64(1, "D")
    assert round(float(days)) == 90
    assert secret not in str(shown)
    assert secret.encode() not in b"".join(path.read_bytes() for path in place.server.home.glob("modelkeel.db*"))


def test_a_revoked_key_ends_at_once_and_each_change_is_one_entry(place: Place):
    identity, secret = place.key()
    place.revoke(identity)
    assert _becomes(lambda: place.call(secret).status_code, 401) < 5
    place.revoke(identity)
    for kind in ("endpoint_key.created", "endpoint_key.revoked"):
        assert sum(entry["subject"]["endpoint_key"] == identity for entry in place.entries(kind)) == 1
    assert identity not in place.owner.get("/api/v1/endpoints/churn/keys").text


def test_a_key_tells_the_day_of_its_last_use(place: Place):
    body = {"name": "new"}
    unused = place.owner.post("/api/v1/endpoints/churn/keys", json=body).raise_for_status().json()["key"]["id"]
    identity, _ = place.key()
    day = datetime.now(UTC).date().isoformat()
    deadline = time.monotonic() + 20
    while place.last_used(identity) is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert place.last_used(identity) in (day, datetime.now(UTC).date().isoformat())
    assert place.last_used(unused) is None


def test_a_key_ends_by_itself(place: Place):
    _, secret = place.key(seconds=3)
    assert _becomes(lambda: place.call(secret).status_code, 401) < 5


def test_only_who_may_deploy_and_predict_keeps_keys(place: Place):
    identity, _ = place.key()
    for role in ("viewer", "contributor", "approver", "auditor"):
        with place.server.client(place.server.user(f"only-{role}", role)) as somebody:
            assert somebody.get("/api/v1/endpoints/churn/keys").status_code == 403
            assert somebody.post("/api/v1/endpoints/churn/keys", json={"name": "x"}).status_code == 403
            assert somebody.delete(f"/api/v1/endpoints/churn/keys/{identity}").status_code == 403
    denied = place.server.user("denied", "maintainer")
    body = {"to": "denied", "kind": "endpoint", "id": place.at["churn"]["id"], "permissions": ["read"]}
    place.owner.put("/api/v1/grants", json={**body, "effect": "deny"}).raise_for_status()
    with place.server.client(denied) as somebody:
        assert somebody.get("/api/v1/endpoints/churn/keys").status_code == 404
        assert somebody.post("/api/v1/endpoints/churn/keys", json={"name": "x"}).status_code == 404
        assert identity not in somebody.get("/api/v1/ledger/entries", params={"limit": 1000}).text
    for wrong in ({"name": ""}, {"name": "x", "seconds": 0}, {"name": "x", "seconds": 10**9}):
        assert place.owner.post("/api/v1/endpoints/churn/keys", json=wrong).status_code == 400


def test_the_commands_make_show_and_revoke(place: Place):
    environment = {**os.environ, "MODELKEEL_URL": place.server.url, "MODELKEEL_TOKEN": place.server.token}

    def keel(*words: str) -> str:
        command = [sys.executable, "-m", "modelkeel", "keys", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    secret = keel("create", "churn", "nightly", "--days", "7").strip()
    _becomes(lambda: place.call(secret).status_code, 200)
    assert "nightly" in keel("list", "churn")
    found = next(key for key in place.owner.get("/api/v1/endpoints/churn/keys").json() if key["name"] == "nightly")
    keel("revoke", "churn", found["id"])
    _becomes(lambda: place.call(secret).status_code, 401)


def test_a_process_that_starts_while_keys_are_renewed_has_no_revoked_one(place: Place):
    supervisor = SupervisorClient(place.server.home)
    for _ in range(3):
        identity, secret = place.key()
        for worker in supervisor.status().workers:
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)
        place.revoke(identity)
        time.sleep(1)
        deadline, seen = time.monotonic() + 20, []
        while not seen or seen[-1] != 401:
            assert time.monotonic() < deadline, seen
            try:
                seen.append(place.call(secret).status_code)
            except httpx.TransportError:
                time.sleep(0.02)
        assert set(seen) == {401}
        _becomes(lambda: place.call(place.server.token).status_code, 200)


def test_every_key_closes_soon_after_the_server_died(place: Place):
    _, secret = place.key()
    place.server.kill()
    start = time.monotonic()
    assert place.call(secret).status_code == 200, "the last table holds for a while"
    while place.call(secret).status_code == 200:
        assert time.monotonic() < start + HOLD + 1
        time.sleep(0.05)
    assert place.call(secret).status_code == 401
    assert place.call(place.server.token).status_code == 401
    assert time.monotonic() - start > HOLD / 2
    place.restart()
    assert _becomes(lambda: place.call(secret).status_code, 200) < 10
