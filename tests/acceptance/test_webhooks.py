"""Webhooks by the unmodified `mlflow` client, to a real receiver that fails first, over a restart of the server."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent
from mlflow.exceptions import MlflowException

from modelkeel.collaboration.models import signature
from tests.conftest import Server, start_server

SECRET = "whispered"
HOST = "127.0.0.1"


class Receiver:
    """A program of the user's that hears of events."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.code = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.code)
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen within 20 s")


def mlflow_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    return MlflowClient(server.url, server.url)


def deliveries(server: Server, webhook: str) -> list[dict[str, Any]]:
    with server.client(server.token) as client:
        found: list[dict[str, Any]] = client.get(f"/api/v1/webhooks/{webhook}/deliveries").raise_for_status().json()
    return found


def test_deliveries_survive_failures_and_a_restart(
    home: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server(home, "--webhook-host", HOST)
    try:
        client = mlflow_client(server, monkeypatch)
        events = [
            WebhookEvent("registered_model", "created"),
            WebhookEvent("model_version_alias", "created"),
        ]
        client.create_registered_model("before")
        hook = client.create_webhook("ops", receiver.url, events, description="tells ops", secret=SECRET)
        assert (client.get_webhook(hook.webhook_id).name, hook.events) == ("ops", events)
        assert [one.webhook_id for one in client.list_webhooks()] == [hook.webhook_id]
        tried = client.test_webhook(hook.webhook_id)
        assert (tried.success, tried.response_status) == (True, 200)
        assert json.loads(receiver.heard.pop()[1])["data"]["name"] == "example_model"

        receiver.code = 503
        client.create_registered_model("m", tags={"a": "b"}, description="d")
        until(lambda: receiver.heard)
        waiting = until(lambda: [d for d in deliveries(server, hook.webhook_id) if d["attempts"]])[0]
        assert (waiting["status"], waiting["code"], waiting["event"]) == ("waiting", 503, "registered_model.created")
        assert waiting["next_try"]
        assert waiting["error"] == "The answer was 503."
        server.process.kill()
        server.process.wait()
        receiver.code = 200
        tries = len(receiver.heard)
        server = start_server(home, "--webhook-host", HOST)
        until(lambda: len(receiver.heard) > tries)
        done = until(lambda: [d for d in deliveries(server, hook.webhook_id) if d["status"] == "delivered"])
        assert len(done) == 1
        headers, body = receiver.heard[-1]
        assert {h["x-mlflow-delivery-id"] for h, _ in receiver.heard} == {done[0]["id"]}
        told = json.loads(body)
        assert (told["entity"], told["action"]) == ("registered_model", "created")
        assert told["data"] == {"name": "m", "tags": {"a": "b"}, "description": "d"}
        signed = f"{headers['x-mlflow-delivery-id']}.{headers['x-mlflow-timestamp']}.{body.decode()}"
        expected = base64.b64encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()).decode()
        assert headers["x-mlflow-signature"] == f"v1,{expected}"
        assert SECRET.encode() not in b"".join(p.read_bytes() for p in home.glob("modelkeel.db*"))

        client = mlflow_client(server, monkeypatch)
        assert client.update_webhook(hook.webhook_id, status="DISABLED").status == "DISABLED"
        client.delete_webhook(hook.webhook_id)
        with pytest.raises(MlflowException, match="not found"):
            client.get_webhook(hook.webhook_id)
    finally:
        server.stop()


def test_our_own_events_go_the_same_way(home: Path, receiver: Receiver) -> None:
    server = start_server(home, "--webhook-host", HOST)
    try:
        with server.client(server.token) as client:
            asked = {"name": "ours", "url": receiver.url, "events": ["experiment.created"]}
            hook = client.post("/api/v1/webhooks", json=asked).raise_for_status().json()
            assert client.get("/api/2.0/mlflow/webhooks").json() == {}  # MLflow has no word for this event
            client.post("/api/2.0/mlflow/experiments/create", json={"name": "e"}).raise_for_status()
            headers, body = until(lambda: [h for h in receiver.heard if b'"name": "e"' in h[1]])[0]
            told = json.loads(body)
            assert (told["entity"], told["action"], told["data"]["texts"]["name"]) == ("experiment", "created", "e")
            assert "x-mlflow-signature" not in headers
            sent = headers["x-mlflow-delivery-id"]
            until(lambda: [d for d in deliveries(server, hook["id"]) if (d["id"], d["status"]) == (sent, "delivered")])
            client.post(f"/api/v1/webhooks/{hook['id']}/deliveries/{sent}/redeliver").raise_for_status()
            until(lambda: [h["x-mlflow-delivery-id"] for h, _ in receiver.heard].count(sent) == 2)
    finally:
        server.stop()


