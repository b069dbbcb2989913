"""Content by SHA-256, in a local folder or an object store.

A blob is named by the digest of its whole content. Up to 4 MiB it is one object, `chunks/ab/abcd…`; a longer one is a
list of such chunks, `lists/ab/abcd…`. Each chunk is checked before its first byte leaves.
"""

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import obstore
from obstore.store import from_url

from modelkeel.core.errors import Corrupt, InvalidInput, NotFound
from modelkeel.core.hashing import is_digest, sha256
from modelkeel.storage.database import Database
from modelkeel.storage.objects import LocalObjects, Objects, RemoteObjects
from modelkeel.storage.small import LARGEST, SmallBlobs

CHUNK = 4 << 20
REMOTE = ("s3", "gs", "az")
IN_FLIGHT = 4
"""Chunks of one upload that are written at the same time."""


class BlobRef(msgspec.Struct, frozen=True):
    """A blob's name and its size in bytes."""

    digest: str
    size: int


class _ChunkList(msgspec.Struct, frozen=True):
    size: int
    chunks: list[BlobRef]


class BlobStore:
    """Write once, verified on read.

    Args:
        objects: where they lie.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.small: SmallBlobs | None = None
        self._uploads: list[set[str]] = []

    @property
    def under_way(self) -> set[str]:
        """Digests of chunks of uploads that have not ended; the collector leaves these alone however old they are."""
        return set().union(*self._uploads)

    def with_small(self, database: Database) -> "BlobStore":
        """The same store, in which small content may wait in a database."""
        self.small = SmallBlobs(database, self.objects)
        return self

    def waits(self, content: bytes | AsyncIterable[bytes]) -> BlobRef | None:
        """What content will be named if it is so small that `add` may store it; None for all else."""
        if self.small is None or not isinstance(content, bytes) or len(content) > LARGEST:
            return None
        return BlobRef(sha256(content), len(content))

    @classmethod
    def local(cls, folder: Path) -> "BlobStore":
        """A store in a local folder."""
        return cls(LocalObjects(folder))

    @classmethod
    def open(cls, url: str) -> "BlobStore":
        """A store at `s3://…`, `gs://…` or `az://…`; keys and endpoint as the provider's environment variables say.

        Raises:
            InvalidInput: the address is malformed or of another kind.
        """
        if url.split("://", 1)[0] not in REMOTE:
            known = ", ".join(f"{kind}://" for kind in REMOTE)
            raise InvalidInput(f"{url!r} is no object store.", hint=f"Use one of {known}.")
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        return cls(
            RemoteObjects(from_url(url, client_options={"allow_http": True}) if plain else from_url(url)),
        )

    async def put(self, content: bytes | AsyncIterable[bytes], *, repair: bool = False) -> BlobRef:
        """Stores content; durable on return. Content that is there already is not written again.

        Args:
            content: whole or in pieces; however long it is, a few chunks of it are in memory.
            repair: whether to write it even so, because what is there is damaged.
        """
        if isinstance(content, bytes) and len(content) <= CHUNK:
            return await self._put_chunk(content, repair=repair)
        whole, mine = hashlib.sha256(), set[str]()
        self._uploads.append(mine)
        try:
            chunks = await self._store(content, whole, mine, repair=repair)
            return await self.join(chunks, whole.hexdigest()) if len(chunks) > 1 else chunks[0]
        finally:
            self._uploads = [upload for upload in self._uploads if upload is not mine]

    async def put_pieces(self, content: bytes | AsyncIterable[bytes]) -> list[BlobRef]:
        """Stores content as chunks that no list names yet, for `join`."""
        return await self._store(content, None, set(), repair=False)

    async def join(self, chunks: Sequence[BlobRef], digest: str) -> BlobRef:
        """Makes stored chunks one blob.

        Args:
            chunks: two or more, in order.
            digest: of the whole content.
        """
        size = sum(chunk.size for chunk in chunks)
        await self.objects.write(_key("lists", digest), msgspec.json.encode(_ChunkList(size, list(chunks))))
        return BlobRef(digest, size)

    async def digest_of(self, chunks: Sequence[BlobRef]) -> str:
        """The digest of stored chunks as one content. Their own are not compared: whoever reads them will."""
        whole = hashlib.sha256()
        for chunk in chunks:
            content = await self._read_chunk(chunk.digest)
            await self.objects.call(lambda content=content: whole.update(content))  # type: ignore[misc]
        return whole.hexdigest()

    async def stat(self, digest: str) -> BlobRef:
        """The blob's size.

        Raises:
            NotFound: there is no such blob.
        """
        key = _key("chunks", digest)
        size = await self.objects.size(key)
        if size is None and self.small is not None:
            waiting = await self.small.get(digest)
            size = await self.objects.size(key) if waiting is None else len(waiting)  # it may have moved between
        return BlobRef(digest, (await self._list(digest)).size if size is None else size)

    async def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        try:
            await self.stat(digest)
        except NotFound:
            return False
        return True

    async def keep(self, digest: str) -> bool:
        """Whether the blob is there, whole; if so, it counts as new, so whoever asks may refer to it for a while."""
        key = _key("chunks", digest)
        if await self.objects.touch(key):
            return True
        if self.small is not None and (await self.small.get(digest) is not None or await self.objects.touch(key)):
            return True
        try:
            parts = (await self._list(digest)).chunks
        except NotFound:
            return False
        keys = [_key("lists", digest), *(_key("chunks", part.digest) for part in parts)]
        return all([await self.objects.touch(key) for key in keys])

    async def parts(self, digest: str) -> list[str]:
        """Digests of the chunks of a blob that is longer than one; none for any other.

        Raises:
            Corrupt: the list can't be read.
        """
        try:
            return [chunk.digest for chunk in (await self._list(digest)).chunks]
        except NotFound:
            return []
        except msgspec.MsgspecError as error:
            raise Corrupt(f"The list of chunks of blob {digest} can't be read.") from error

    async def read(self, digest: str) -> bytes:
        """The whole content, verified.

        Raises:
            NotFound: there is no such blob.
            Corrupt: what is stored is not what was written.
        """
        return b"".join([chunk async for chunk in self.stream(digest)])

    async def stream(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """The content in verified pieces of at most 4 MiB; only the chunks that are needed are read.

        Args:
            digest: the blob's name.
            start: first byte.
            stop: byte after the last; none: to the end.
        """
        try:
            content = await self._get_chunk(digest)
        except FileNotFoundError:
            pass
        else:
            yield content[start:stop] if start or stop is not None else content
            return
        async for piece in self.stream_chunks((await self._list(digest)).chunks, start, stop):
            yield piece

    async def stream_chunks(
        self, chunks: Sequence[BlobRef], start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The content of stored chunks, one after the other, verified; one is read while another is used.

        Args:
            chunks: in order.
            start: first byte.
            stop: byte after the last; none: to the end.

        Raises:
            Corrupt: one of them is missing, or is not what was written.
        """
        waiting: deque[tuple[asyncio.Task[bytes], slice]] = deque()
        try:
            for chunk, part in _needed(chunks, start, stop):
                waiting.append((asyncio.create_task(self._get_chunk(chunk.digest)), part))
                if len(waiting) > 1:
                    yield await _piece(*waiting.popleft())
            while waiting:
                yield await _piece(*waiting.popleft())
        finally:
            for task, _ in waiting:
                task.cancel()

    @property
    def staged(self) -> bool:
        """Whether strangers send content to the object store directly, to be hashed afterwards."""
        return isinstance(self.objects, RemoteObjects)

    async def staged_object(self, key: str) -> AsyncIterator[bytes]:
        """What was sent there, in pieces, not verified: nobody knows its digest yet.

        Raises:
            FileNotFoundError: nothing was.
        """
        if isinstance(self.objects, RemoteObjects):
            found = await obstore.get_async(self.objects.store, key)
            async for piece in found.stream(min_chunk_size=1 << 20):
                yield bytes(piece)

    async def sign(self, method: str, keys: Sequence[str], seconds: int) -> list[str]:
        """Addresses by which a stranger may send or fetch objects of the bucket; none for a local folder."""
        if not isinstance(self.objects, RemoteObjects):
            return []
        return await obstore.sign_async(self.objects.store, method, list(keys), timedelta(seconds=seconds))  # type: ignore[call-overload,no-any-return]

    async def _store(
        self, content: bytes | AsyncIterable[bytes], whole: "hashlib._Hash | None", mine: set[str], *, repair: bool
    ) -> list[BlobRef]:
        stored: list[BlobRef] = []
        writing: deque[asyncio.Task[BlobRef]] = deque()
        hashing: asyncio.Task[None] | None = None
        try:
            async for chunk in _rechunk(content):
                if hashing is not None:
                    await hashing
                if whole is not None:
                    hashing = asyncio.create_task(self.objects.call(lambda chunk=chunk: whole.update(chunk)))  # type: ignore[misc]
                writing.append(asyncio.create_task(self._put_chunk(chunk, repair=repair)))
                if len(writing) >= IN_FLIGHT:
                    stored.append(await writing.popleft())
                    mine.add(stored[-1].digest)
            if hashing is not None:
                await hashing
            while writing:
                stored.append(await writing.popleft())
        finally:
            await asyncio.gather(*writing, *([hashing] if hashing else []), return_exceptions=True)
        return stored

    async def _list(self, digest: str) -> _ChunkList:
        try:
            found = await self.objects.read(_key("lists", digest))
        except FileNotFoundError:
            raise NotFound(f"There is no blob {digest}.") from None
        return msgspec.json.decode(found, type=_ChunkList)

    async def _put_chunk(self, chunk: bytes, *, repair: bool) -> BlobRef:
        digest = await self.objects.digest(chunk)
        key = _key("chunks", digest)
        await (self.objects.write if repair else self.objects.ensure)(key, chunk)
        return BlobRef(digest, len(chunk))

    async def _read_chunk(self, digest: str) -> bytes:
        key = _key("chunks", digest)
        try:
            return await self.objects.read(key)
        except FileNotFoundError:
            if self.small is None:
                raise
        waiting = await self.small.get(digest)
        return await self.objects.read(key) if waiting is None else waiting  # it may have moved between

    async def _get_chunk(self, digest: str) -> bytes:
        content = await self._read_chunk(digest)
        if await self.objects.digest(content) != digest:
            raise Corrupt(f"Blob chunk {digest} does not match its digest.", hint="Restore it from a backup.")
        return content


