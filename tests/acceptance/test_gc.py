"""`modelkeel gc` and `modelkeel hold` as a person uses them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient

from tests.conftest import Server, s3_settings, start_server


def keel(server: Server, *words: str, ok: bool = True) -> str:
    variables = {**os.environ, "MODELKEEL_URL": server.url, "MODELKEEL_TOKEN": server.token, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "modelkeel", *words], capture_output=True, text=True, env=variables, check=False
    )
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def collect(server: Server, *words: str) -> dict[str, Any]:
    found = keel(server, "gc", "--older-than", "0d", "--grace", "0s", "--json", *words)
    return dict(json.loads(found[found.index("{") :]))


def stored(server: Server) -> int:
    return sum(path.stat().st_size for path in (server.home / "blobs").rglob("*") if path.is_file())


def test_look_hold_release_and_remove(server: Server, tmp_path: Path):
    mlflow.set_tracking_uri(server.url)
    client = MlflowClient()
    (tmp_path / "a.bin").write_bytes(os.urandom(100_000))
    runs = [client.create_run("0").info.run_id for _ in range(3)]
    for run in runs[:2]:
        client.log_artifact(run, str(tmp_path / "a.bin"))
    (tmp_path / "a.bin").write_bytes(os.urandom(50_000))
    client.log_artifact(runs[2], str(tmp_path / "a.bin"))
    assert stored(server) == 150_000, "the same content is stored once"
    for run in runs[1:]:
        client.delete_run(run)
    kept = json.loads(keel(server, "hold", "add", "run", runs[2], "--reason", "case 7", "--json"))
    shown = keel(server, "gc", "--older-than", "0d", "--grace", "0s")
    assert "legal hold: case 7" in shown
    assert "Would remove 1 run, 0 pieces of content" in shown
    assert "Nothing was changed" in shown
    assert client.get_run(runs[1]).info.lifecycle_stage == "deleted"
    assert collect(server, "--apply")["counts"] == {"run": 1}
    assert stored(server) == 150_000
    assert "case 7" in keel(server, "hold", "list")
    keel(server, "hold", "release", kept["id"])
    done = collect(server, "--apply")
    assert (done["counts"], done["blobs"], done["bytes"]) == ({"run": 1}, 1, 50_000)
    assert stored(server) == 100_000
    assert Path(client.download_artifacts(runs[0], "a.bin")).stat().st_size == 100_000
    assert "is no age" in keel(server, "gc", "--older-than", "soon", ok=False)
    with server.client(server.token) as owner:
        types = [e["type"] for e in owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]]
    assert (types.count("run.purged"), types.count("gc.ended")) == (2, 2)
    assert (types.count("hold.placed"), types.count("hold.released")) == (1, 1)


def test_on_an_object_store(home: Path, s3: str, monkeypatch, tmp_path: Path):
    for name, value in s3_settings(s3).items():
        monkeypatch.setenv(name, value)
    server = start_server(home, "--blobs", f"s3://keel/{home.name}")
    try:
        mlflow.set_tracking_uri(server.url)
        client = MlflowClient()
        (tmp_path / "a.bin").write_bytes(os.urandom(5 << 20))
        gone, stays = (client.create_run("0").info.run_id for _ in range(2))
        client.log_artifact(gone, str(tmp_path / "a.bin"))
        (tmp_path / "a.bin").write_bytes(b"small")
        client.log_artifact(stays, str(tmp_path / "a.bin"))
        client.delete_run(gone)
        assert collect(server)["blobs"] == 3, "two chunks and their list"
        assert collect(server, "--apply")["blobs"] == 3
        assert collect(server, "--apply")["blobs"] == 0
        assert Path(client.download_artifacts(stays, "a.bin")).read_bytes() == b"small"
    finally:
        server.stop()
