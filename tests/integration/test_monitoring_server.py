"""Monitoring through a running server: set up, logged, labelled, watched by HTTP and by command."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelkeel.app import Keel, Settings
from modelkeel.core.ids import uuid7
from modelkeel.runtime.spool import Spool
from modelkeel.serving import store as serving_store
from tests.conftest import Server, start_server
from tests.integration.monitoring_kit import DAY, START, make_rows, reference_of, stream, write_rows

WEEK = 7 * DAY
MONITOR = {
    "window": "7d",
    "lateness": "1d",
    "drift": {"min_rows": 500, "persist": 1},
    "quality": {"metric": "auc", "min_labels": 500},
}


def until(check: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true answer of `check`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come true in time")


def command(server: Server, *arguments: str) -> str:
    environment = {**os.environ, "MODELKEEL_HOME": str(server.home), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "modelkeel", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def prepared(home: Path) -> Any:
    """A server whose default workspace has the endpoint `e1`, named `flights`, without a model behind it."""
    keel = Keel.open(Settings(home))
    workspace = keel.identity.anonymous().workspace
    keel.database.write_now(
        lambda tx: serving_store.add_endpoint(
            tx, {"id": "e1", "workspace": workspace, "name": "flights", "simulated": True, "log": "background"}
        )
    )
    keel.close()
    server = start_server(home)
    yield server
    server.stop()


def test_a_logged_week_is_watched_through_http_and_commands(prepared: Server):
    rng = np.random.default_rng(1)
    with prepared.client(prepared.token) as owner:
        assert owner.put("/api/v1/monitors/flights", json={"window": "soon"}).status_code == 400
        assert owner.get("/api/v1/monitors/flights").status_code == 404
        assert owner.put("/api/v1/monitors/flights", json=MONITOR).status_code == 200
        reference = reference_of(make_rows(rng, 10_000, START - 8 * WEEK, days=56))
        uploaded = owner.put("/api/v1/monitors/flights/reference", content=reference)
        assert uploaded.status_code == 200, uploaded.text
        spool = Spool(prepared.home / "serving" / "spool", uuid7())
        ids: list[str] = []
        truth: list[int] = []
        for week in range(3):
            rows = make_rows(rng, 1_000, START + week * WEEK, shift=1.0 if week else 0.0)
            ids += write_rows(spool, stream(), rows, batch=10)
            truth += rows.truth.tolist()
        spool.close()
        until(lambda: owner.get(f"/api/v1/predictions/{ids[-1]}").status_code == 200)
        times = [START + 3 * WEEK] * len(ids)
        sent = {"prediction_ids": ids, "labels": truth, "event_times": times}
        assert owner.post("/api/v1/labels", json=sent).json() == {"accepted": 3_000}

        def judged() -> Any:
            windows = owner.get("/api/v1/monitors/flights/windows").json()
            return windows if sum(r["labels"] for w in windows for r in w["revisions"]) == 3_000 else None

        windows = until(judged)
        assert [(w["closed"], w["rows"]) for w in windows] == [(True, 1_000), (True, 1_000), (False, 1_000)]
        assert all(0.7 < w["revisions"][0]["quality"]["auc"]["value"] < 0.9 for w in windows)
        until(lambda: owner.get("/api/v1/monitors/flights").json()["behind"] == 0)
        (alert,) = owner.get("/api/v1/alerts", params={"status": "active"}).json()
        assert (alert["kind"], alert["feature"]) == ("drift", "y")
        assert owner.get(f"/api/v1/alerts/{alert['id']}").json() == alert
        acknowledged = owner.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={"note": "seen"}).json()
        assert acknowledged["status"] == "acknowledged"
        (incident,) = owner.get("/api/v1/incidents").json()
        whole = owner.get(f"/api/v1/incidents/{incident['id']}").json()
        assert [m["type"] for m in whole["timeline"]] == ["incident.opened", "alert.raised", "alert.acknowledged"]
        traffic = owner.get("/api/v1/monitors/flights/traffic").json()
        assert sum(t["requests"] for t in traffic["series"]) == 300
        histograms = owner.get(
            "/api/v1/monitors/flights/histograms", params={"start": windows[1]["start"], "revision": "r1"}
        ).json()
        assert sum(histograms["y"]["current"]) == 1_000
    with prepared.client() as anonymous:
        assert anonymous.get("/api/v1/alerts").status_code == 200
        assert anonymous.put("/api/v1/monitors/flights", json=MONITOR).status_code == 403
        assert anonymous.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json={}).status_code == 403
    shown = command(prepared, "watch", "flights")
    assert "flights/1" in shown
    assert "drift" in shown
    assert json.loads(command(prepared, "watch", "flights", "--json"))["monitor"]["endpoint"] == "flights"
    record = json.loads(command(prepared, "predictions", "show", ids[5], "--json"))
    assert (record["id"], record["label"]) == (ids[5], truth[5])
    assert ids[5] in command(prepared, "predictions", "show", ids[5])
    with prepared.client(prepared.token) as owner:
        assert owner.delete("/api/v1/monitors/flights").status_code == 204
        (gone,) = owner.get("/api/v1/alerts").json()
        assert gone["status"] == "resolved"


def test_acknowledged_labels_survive_a_power_cut(prepared: Server):
    rng = np.random.default_rng(2)
    spool = Spool(prepared.home / "serving" / "spool", uuid7())
    rows = make_rows(rng, 500, START)
    ids = write_rows(spool, stream(), rows)
    spool.close()
    with prepared.client(prepared.token) as owner:
        for at in range(0, 500, 100):
            sent = {"prediction_ids": ids[at : at + 100], "labels": rows.truth[at : at + 100].tolist()}
            assert owner.post("/api/v1/labels", json=sent).status_code == 202
    prepared.kill()
    server = start_server(prepared.home)
    try:
        with server.client(server.token) as owner:
            until(lambda: owner.get(f"/api/v1/predictions/{ids[-1]}").status_code == 200)
            for at in (0, 250, 499):
                found = owner.get(f"/api/v1/predictions/{ids[at]}").json()
                assert found["label"] == rows.truth[at]
                assert len(found["labels"]) == 1
            traffic = owner.get("/api/v1/monitors/flights/traffic").json()
            assert sum(t["rows"] for t in traffic["series"]) == 500
    finally:
        server.stop()