async def _piece(task: asyncio.Task[bytes], part: slice) -> bytes:
    try:
        content = await task
    except FileNotFoundError:
        raise Corrupt("A chunk of a blob is missing.", hint="Restore it from a backup.") from None
    return content if part == slice(0, len(content)) else content[part]


def _needed(chunks: Sequence[BlobRef], start: int, stop: int | None) -> list[tuple[BlobRef, slice]]:
    """The chunks that hold the bytes from `start` to `stop`, each with the part that is wanted."""
    found, at = [], 0
    for chunk in chunks:
        first = max(start - at, 0)
        last = chunk.size if stop is None else min(stop - at, chunk.size)
        if first < last:
            found.append((chunk, slice(first, last)))
        at += chunk.size
    return found


async def _rechunk(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, max(len(content), 1), CHUNK):
            yield content[start : start + CHUNK]
        return
    held: list[bytes] = []
    size = 0
    empty = True
    async for piece in content:
        held.append(piece)
        size += len(piece)
        while size >= CHUNK:
            joined = b"".join(held)
            yield joined[:CHUNK]
            held, size, empty = [joined[CHUNK:]], size - CHUNK, False
    if size or empty:
        yield b"".join(held)


def _key(kind: str, digest: str) -> str:
    if not is_digest(digest):
        raise NotFound(f"{digest[:80]!r} is not a blob's name.", hint="It is 64 hexadecimal digits.")
    return f"{kind}/{digest[:2]}/{digest}"