def test_a_webhook_can_not_be_led_into_the_own_network(shared_server: Server) -> None:
    with shared_server.client(shared_server.token) as client:
        refused = ("http://example.com/", "ftp://example.com/", "https://", "http://127.0.0.1/", "file:///etc/passwd")
        for url in refused:
            asked = {"name": "w", "url": url, "events": ["model.created"]}
            assert client.post("/api/v1/webhooks", json=asked).status_code == 400, url
        for url in ("https://127.0.0.1:1/", "https://localhost:1/", "https://[::1]:1/", "https://169.254.169.254/"):
            asked = {"name": "w", "url": url, "events": ["model.created"]}
            hook = client.post("/api/v1/webhooks", json=asked).raise_for_status().json()["id"]
            said = client.post(f"/api/2.0/mlflow/webhooks/{hook}/test").raise_for_status().json()["result"]
            assert said["success"] is False
            assert "private network" in said["error_message"], said


def test_names_and_events_that_are_refused(shared_server: Server) -> None:
    fine = {"name": "w", "url": "https://example.com/", "events": ["model.created"]}
    with shared_server.client(shared_server.token) as client:
        wrongs: list[dict[str, Any]] = [
            {"name": "-w"},
            {"name": "x" * 64},
            {"events": []},
            {"events": ["model.sung"]},
        ]
        for wrong in wrongs:
            assert client.post("/api/v1/webhooks", json=fine | wrong).status_code == 400, wrong
        budget = [{"entity": "BUDGET_POLICY", "action": "EXCEEDED"}]
        assert client.post("/api/2.0/mlflow/webhooks", json=fine | {"events": budget}).status_code == 400


def test_the_receiver_of_the_guide_checks_signatures() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/webhooks.md").read_text()
    names: dict[str, Any] = {}
    exec(guide.partition("```python\n")[2].partition("```")[0], names)
    now = str(int(time.time()))
    headers = {"X-MLflow-Delivery-Id": "d", "X-MLflow-Timestamp": now}
    headers["X-MLflow-Signature"] = signature(SECRET, "d", now, b"{}")
    assert names["is_genuine"](SECRET, headers, b"{}")
    assert not names["is_genuine"](SECRET, headers, b"{ }")
    assert not names["is_genuine"](SECRET, headers | {"X-MLflow-Timestamp": "1"}, b"{}")


def test_the_command_line(home: Path, receiver: Receiver) -> None:
    server = start_server(home, "--webhook-host", HOST)
    environment = {**os.environ, "MODELKEEL_URL": server.url, "MODELKEEL_TOKEN": server.token, "NO_COLOR": "1"}

    def keel(*words: str) -> str:
        command = [sys.executable, "-m", "modelkeel", "webhooks", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    try:
        made = keel("create", "ops", receiver.url, "experiment.created", "--json")
        assert json.loads(made)["events"] == ["experiment.created"]
        assert "ops" in keel("list")
        with server.client(server.token) as client:
            client.post("/api/2.0/mlflow/experiments/create", json={"name": "told"}).raise_for_status()
        until(lambda: receiver.heard)
        sent = until(lambda: [d for d in json.loads(keel("deliveries", "ops", "--json")) if d["status"] == "delivered"])
        assert "is waiting" in keel("redeliver", "ops", sent[0]["id"])
        until(lambda: len(receiver.heard) > 1)
        keel("delete", "ops")
        assert "There is no webhook 'ops'" in keel("deliveries", "ops")
    finally:
        server.stop()
