"""Use cases of artifacts: files of a run or a logged model, in the blob store, each put recorded."""

from collections.abc import AsyncIterable, AsyncIterator

from modelkeel.core.access import Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound
from modelkeel.storage.holdings import hold
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
from modelkeel.tracking.rules import safe_path


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
        at = safe_path(path)
        await self._db.read(lambda tx: self._writable(tx, principal, owner, at))
        blob = await self._blobs.put(content)

        def work(tx: Tx) -> ArtifactFile:
            self._writable(tx, principal, owner, at)
            _no_clash(tx, owner, at)
            hold(tx, principal.workspace, [blob])
            if store.artifacts.put(tx, owner, at, blob):
                self._touch(tx, principal, owner)
                data = {"digest": blob.digest, "size": blob.size}
                self._ledger.record(tx, principal, "artifact.logged", {str(owner.kind): owner.id}, data, {"path": at})
            return ArtifactFile(at, blob.digest, blob.size)

        return await self._db.write(work)

    async def file(self, principal: Principal, owner: ArtifactOwner, path: str) -> ArtifactFile:
        """One file's digest and size.

        Raises:
            NotFound: no such owner, or no such file.
        """
        self._may_read(principal, "artifacts")
        at = safe_path(path)

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

    def stream(self, file: ArtifactFile) -> AsyncIterator[bytes]:
        """The content of a file that `file` or `files` gave, in verified chunks."""
        return self._blobs.stream(file.digest)

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
        at = safe_path(prefix, empty=True)

        def work(tx: Tx) -> list[ArtifactFile]:
            self._owned(tx, principal, owner)
            return store.artifacts.under(tx, owner, at)

        return await self._db.read(work)

    async def list_folder(self, principal: Principal, owner: ArtifactOwner, folder: str = "") -> list[ListedArtifact]:
        """The direct entries of a folder; none if it is a file or is not there."""
        at = safe_path(folder, empty=True)
        return children(await self.files(principal, owner, at), at)

    async def delete_files(self, principal: Principal, owner: ArtifactOwner, prefix: str) -> int:
        """Removes the files at or below a path; returns how many. Content goes when nothing refers to it."""
        self._may_track(principal, "artifacts")
        at = safe_path(prefix, empty=True)

        def work(tx: Tx) -> int:
            self._writable(tx, principal, owner, at)
            count = store.artifacts.delete(tx, owner, at)
            if count:
                self._touch(tx, principal, owner)
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
        at = safe_path(prefix, empty=True)
        return tree_of(_relative(await self.files(principal, owner, at), at))

    def _owned(self, tx: Tx, principal: Principal, owner: ArtifactOwner) -> None:
        if owner.kind is OwnerKind.RUN:
            if store.runs.find(tx, principal.workspace, owner.id) is None:
                raise NotFound(f"Run with id={owner.id} not found")
        elif store.logged_models.get(tx, principal.workspace, owner.id) is None:
            raise NotFound(f"Logged model with ID '{owner.id}' not found.")

    def _writable(self, tx: Tx, principal: Principal, owner: ArtifactOwner, path: str) -> None:
        if owner.kind is OwnerKind.RUN:
            self._writable_run(tx, principal, owner.id)
        else:
            model = store.logged_models.get(tx, principal.workspace, owner.id)
            if model is None:
                raise NotFound(f"Logged model with ID '{owner.id}' not found.")
            require_active(model.lifecycle, "logged model", owner.id)
            if model.status is ModelStatus.READY:
                raise Conflict(
                    f"The files of logged model {owner.id} can't change any more: it is ready.",
                    hint="Log another model.",
                )
        for frozen in store.artifacts.frozen(tx, owner):
            if _overlap(path, frozen.prefix):
                raise Conflict(
                    f"'{path or '/'}' can't change any more: a registered version points at it.",
                    hint="Log it under another path and register that as a new version.",
                )

    def _touch(self, tx: Tx, principal: Principal, owner: ArtifactOwner) -> None:
        if owner.kind is OwnerKind.RUN:
            self._wrote(tx, self._writable_run(tx, principal, owner.id))


def _overlap(one: str, other: str) -> bool:
    """Whether one path is, holds or lies below the other."""
    return not one or not other or one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _relative(files: list[ArtifactFile], prefix: str) -> list[ArtifactFile]:
    cut = len(prefix) + 1 if prefix else 0
    return [ArtifactFile(f.path[cut:] or f.path.rpartition("/")[2], f.digest, f.size) for f in files]


def _no_clash(tx: Tx, owner: ArtifactOwner, path: str) -> None:
    """A path can't be a file and a folder at once."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        if store.artifacts.get(tx, owner, "/".join(parts[:end])) is not None:
            raise InvalidInput(f"'{'/'.join(parts[:end])}' is a file, so '{path}' can't lie below it.")
    if any(file.path != path for file in store.artifacts.under(tx, owner, path)):
        raise InvalidInput(f"'{path}' is a folder.")
