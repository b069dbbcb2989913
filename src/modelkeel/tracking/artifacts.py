"""Use cases of artifacts: files of a run or a logged model, in the blob store, each put recorded."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from functools import partial
from typing import Any

from sqlalchemy import Row

from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from modelkeel.core.paths import clean
from modelkeel.storage.blobs import BlobRef
from modelkeel.storage.holdings import Condemned, hold
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import (
    ArtifactFile,
    ArtifactOwner,
    ArtifactTree,
    ListedArtifact,
    ModelStatus,
    OwnerKind,
    children,
    require_active,
    tree_of,
)

TRIES, PAUSE_SECONDS = 50, 0.1


class Artifacts(Base):
    """Trees of files."""

    async def put_file(
        self, principal: Principal, owner: ArtifactOwner, path: str, content: bytes | AsyncIterable[bytes]
    ) -> ArtifactFile:
        """Stores a file, streamed; durable on return. The same content again changes nothing.

        Raises:
            Conflict: the path lies in a tree that can't change any more.
        """
        self._may_track(principal, "artifacts")
        at = clean(path)
        if not isinstance(content, bytes):
            # Nothing that is refused anyway is received; what is in memory already is cheaper to store than to ask for.
            await self._db.read(lambda tx: self._writable(tx, principal, owner, at))
        for _ in range(TRIES):
            began = now_ms()
            small = self._blobs.waits(content)
            blob = small or await self._blobs.put(content)
            waits = content if small and isinstance(content, bytes) else None
            try:
                return await self._db.write(partial(self._put, principal, owner, at, blob, began, waits=waits))
            except Condemned:
                if not isinstance(content, bytes):
                    break
                await asyncio.sleep(PAUSE_SECONDS)
        raise Unavailable(f"Storage is being cleared of what '{at}' holds.", hint="Send it again in a second.")

    def _put(
        self,
        principal: Principal,
        owner: ArtifactOwner,
        at: str,
        blob: BlobRef,
        began: int,
        tx: Tx,
        *,
        waits: bytes | None = None,
    ) -> ArtifactFile:
        """Makes content, whose storing began at a time or which is to wait here, the file at a path."""
        row = self._writable(tx, principal, owner, at)
        other = store.artifacts.clash(tx, owner, at)
        if other is not None:
            raise InvalidInput(f"'{at}' and '{other}' can't both be: a path is a file or a folder.")
        hold(tx, principal.workspace, [blob], stored=began)
        if waits is not None and self._blobs.small is not None:
            self._blobs.small.add(tx, blob.digest, waits)
        there = store.artifacts.get(tx, owner, at)
        if there is None or there.digest != blob.digest:
            if there is not None:
                _require_free(tx, owner, row.experiment)
            store.artifacts.put(tx, owner, at, blob)
            if owner.kind is OwnerKind.RUN:
                self._wrote(tx, row)
            data = {"digest": blob.digest, "size": blob.size}
            self._ledger.record(tx, principal, "artifact.logged", {str(owner.kind): owner.id}, data, {"path": at})
        return ArtifactFile(at, blob.digest, blob.size)

    async def file(self, principal: Principal, owner: ArtifactOwner, path: str) -> ArtifactFile:
        """One file's digest and size.

        Raises:
            NotFound: no such owner, or no such file.
        """
        self._may_read(principal, "artifacts")
        at = clean(path)

        def work(tx: Tx) -> ArtifactFile:
            self._owned(tx, principal, owner)
            found = store.artifacts.get(tx, owner, at)
            if found is None:
                raise NotFound(f"No such artifact: '{at}'")
            return found

        return await self._db.read(work)

    async def open_file(self, principal: Principal, owner: ArtifactOwner, path: str) -> AsyncIterator[bytes]:
        """A file's content in verified chunks."""
        found = await self.file(principal, owner, path)
        return self._blobs.stream(found.digest)

    def stream(self, file: ArtifactFile, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """The content of a file that `file` or `files` gave, or a part of it, in verified chunks."""
        return self._blobs.stream(file.digest, start, stop)

    async def read_file(self, principal: Principal, owner: ArtifactOwner, path: str, limit: int = 10 << 20) -> bytes:
        """A small file's whole content.

        Raises:
            InvalidInput: it is larger than `limit` bytes.
        """
        found = await self.file(principal, owner, path)
        if found.size > limit:
            raise InvalidInput(f"{path} has {found.size} bytes, more than the {limit} that are read at once.")
        return await self._blobs.read(found.digest)

    async def files(self, principal: Principal, owner: ArtifactOwner, prefix: str = "") -> list[ArtifactFile]:
        """Every file at or below a path, with its path from the owner's root."""
        self._may_read(principal, "artifacts")
        at = clean(prefix, empty=True)

        def work(tx: Tx) -> list[ArtifactFile]:
            self._owned(tx, principal, owner)
            return store.artifacts.under(tx, owner, at)

        return await self._db.read(work)

    async def list_folder(self, principal: Principal, owner: ArtifactOwner, folder: str = "") -> list[ListedArtifact]:
        """The direct entries of a folder; none if it is a file or is not there."""
        at = clean(folder, empty=True)
        return children(await self.files(principal, owner, at), at)

    async def delete_files(self, principal: Principal, owner: ArtifactOwner, prefix: str) -> int:
        """Removes the files at or below a path; returns how many. Content goes when nothing refers to it."""
        self._may_track(principal, "artifacts")
        at = clean(prefix, empty=True)

        def work(tx: Tx) -> int:
            row = self._writable(tx, principal, owner, at)
            _require_free(tx, owner, row.experiment)
            count = store.artifacts.delete(tx, owner, at)
            if count:
                if owner.kind is OwnerKind.RUN:
                    self._wrote(tx, row)
                subject = {str(owner.kind): owner.id}
                self._ledger.record(tx, principal, "artifact.deleted", subject, {"files": count}, {"path": at})
            return count

        return await self._db.write(work)

    def freeze(self, tx: Tx, principal: Principal, owner: ArtifactOwner, prefix: str) -> ArtifactTree:
        """Makes a tree immutable in the caller's transaction and returns it, with paths below `prefix`.

        Raises:
            NotFound: no such owner.
            InvalidInput: there is no file at or below `prefix`.
        """
        self._owned(tx, principal, owner)
        found = _relative(store.artifacts.under(tx, owner, prefix), prefix)
        if not found:
            raise InvalidInput(
                f"There are no files at '{prefix or '/'}' of {owner.kind} {owner.id}.",
                hint="Log the model first, then register it.",
            )
        tree = tree_of(found)
        store.artifacts.freeze(tx, owner, prefix, tree.digest)
        return tree

    async def tree(self, principal: Principal, owner: ArtifactOwner, prefix: str) -> ArtifactTree:
        """The files below `prefix`, with paths from there, and the digest over them."""
        at = clean(prefix, empty=True)
        return tree_of(_relative(await self.files(principal, owner, at), at))

    def _owned(self, tx: Tx, principal: Principal, owner: ArtifactOwner) -> Row[Any]:
        """The owner's row.

        Raises:
            NotFound: no such owner in the workspace, or in the experiment named.
        """
        table = store.runs if owner.kind is OwnerKind.RUN else store.logged_models
        found: Row[Any] | None = table.find(tx, principal.workspace, owner.id)
        if found is None or not self._reads(principal, found.experiment):
            what = "Run with id=" if owner.kind is OwnerKind.RUN else "Logged model with ID "
            raise NotFound(f"{what}{owner.id} not found")
        if owner.experiment not in {"", found.experiment}:
            raise NotFound(f"{owner.kind} {owner.id} does not belong to experiment {owner.experiment[:40]}.")
        return found

    def _writable(self, tx: Tx, principal: Principal, owner: ArtifactOwner, path: str) -> Row[Any]:
        """The owner's row, if the path may be written."""
        found = self._owned(tx, principal, owner)
        self._require_track(principal, found.experiment, "artifacts")
        require_active(found.lifecycle, owner.kind.replace("_", " "), owner.id)
        if owner.kind is OwnerKind.MODEL and found.status == ModelStatus.READY:
            raise Conflict(
                f"The files of logged model {owner.id} can't change any more: it is ready.", hint="Log another model."
            )
        for frozen in store.artifacts.frozen(tx, owner):
            if overlap(path, frozen):
                raise Conflict(
                    f"'{path or '/'}' can't change any more: a registered version points at it.",
                    hint="Log it under another path and register that as a new version.",
                )
        return found


def _require_free(tx: Tx, owner: ArtifactOwner, experiment: str) -> None:
    """Content of what is under a legal hold is neither deleted nor replaced."""
    reason = store.holds.on(tx, owner.id, experiment)
    if reason is not None:
        raise Conflict(f"{owner.kind} {owner.id} is under a legal hold: {reason}", hint="Log it under another path.")


def overlap(one: str, other: str) -> bool:
    """Whether one path is, holds or lies below the other."""
    return not one or not other or one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _relative(files: list[ArtifactFile], prefix: str) -> list[ArtifactFile]:
    cut = len(prefix) + 1 if prefix else 0
    return [ArtifactFile(f.path[cut:] or f.path.rpartition("/")[2], f.digest, f.size) for f in files]
