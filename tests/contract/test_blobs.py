"""Content by digest, in a local folder and on a server that speaks S3."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modelkeel.core.errors import Corrupt, NotFound
from modelkeel.core.hashing import sha256
from modelkeel.storage.blobs import CHUNK, BlobStore
from tests.conftest import s3_settings


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    if request.param == "local":
        return BlobStore.local(tmp_path / "blobs")
    for name, value in s3_settings(request.getfixturevalue("s3")).items():
        monkeypatch.setenv(name, value)
    return BlobStore.open(f"s3://keel/{tmp_path.name}")


async def _pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 7])
async def test_what_goes_in_comes_out(blobs: BlobStore, size: int):
    content = os.urandom(size)
    ref = await blobs.put(_pieces(content, 100_003))
    assert (ref.digest, ref.size) == (sha256(content), size)
    assert await blobs.stat(ref.digest) == ref
    assert await blobs.read(ref.digest) == content
    assert await blobs.put(content) == ref


async def test_what_is_not_there_is_not_found(blobs: BlobStore):
    assert not await blobs.has("0" * 64)
    with pytest.raises(NotFound):
        await blobs.read("0" * 64)
    with pytest.raises(NotFound):
        await blobs.read("../../etc/passwd")


async def test_a_damaged_chunk_never_leaves(tmp_path: Path):
    blobs = BlobStore.local(tmp_path)
    ref = await blobs.put(b"good" * 1000)
    path = tmp_path / "chunks" / ref.digest[:2] / ref.digest
    path.write_bytes(b"evil" * 1000)
    with pytest.raises(Corrupt):
        await blobs.read(ref.digest)


async def test_a_part_of_a_blob_is_read_alone(blobs: BlobStore):
    content = os.urandom(2 * CHUNK + 7)
    ref = await blobs.put(content)
    for start, stop in ((0, None), (3, 10), (CHUNK - 2, CHUNK + 2), (CHUNK, 2 * CHUNK), (2 * CHUNK + 6, None), (5, 5)):
        assert b"".join([piece async for piece in blobs.stream(ref.digest, start, stop)]) == content[start:stop]


async def test_what_nobody_wanted_for_a_while_is_removed_and_no_more(blobs: BlobStore):
    ref = await blobs.put(b"wanted " * 100)
    key = f"chunks/{ref.digest[:2]}/{ref.digest}"
    assert key in [stored.key async for batch in blobs.objects.everything("chunks") for stored in batch]
    assert await blobs.objects.remove([key, "chunks/00/nothing"], before=1) == []
    assert await blobs.keep(ref.digest)
    assert await blobs.objects.remove([key], before=1 << 50) == [key]
    assert not await blobs.keep(ref.digest)
    assert await blobs.put(b"wanted " * 100) == ref
    assert await blobs.read(ref.digest) == b"wanted " * 100


async def test_what_was_old_and_is_stored_again_counts_as_new(tmp_path: Path):
    blobs = BlobStore.local(tmp_path)
    ref = await blobs.put(b"old")
    path = tmp_path / "chunks" / ref.digest[:2] / ref.digest
    os.utime(path, (1, 1))
    await blobs.put(b"old")
    assert await blobs.objects.remove([f"chunks/{ref.digest[:2]}/{ref.digest}"], before=2000) == []
