"""Ranges of files over HTTP, verified chunk by chunk."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from modelkeel.core.hashing import sha256
from modelkeel.storage.blobs import CHUNK
from tests.conftest import Server

CONTENT = os.urandom(2 * CHUNK + 1000)
ETAG = f'"{sha256(CONTENT)}"'


@pytest.fixture(scope="module")
def file(shared_server: Server) -> Iterator[tuple[httpx.Client, str]]:
    """A client, and the address of a file of three chunks."""
    with shared_server.client() as client:
        run = client.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
        address = f"/api/2.0/mlflow-artifacts/artifacts/{run['experiment_id']}/{run['run_id']}/artifacts/a/big.bin"
        client.put(address, content=CONTENT).raise_for_status()
        client.put(address.replace("big", "empty"), content=b"").raise_for_status()
        yield client, address


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        (f"bytes={CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK + 1),
        (f"bytes={CHUNK}-{2 * CHUNK - 1}", CHUNK, 2 * CHUNK),
        ("bytes=100-", 100, len(CONTENT)),
        ("bytes=-7", len(CONTENT) - 7, len(CONTENT)),
        ("bytes=-999999999999", 0, len(CONTENT)),
        ("Bytes=10-999999999999999999999999", 10, len(CONTENT)),
    ],
)
def test_one_range_is_sent_alone(file: tuple[httpx.Client, str], asked: str, start: int, stop: int):
    client, address = file
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(stop - start)
    assert answer.headers["etag"] == ETAG


@pytest.mark.parametrize(
    "asked", [f"bytes={len(CONTENT)}-", "bytes=-0", f"bytes={len(CONTENT) + 5}-{len(CONTENT) + 9}"]
)
def test_what_lies_outside_is_416(file: tuple[httpx.Client, str], asked: str):
    client, address = file
    answer = client.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    assert answer.content == b""


@pytest.mark.parametrize("asked", ["", "bytes=", "bytes=-", "bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b"])
def test_what_is_no_single_range_gets_the_whole_file(file: tuple[httpx.Client, str], asked: str):
    client, address = file
    answer = client.get(address, headers={"Range": asked})
    assert (answer.status_code, answer.content == CONTENT) == (200, True)


def test_a_part_belongs_to_the_rest_or_the_whole_is_sent(file: tuple[httpx.Client, str]):
    client, address = file
    part = {"Range": "bytes=1-3"}
    assert client.get(address, headers={**part, "If-Range": ETAG}).content == CONTENT[1:4]
    for stale in ('"somethingelse"', f"W/{ETAG}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert client.get(address, headers={**part, "If-Range": stale}).status_code == 200
    known = client.get(address, headers={"If-None-Match": f'"x", {ETAG}'})
    assert (known.status_code, known.content) == (304, b"")


def test_head_tells_without_sending(file: tuple[httpx.Client, str]):
    client, address = file
    whole = client.head(address)
    assert (whole.status_code, whole.content) == (200, b"")
    assert whole.headers["content-length"] == str(len(CONTENT))
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.head(address, headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")
    empty = client.get(address.replace("big", "empty"))
    assert (empty.status_code, empty.content, empty.headers["content-length"]) == (200, b"", "0")
    assert client.get(address.replace("big", "empty"), headers={"Range": "bytes=0-"}).status_code == 416


def test_our_own_addresses_do_the_same(file: tuple[httpx.Client, str]):
    client, address = file
    run = address.split("/")[6]
    answer = client.get(f"/api/v1/runs/{run}/artifacts/a/big.bin", headers={"Range": "bytes=-5"})
    assert (answer.status_code, answer.content) == (206, CONTENT[-5:])


def test_only_the_chunks_that_are_needed_are_read_and_each_is_checked(
    file: tuple[httpx.Client, str], shared_server: Server
):
    client, address = file
    digest = sha256(CONTENT[CHUNK : 2 * CHUNK])
    place = shared_server.home / "blobs" / "chunks" / digest[:2] / digest
    sound = place.read_bytes()
    place.write_bytes(b"evil" + sound[4:])
    try:
        assert client.get(address, headers={"Range": f"bytes=0-{CHUNK - 1}"}).content == CONTENT[:CHUNK]
        assert client.get(address, headers={"Range": "bytes=-1000"}).content == CONTENT[-1000:]
        hurt = client.get(address, headers={"Range": f"bytes={CHUNK}-{CHUNK + 9}"})
        assert hurt.status_code == 500
        assert b"evil" not in hurt.content
    finally:
        place.write_bytes(sound)


def test_blobs_do_the_same(file: tuple[httpx.Client, str]):
    client, _ = file
    digest = client.put("/api/v1/blobs", content=CONTENT).json()["digest"]
    assert client.get(f"/api/v1/blobs/{digest}").content == CONTENT
    part = client.get(f"/api/v1/blobs/{digest}", headers={"Range": "bytes=-5", "If-Range": ETAG})
    assert (part.status_code, part.content) == (206, CONTENT[-5:])
    assert client.get(f"/api/v1/blobs/{'0' * 64}").status_code == 404


def test_memory_stays_flat_however_long_a_file_is(file: tuple[httpx.Client, str], shared_server: Server):
    client, address = file
    status = Path(f"/proc/{shared_server.process.pid}/status")
    if not status.exists():
        pytest.skip("there is no /proc here")
    piece = os.urandom(1 << 20)

    def resident() -> int:
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])

    client.put(address.replace("big", "warm"), content=(piece for _ in range(40))).raise_for_status()
    before = resident()
    client.put(address.replace("big", "long"), content=(piece for _ in range(300))).raise_for_status()
    with client.stream("GET", address.replace("big", "long")) as answer:
        assert sum(len(part) for part in answer.iter_raw()) == 300 << 20
    assert resident() - before < 100_000, "kilobytes, a third of the file"
