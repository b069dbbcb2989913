"""Content by SHA-256, in a local folder or an object store, through obstore.

A blob is named by the digest of its whole content. Up to 4 MiB it is one object, `chunks/ab/abcd…`; a
longer one is a list of such chunks, `lists/ab/abcd…`. Each chunk is checked before its first byte leaves.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path

import msgspec
import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from modelkeel.core.errors import Corrupt, InvalidInput, NotFound
from modelkeel.core.hashing import is_digest, sha256
from modelkeel.storage.home import sync_folder

CHUNK = 4 << 20
REMOTE = ("s3", "gs", "az")


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
        store: any obstore store.
        folder: the folder behind a local store, so that a write can be made durable there.
    """

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def local(cls, folder: Path) -> "BlobStore":
        """A store in a local folder."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(LocalStore(str(folder), mkdir=True), folder)

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
        return cls(from_url(url, client_options={"allow_http": True}) if plain else from_url(url))

    async def put(self, content: bytes | AsyncIterable[bytes], *, repair: bool = False) -> BlobRef:
        """Stores content; durable on return. Content that is there already is not written again.

        Args:
            content: whole or in pieces.
            repair: whether to write it even so, because what is there is damaged.
        """
        whole = hashlib.sha256()
        chunks: list[BlobRef] = []
        async for chunk in _rechunk(content):
            whole.update(chunk)
            chunks.append(await self._put_chunk(chunk, repair=repair))
        digest, size = whole.hexdigest(), sum(chunk.size for chunk in chunks)
        if len(chunks) > 1:
            await self._write(_key("lists", digest), msgspec.json.encode(_ChunkList(size, chunks)))
        return BlobRef(digest, size)

    async def stat(self, digest: str) -> BlobRef:
        """The blob's size.

        Raises:
            NotFound: there is no such blob.
        """
        try:
            meta = await obstore.head_async(self._store, _key("chunks", digest))
        except FileNotFoundError:
            return BlobRef(digest, (await self._list(digest)).size)
        return BlobRef(digest, meta["size"])

    async def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        try:
            await self.stat(digest)
        except NotFound:
            return False
        return True

    async def read(self, digest: str) -> bytes:
        """The whole content, verified.

        Raises:
            NotFound: there is no such blob.
            Corrupt: what is stored is not what was written.
        """
        return b"".join([chunk async for chunk in self.stream(digest)])

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        """The content in verified chunks of at most 4 MiB."""
        try:
            yield await self._get_chunk(digest)
        except FileNotFoundError:
            for chunk in (await self._list(digest)).chunks:
                try:
                    yield await self._get_chunk(chunk.digest)
                except FileNotFoundError:
                    raise Corrupt(f"A chunk of blob {digest} is missing.") from None

    async def _list(self, digest: str) -> _ChunkList:
        try:
            found = await obstore.get_async(self._store, _key("lists", digest))
        except FileNotFoundError:
            raise NotFound(f"There is no blob {digest}.") from None
        return msgspec.json.decode(bytes(await found.bytes_async()), type=_ChunkList)

    async def _put_chunk(self, chunk: bytes, *, repair: bool) -> BlobRef:
        digest = sha256(chunk)
        key = _key("chunks", digest)
        try:
            meta = await obstore.head_async(self._store, key)
            present = meta["size"] == len(chunk) and not repair
        except FileNotFoundError:
            present = False
        if not present:
            await self._write(key, chunk)
        return BlobRef(digest, len(chunk))

    async def _get_chunk(self, digest: str) -> bytes:
        found = await obstore.get_async(self._store, _key("chunks", digest))
        content = bytes(await found.bytes_async())
        if sha256(content) != digest:
            raise Corrupt(f"Blob chunk {digest} does not match its digest.", hint="Restore it from a backup.")
        return content

    async def _write(self, key: str, content: bytes) -> None:
        await obstore.put_async(self._store, key, content)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / key)


async def _rechunk(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(content, bytes):
        for start in range(0, max(len(content), 1), CHUNK):
            yield content[start : start + CHUNK]
        return
    held = bytearray()
    empty = True
    async for piece in content:
        held += piece
        while len(held) >= CHUNK:
            yield bytes(held[:CHUNK])
            del held[:CHUNK]
            empty = False
    if held or empty:
        yield bytes(held)


def _key(kind: str, digest: str) -> str:
    if not is_digest(digest):
        raise NotFound(f"{digest[:80]!r} is not a blob's name.", hint="It is 64 hexadecimal digits.")
    return f"{kind}/{digest[:2]}/{digest}"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)
    sync_folder(path.parent.parent)
