"""Small content waits in the database, then moves; a reader finds it at every moment."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modelkeel.core.hashing import sha256
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.small import LARGEST

CONTENT = b"small"


@pytest.fixture
def blobs(database: Database, tmp_path: Path) -> BlobStore:
    return BlobStore.local(tmp_path / "blobs").with_small(database)


async def stored(blobs: BlobStore, database: Database, content: bytes) -> str:
    ref, small = blobs.waits(content), blobs.small
    assert ref is not None
    assert small is not None
    assert (ref.digest, ref.size) == (sha256(content), len(content))
    await database.write(lambda tx: small.add(tx, ref.digest, content))
    return ref.digest


async def test_what_waits_is_read_like_any_blob_and_is_no_object_yet(blobs: BlobStore, database: Database) -> None:
    digest = await stored(blobs, database, CONTENT)
    assert await blobs.objects.size(f"chunks/{digest[:2]}/{digest}") is None
    assert await blobs.read(digest) == CONTENT
    assert (await blobs.stat(digest)).size == len(CONTENT)
    assert await blobs.keep(digest)
    assert [piece async for piece in blobs.stream(digest, 1, 3)] == [CONTENT[1:3]]


async def test_what_moved_is_an_object_and_waits_no_more(blobs: BlobStore, database: Database) -> None:
    digests = [await stored(blobs, database, b"%d" % n) for n in range(300)]
    assert blobs.small is not None
    assert await blobs.small.move(60_000) == 0, "nothing has waited so long"
    await blobs.small.move_all()
    for n, digest in enumerate(digests):
        assert await blobs.small.get(digest) is None
        assert await blobs.read(digest) == b"%d" % n
        assert await blobs.objects.size(f"chunks/{digest[:2]}/{digest}") == len(b"%d" % n)


async def test_readers_find_it_while_it_moves(blobs: BlobStore, database: Database) -> None:
    digests = [await stored(blobs, database, b"%d" % n) for n in range(200)]
    assert blobs.small is not None
    moving = asyncio.create_task(blobs.small.move_all())
    rounds = 0
    while rounds == 0 or not moving.done():
        assert await asyncio.gather(*map(blobs.read, digests)) == [b"%d" % n for n in range(200)]
        assert [(await blobs.stat(digest)).size for digest in digests] == [len(b"%d" % n) for n in range(200)]
        rounds += 1
    await moving


async def test_what_waits_twice_is_one(blobs: BlobStore, database: Database) -> None:
    digest = await stored(blobs, database, CONTENT)
    assert await stored(blobs, database, CONTENT) == digest
    assert blobs.small is not None
    assert await blobs.small.move(0) == 1


def test_longer_content_and_streams_do_not_wait(blobs: BlobStore) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield CONTENT

    assert blobs.waits(b"x" * (LARGEST + 1)) is None
    assert blobs.waits(stream()) is None
    assert blobs.waits(b"x" * LARGEST) is not None


async def test_a_store_without_a_database_has_nothing_waiting(tmp_path: Path) -> None:
    blobs = BlobStore.local(tmp_path)
    assert blobs.waits(CONTENT) is None
    assert not await blobs.has(sha256(CONTENT))
