"""Where blobs lie: named objects in a local folder, or in an object store through obstore.

Content is written once and never changed. What is found to be there already is marked as wanted again, so that the
collector, which goes by age, does not take it from under who is about to refer to it.
"""

import asyncio
import itertools
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import obstore
from obstore.store import ObjectStore

from modelkeel.core.hashing import sha256
from modelkeel.storage.home import sync_folder

R = TypeVar("R")
THREADS = 8
AT_ONCE = 32
"""Requests to an object store that are under way together."""
REFRESH = timedelta(minutes=10)
"""In an object store, marking means writing again; younger objects are left as they are."""


class Stored(msgspec.Struct, frozen=True):
    """An object: its key, its size in bytes, and when it was last written or wanted, in ms since 1970."""

    key: str
    size: int
    modified: int


class Objects(Protocol):
    """A place for objects by key."""

    async def write(self, key: str, content: bytes) -> None:
        """Stores an object, whole or not at all; durable on return."""

    async def ensure(self, key: str, content: bytes) -> None:
        """`write`, unless an object of that size is there: then it counts as new."""

    async def touch(self, key: str) -> bool:
        """Whether an object is there; if so, it counts as new."""

    async def size(self, key: str) -> int | None:
        """Its size in bytes, or None."""

    async def read(self, key: str) -> bytes:
        """Its content; FileNotFoundError if it is not there."""

    async def digest(self, content: bytes) -> str:
        """SHA-256, without holding up the event loop where the content is large."""

    def everything(self, prefix: str) -> AsyncIterator[Sequence[Stored]]:
        """All objects below a prefix, in batches."""

    async def remove(self, keys: Sequence[str], before: int) -> list[str]:
        """Removes those that nobody wanted since `before` (ms since 1970); returns which went."""

    async def call(self, work: Callable[[], R]) -> R:
        """Runs something that takes time in a thread."""


class _Threads:
    """Threads of our own, so that files wait for no other work."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "keel-blob")

    async def call(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def digest(self, content: bytes) -> str:
        return sha256(content) if len(content) < 1 << 16 else await self.call(lambda: sha256(content))


class LocalObjects(_Threads):
    """Files in a folder; keys are their paths in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._root = str(folder)
        self._known: set[str] = set()  # folders that are there, durably
        self._count = itertools.count()
        self._deciding = threading.Lock()  # a file is either wanted or removed

    async def write(self, key: str, content: bytes) -> None:
        await self.call(lambda: self._write(key, content))

    async def ensure(self, key: str, content: bytes) -> None:
        await self.call(lambda: self._ensure(key, content))

    async def touch(self, key: str) -> bool:
        return await self.call(lambda: self._want(key) is not None)

    async def size(self, key: str) -> int | None:
        try:
            return (await self.call((self._folder / key).stat)).st_size
        except FileNotFoundError:
            return None

    async def read(self, key: str) -> bytes:
        return await self.call((self._folder / key).read_bytes)

    async def everything(self, prefix: str) -> AsyncIterator[Sequence[Stored]]:
        for folder in await self.call(lambda: sorted(self._folders(prefix))):
            found = await self.call(lambda folder=folder: list(self._files(folder)))  # type: ignore[misc]
            if found:
                yield found

    async def remove(self, keys: Sequence[str], before: int) -> list[str]:
        return await self.call(lambda: [key for key in keys if self._remove(key, before)])

    def _ensure(self, key: str, content: bytes) -> None:
        if self._want(key) != len(content):
            self._write(key, content)

    def _write(self, key: str, content: bytes) -> None:
        path = f"{self._root}/{key}"
        parent = path.rpartition("/")[0]
        if parent not in self._known:
            self._make(Path(parent))
        scratch = f"{parent}/.{os.getpid()}.{next(self._count)}"
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except OSError:
            Path(scratch).unlink()
            raise
        finally:
            os.close(handle)
        os.replace(scratch, path)  # noqa: PTH105
        sync_folder(parent)

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for above in folder.relative_to(self._folder).parents:
            sync_folder(self._folder / above)
        self._known.add(str(folder))

    def _want(self, key: str) -> int | None:
        path = f"{self._root}/{key}"
        with self._deciding:
            try:
                stat = os.stat(path)  # noqa: PTH116 - on the path of each small file, where a Path costs as much as this
                os.utime(path)
            except FileNotFoundError:
                return None
        return stat.st_size

    def _folders(self, prefix: str) -> list[Path]:
        root = self._folder / prefix
        return [root, *(path for path in root.rglob("*") if path.is_dir())] if root.is_dir() else []

    def _files(self, folder: Path) -> list[Stored]:
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat()
                    key = Path(entry.path).relative_to(self._folder).as_posix()
                    found.append(Stored(key, stat.st_size, round(stat.st_mtime * 1000)))
        return found

    def _remove(self, key: str, before: int) -> bool:
        path = self._folder / key
        with self._deciding:
            try:
                if path.stat().st_mtime * 1000 >= before:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
        return True


class RemoteObjects(_Threads):
    """Objects in a bucket.

    Args:
        store: any store of obstore.
    """

    def __init__(self, store: ObjectStore) -> None:
        super().__init__()
        self.store = store

    async def write(self, key: str, content: bytes) -> None:
        await obstore.put_async(self.store, key, content)

    async def ensure(self, key: str, content: bytes) -> None:
        try:
            meta = await obstore.head_async(self.store, key)
        except FileNotFoundError:
            await self.write(key, content)
            return
        if meta["size"] != len(content) or datetime.now(UTC) - meta["last_modified"] >= REFRESH:
            await self.write(key, content)

    async def touch(self, key: str) -> bool:
        try:
            meta = await obstore.head_async(self.store, key)
            if datetime.now(UTC) - meta["last_modified"] >= REFRESH:
                await self.write(key, await self.read(key))
        except FileNotFoundError:
            return False
        return True

    async def size(self, key: str) -> int | None:
        try:
            return (await obstore.head_async(self.store, key))["size"]
        except FileNotFoundError:
            return None

    async def read(self, key: str) -> bytes:
        found = await obstore.get_async(self.store, key)
        return bytes(await found.bytes_async())

    async def everything(self, prefix: str) -> AsyncIterator[Sequence[Stored]]:
        async for batch in obstore.list(self.store, prefix, chunk_size=1000):
            yield [Stored(m["path"], m["size"], round(m["last_modified"].timestamp() * 1000)) for m in batch]

    async def remove(self, keys: Sequence[str], before: int) -> list[str]:
        gone: list[str] = []
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            went = await asyncio.gather(*(self._remove(key, before) for key in some))
            gone += [key for key, removed in zip(some, went, strict=True) if removed]
        return gone

    async def _remove(self, key: str, before: int) -> bool:
        try:
            meta = await obstore.head_async(self.store, key)
            if meta["last_modified"].timestamp() * 1000 >= before:
                return False
            await obstore.delete_async(self.store, key)
        except FileNotFoundError:
            return False
        return True
