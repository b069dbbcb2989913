"""Files in parts, and fetched by signed addresses, with the unmodified `mlflow` client: a local folder, and S3."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from modelkeel.core.hashing import sha256
from tests.conftest import Server, s3_settings, start_server

PROXY = "/api/2.0/mlflow-artifacts"
MB = 1 << 20


@pytest.fixture(scope="module", params=["local", "s3"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Server]]:
    """A server with each kind of store, for whoever has a token."""
    home = tmp_path_factory.mktemp("mk")
    options = ["--no-anonymous"]
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "s3":
            for name, value in s3_settings(request.getfixturevalue("s3")).items():
                patch.setenv(name, value)
            options += ["--blobs", f"s3://keel/{home.name}"]
        server = start_server(home, *options)
    yield request.param, server
    server.stop()


@pytest.fixture
def client(stored: tuple[str, Server], monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", stored[1].token)
    if stored[0] == "local":  # where it pays, the server says so by itself
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(5 * MB))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 * MB))
    return MlflowClient(stored[1].url)


def new_run(client: MlflowClient) -> tuple[str, str]:
    info = client.create_run("0").info
    return info.run_id, f"{info.experiment_id}/{info.run_id}/artifacts"


def entries(server: Server, run: str) -> list[str]:
    with server.client(server.token) as owner:
        found = owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]
    return [e["type"] for e in found if e["subject"].get("run") == run]


def test_a_large_file_goes_up_in_parts_and_comes_down_in_ranges(
    stored: tuple[str, Server], client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kind, server = stored
    content = os.urandom(12 * MB + 5)
    (tmp_path / "big.bin").write_bytes(content)
    run, _ = new_run(client)
    client.log_artifact(run, str(tmp_path / "big.bin"), "deep/er")
    assert sorted(entries(server, run)) == ["artifact.logged", "run.created"]
    with server.client(server.token) as owner:
        found = owner.get("/api/v1/ledger/entries?limit=1000").json()["entries"]
    entry = next(e for e in found if e["type"] == "artifact.logged" and e["subject"] == {"run": run})
    assert entry["data"] == {"digest": sha256(content), "size": len(content)}
    for ranged in ("true", "false"):
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", ranged)
        monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(5 * MB))
        got = client.download_artifacts(run, "deep/er/big.bin", str(tmp_path / "got"))
        assert Path(got).read_bytes() == content
    if kind == "local":  # the parts came here, and were stored as chunks at once
        assert len(list((server.home / "blobs" / "chunks").glob("*/*"))) >= 5


def test_the_same_content_is_the_same_blob_whichever_way_it_came(client: MlflowClient, stored: tuple[str, Server]):
    content = os.urandom(9 * MB)
    run, root = new_run(client)
    with stored[1].client(stored[1].token) as http:
        begun = begin(http, root, 2)
        tags = send(begun, content[: 5 * MB], content[5 * MB :])
        assert complete(http, root, begun, tags).json() == {}
        assert complete(http, root, begun, tags).json() == {}, "asked again, it is complete already"
        http.put(f"{PROXY}/artifacts/{root}/again.bin", content=content).raise_for_status()
        digests = [
            http.head(f"{PROXY}/artifacts/{root}/{name}").headers["etag"] for name in ("folder/f.bin", "again.bin")
        ]
        assert digests == [f'"{sha256(content)}"'] * 2
        whole = http.get(f"{PROXY}/artifacts/{root}/folder/f.bin").content
        part = http.get(f"{PROXY}/artifacts/{root}/folder/f.bin", headers={"Range": f"bytes={5 * MB - 3}-{5 * MB + 2}"})
    assert whole == content
    assert part.content == content[5 * MB - 3 : 5 * MB + 3]
    assert entries(stored[1], run).count("artifact.logged") == 2


def test_a_part_may_be_sent_again_and_parts_in_any_order(client: MlflowClient, stored: tuple[str, Server]):
    pieces = [os.urandom(MB + n) for n in range(4)]
    _, root = new_run(client)
    with stored[1].client(stored[1].token) as http:
        begun = begin(http, root, 4)
        assert httpx.put(begun["credentials"][2]["url"], content=b"torn").status_code == 200
        with ThreadPoolExecutor(4) as pool:
            order = [(begun["credentials"][n], pieces[n]) for n in (3, 1, 0, 2)]
            answers = list(pool.map(lambda item: (item[0]["part_number"], put(*item)), order))
        assert complete(http, root, begun, dict(answers)).status_code == 200
        assert http.get(f"{PROXY}/artifacts/{root}/folder/f.bin").content == b"".join(pieces)


def test_a_small_file_in_parts_is_one_chunk(client: MlflowClient, stored: tuple[str, Server]):
    _, root = new_run(client)
    with stored[1].client(stored[1].token) as http:
        begun = begin(http, root, 3)
        complete(http, root, begun, send(begun, b"one", b"two", b"three")).raise_for_status()
        assert http.get(f"{PROXY}/artifacts/{root}/folder/f.bin").content == b"onetwothree"
        assert http.head(f"{PROXY}/artifacts/{root}/folder/f.bin").headers["etag"] == f'"{sha256(b"onetwothree")}"'


def test_what_is_missing_or_aborted_is_no_file(client: MlflowClient, stored: tuple[str, Server]):
    _, root = new_run(client)
    with stored[1].client(stored[1].token) as http:
        begun = begin(http, root, 2)
        tag = put(begun["credentials"][0], b"first")
        assert complete(http, root, begun, {1: tag}).status_code == 400
        assert complete(http, root, begun, {1: tag, 2: "made up"}).status_code == 400
        body = {"path": "/home/me/f.bin", "upload_id": begun["upload_id"]}
        assert http.post(f"{PROXY}/mpu/abort/{root}/folder", json=body).json() == {}
        assert http.post(f"{PROXY}/mpu/abort/{root}/folder", json=body).status_code == 404
        assert complete(http, root, begun, {1: tag, 2: tag}).status_code == 404
        assert http.get(f"{PROXY}/artifacts/{root}/folder/f.bin").status_code == 404
        if stored[0] == "local":
            assert httpx.put(begun["credentials"][1]["url"], content=b"late").status_code == 404


def test_an_upload_is_its_senders_alone_and_stays_in_its_place(client: MlflowClient, stored: tuple[str, Server]):
    server = stored[1]
    _, root = new_run(client)
    _, other = new_run(client)
    name = f"mallory-{stored[0]}"
    mallory = server.user(name, "contributor")
    with server.client(server.token) as owner, server.client(mallory) as stranger:
        begun = begin(owner, root, 1)
        tags = send(begun, b"content")
        assert complete(stranger, root, begun, tags).status_code == 404
        ended = {"path": "f.bin", "upload_id": begun["upload_id"]}
        assert stranger.post(f"{PROXY}/mpu/abort/{root}/folder", json=ended).status_code == 404
        assert complete(owner, other, begun, tags).status_code == 404, "it was begun for another run"
        assert complete(owner, root, begun, tags, path="g.bin").status_code == 404, "and for another file"
        for file, folder in (("..", "folder"), ("x", ".."), ("x", "%2e%2e/%2e%2e"), ("a/../..", "f"), ("", "f")):
            answer = owner.post(f"{PROXY}/mpu/create/{root}/{folder}", json={"path": file, "num_parts": 1})
            assert answer.status_code in {400, 404}, (file, folder, answer.text)
        for count in (0, -1, 10_001):
            answer = owner.post(f"{PROXY}/mpu/create/{root}", json={"path": "x", "num_parts": count})
            assert answer.status_code == 400
        complete(owner, root, begun, tags).raise_for_status()


def test_a_signed_address_is_good_for_one_thing_and_needs_no_token(client: MlflowClient, stored: tuple[str, Server]):
    server = stored[1]
    _, root = new_run(client)
    with server.client(server.token) as owner, server.client() as nobody:
        owner.put(f"{PROXY}/artifacts/{root}/a.txt", content=b"0123456789").raise_for_status()
        assert nobody.get(f"{PROXY}/presigned/{root}/a.txt").status_code == 401
        given = owner.get(f"{PROXY}/presigned/{root}/a.txt").json()
        assert (given["file_size"], given["headers"]) == (10, {})
        assert httpx.get(given["url"], headers={"Range": "bytes=2-4"}).content == b"234"
        begun = begin(owner, root, 1)
        word = given["url"].rpartition("/")[2]
        for wrong in (word[:-2] + "AA", word[:40], "x", "%2e%2e", word + "A"):
            assert nobody.get(f"{PROXY}/fetch/{wrong}").status_code in {403, 404}, wrong
            assert nobody.put(f"{PROXY}/mpu/part/{wrong}", content=b"x").status_code in {403, 404}, wrong
        assert nobody.put(f"{PROXY}/mpu/part/{word}", content=b"x").status_code == 403, "a fetch is no part"
        if stored[0] == "local":
            part = begun["credentials"][0]["url"].rpartition("/")[2]
            assert nobody.get(f"{PROXY}/fetch/{part}").status_code == 403, "a part is no fetch"


def test_the_server_says_what_it_can(stored: tuple[str, Server]):
    with stored[1].client(stored[1].token) as http:
        told = http.get("/api/3.0/mlflow/server-info").json()
        assert told["multipart_uploads_enabled"] is (stored[0] == "s3"), "where parts need not come through the server"
        assert told["multipart_downloads_enabled"] is False
        refused = http.post("/api/2.0/mlflow/artifacts/presigned-upload-url", json={"run_id": "x", "path": "a"})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def begin(http: httpx.Client, root: str, parts: int) -> dict[str, Any]:
    body = {"path": "/home/me/f.bin", "num_parts": parts}
    answer = http.post(f"{PROXY}/mpu/create/{root}/folder", json=body).raise_for_status()
    return dict(answer.json())


def put(credential: dict[str, Any], content: bytes) -> str:
    answer = httpx.put(credential["url"], content=content, headers=credential["headers"], timeout=30)
    return str(answer.raise_for_status().headers["etag"])


def send(begun: dict[str, Any], *pieces: bytes) -> dict[int, str]:
    return {c["part_number"]: put(c, piece) for c, piece in zip(begun["credentials"], pieces, strict=True)}


def complete(
    http: httpx.Client, root: str, begun: dict[str, Any], tags: dict[int, str], path: str = "f.bin"
) -> httpx.Response:
    parts = [{"part_number": number, "etag": tag, "url": "x"} for number, tag in sorted(tags.items())]
    body = {"path": path, "upload_id": begun["upload_id"], "parts": parts}
    return http.post(f"{PROXY}/mpu/complete/{root}/folder", json=body)
