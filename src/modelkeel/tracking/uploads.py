"""Use cases of files that come in parts, several at a time, and of addresses that stand for themselves.

In a local folder the parts come through the server; with an object store they go there directly, under `staging/`.
Either way the file is there once all of it has been hashed: then it is committed like any other.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Row

from modelkeel.core.access import Authorizer, Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import InvalidInput, NotFound, Unavailable
from modelkeel.core.hashing import sha256
from modelkeel.core.paths import clean
from modelkeel.ledger.service import Ledger
from modelkeel.storage.blobs import CHUNK, BlobRef, BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import Condemned
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.artifacts import PAUSE_SECONDS, TRIES, Artifacts
from modelkeel.tracking.models import ArtifactFile, ArtifactOwner
from modelkeel.tracking.tickets import Right, Ticket, seal, unseal

log = logging.getLogger(__name__)
MOST_PARTS = 10_000
PART_SECONDS = 3600 * 24
"""For how long parts may come; what is not a file by then is swept."""
FETCH_SECONDS = 300
SWEEP_SECONDS = 600.0
STAGING = "staging"
_LAST = re.compile(r"[^/\\]+$")


class PartAddress(msgspec.Struct, frozen=True):
    """Where a part goes: `url` of the object store, or a `ticket` for an address of this server."""

    number: int
    url: str
    ticket: str


class Begun(msgspec.Struct, frozen=True):
    """An upload that waits for its parts."""

    id: str
    parts: list[PartAddress]


class Uploads(Artifacts):
    """Files in parts."""

    def __init__(self, database: Database, ledger: Ledger, blobs: BlobStore, authorizer: Authorizer) -> None:
        super().__init__(database, ledger, blobs, authorizer)
        self._completing: dict[str, asyncio.Task[ArtifactFile | None]] = {}
        self._transfer_key: bytes | None = None

    @property
    def parts_pay(self) -> bool:
        """Whether clients are told to send large files in parts: where the parts need not come through this server."""
        return self._blobs.staged

    async def begin_upload(
        self, principal: Principal, owner: ArtifactOwner, folder: str, file: str, parts: int
    ) -> Begun:
        """Opens an upload, and says where each part goes.

        Args:
            principal: who sends it; nobody else completes or aborts it.
            owner: of the file.
            folder: in the owner's tree.
            file: the file's name, or its path where it comes from, of which the last part counts.
            parts: how many, 1 to 10,000.

        Raises:
            Conflict: the path lies in a tree that can't change any more.
        """
        self._may_track(principal, "artifacts")
        if not 1 <= parts <= MOST_PARTS:
            raise InvalidInput(f"An upload has 1 to {MOST_PARTS} parts, not {parts}.")
        path = _path(folder, file)
        identity = secrets.token_urlsafe(24)
        row = {
            "id": identity,
            "workspace": principal.workspace,
            "principal": principal.id,
            "kind": owner.kind,
            "owner": owner.id,
            "path": path,
            "parts": parts,
        }

        def work(tx: Tx) -> None:
            self._writable(tx, principal, owner, path)
            store.uploads.add(tx, row)

        await self._db.write(work)
        key, until = await self._key(), now_ms() + PART_SECONDS * 1000
        numbers = range(1, parts + 1)
        if self._blobs.staged:
            urls = await self._blobs.sign("PUT", [_staged(identity, number) for number in numbers], PART_SECONDS)
            return Begun(identity, [PartAddress(number, url, "") for number, url in zip(numbers, urls, strict=True)])
        tickets = [seal(key, Ticket(Right.PART, identity, number, "", until)) for number in numbers]
        return Begun(identity, [PartAddress(number, "", word) for number, word in zip(numbers, tickets, strict=True)])

    async def put_part(self, word: str, content: AsyncIterable[bytes]) -> str:
        """Takes a part by its ticket; durable on return. Sent again, it takes the place of the earlier one.

        Returns:
            Its tag, which completing names.

        Raises:
            PermissionDenied: the ticket is not good.
            NotFound: the upload has ended.
        """
        ticket = unseal(await self._key(), word, Right.PART, now_ms())
        await self._db.read(lambda tx: _open(tx, ticket.subject))
        chunks = await self._blobs.put_pieces(content)
        tag = sha256("".join(chunk.digest for chunk in chunks).encode())

        def work(tx: Tx) -> None:
            _open(tx, ticket.subject)
            store.uploads.put_part(tx, ticket.subject, ticket.number, tag, chunks)

        await self._db.write(work)
        return tag

    async def complete_upload(
        self, principal: Principal, owner: ArtifactOwner, folder: str, file: str, identity: str, tags: Mapping[int, str]
    ) -> ArtifactFile | None:
        """Makes the parts a file. Called again while it hashes, or afterwards, it waits and changes nothing more.

        Args:
            principal: who began it.
            owner: as it was begun.
            folder: as it was begun.
            file: as it was begun.
            identity: of the upload.
            tags: each part's number and the tag that it was answered with.

        Returns:
            The file; None if it was complete before.

        Raises:
            NotFound: no such upload of theirs.
            InvalidInput: parts are missing, or are not those that came.
        """
        self._may_track(principal, "artifacts")
        path = _path(folder, file)

        def work(tx: Tx) -> tuple[str, list[BlobRef]]:
            row = self._upload(tx, principal, owner, path, identity)
            if row.state == "done":
                return "done", []
            self._writable(tx, principal, owner, path)
            if sorted(tags) != list(range(1, row.parts + 1)):
                raise InvalidInput(f"The upload has {row.parts} parts; {len(tags)} were named.")
            chunks = [] if self._blobs.staged else _chosen(store.uploads.parts(tx, identity), tags)
            store.uploads.set_state(tx, identity, "completing")
            return "completing", chunks

        state, chunks = await self._db.write(work)
        if state == "done":
            return None
        task = self._completing.get(identity)
        if task is None:
            task = asyncio.create_task(self._finish(principal, owner, path, identity, chunks, tags))
            self._completing[identity] = task
            task.add_done_callback(lambda _: self._completing.pop(identity, None))
        return await asyncio.shield(task)

    async def abort_upload(
        self, principal: Principal, owner: ArtifactOwner, folder: str, file: str, identity: str
    ) -> None:
        """Drops an upload; of one that is a file by now, nothing changes.

        Raises:
            NotFound: no such upload of theirs.
        """
        self._may_track(principal, "artifacts")
        path = _path(folder, file)

        def work(tx: Tx) -> int:
            row = self._upload(tx, principal, owner, path, identity)
            if row.state == "done":
                return 0
            store.uploads.drop(tx, identity)
            return int(row.parts)

        await self._drop_staged(identity, await self._db.write(work))

    async def sweep_uploads(self, older_than: float = PART_SECONDS) -> int:
        """Drops uploads that were begun more than `older_than` seconds ago; returns how many were no file by then."""
        before = now_ms() - round(older_than * 1000)
        found = await self._db.read(lambda tx: list(store.uploads.older(tx, before)))
        for row in found:
            await self._db.write(lambda tx, row=row: store.uploads.drop(tx, row.id))  # type: ignore[misc]
            await self._drop_staged(row.id, row.parts)
        return sum(row.state != "done" for row in found)

    async def sweep_for_ever(self) -> None:
        """The worker."""
        while True:
            await self.sweep_uploads()
            await asyncio.sleep(SWEEP_SECONDS)

    async def fetch_ticket(self, principal: Principal, owner: ArtifactOwner, path: str) -> tuple[str, ArtifactFile]:
        """A ticket by which a file can be fetched for five minutes, and the file."""
        found = await self.file(principal, owner, path)
        name = found.path.rpartition("/")[2]
        until = now_ms() + FETCH_SECONDS * 1000
        return seal(await self._key(), Ticket(Right.FETCH, found.digest, found.size, name, until)), found

    async def ticket_file(self, word: str) -> ArtifactFile:
        """The file behind a ticket; its path is its name only.

        Raises:
            PermissionDenied: the ticket is not good.
        """
        ticket = unseal(await self._key(), word, Right.FETCH, now_ms())
        return ArtifactFile(ticket.name, ticket.subject, ticket.number)

    async def _finish(
        self,
        principal: Principal,
        owner: ArtifactOwner,
        path: str,
        identity: str,
        chunks: list[BlobRef],
        tags: Mapping[int, str],
    ) -> ArtifactFile:
        def work(blob: BlobRef, began: int, tx: Tx) -> ArtifactFile:
            row = store.uploads.find(tx, identity)
            if row is None:
                raise NotFound("The upload was aborted meanwhile.", hint="Begin a new one.")
            file = self._put(principal, owner, path, blob, began, tx)
            store.uploads.set_state(tx, identity, "done")
            store.uploads.drop_parts(tx, identity)
            return file

        for _ in range(TRIES):
            began = now_ms()
            if self._blobs.staged:
                blob = await self._blobs.put(self._staged_content(identity, len(tags)))
            else:
                blob = await self._assembled(chunks)
            try:
                file = await self._db.write(partial(work, blob, began))
            except Condemned:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            await self._drop_staged(identity, len(tags))
            return file
        raise Unavailable(f"Storage is being cleared of what '{path}' holds.", hint="Complete it again in a second.")

    async def _assembled(self, chunks: list[BlobRef]) -> BlobRef:
        """Parts that came here are stored as chunks already; only the whole is to be hashed."""
        if len(chunks) == 1:
            return chunks[0]
        if sum(chunk.size for chunk in chunks) <= CHUNK:
            return await self._blobs.put(b"".join([await self._blobs.read(chunk.digest) for chunk in chunks]))
        return await self._blobs.join(chunks, await self._blobs.digest_of(chunks))

    async def _staged_content(self, identity: str, parts: int) -> AsyncIterator[bytes]:
        for number in range(1, parts + 1):
            try:
                async for piece in self._blobs.staged_object(_staged(identity, number)):
                    yield piece
            except FileNotFoundError:
                raise InvalidInput(f"Part {number} has not come.", hint="Send it, then complete again.") from None

    async def _drop_staged(self, identity: str, parts: int) -> None:
        if self._blobs.staged:
            names = [_staged(identity, number) for number in range(1, parts + 1)]
            await self._blobs.objects.remove(names, before=now_ms() + PART_SECONDS * 1000)

    async def _key(self) -> bytes:
        """By which tickets are signed: the same for every server of the database."""
        if self._transfer_key is None:
            self._transfer_key = await self._db.read(store.uploads.key)
        if self._transfer_key is None:
            made = secrets.token_bytes(32)
            await self._db.write(lambda tx: store.uploads.set_key(tx, made))
            self._transfer_key = await self._db.read(store.uploads.key)
        return self._transfer_key or b""

    def _upload(self, tx: Tx, principal: Principal, owner: ArtifactOwner, path: str, identity: str) -> Row[Any]:
        self._owned(tx, principal, owner)
        row = store.uploads.find(tx, identity)
        mine = row is not None and (row.workspace, row.principal) == (principal.workspace, principal.id)
        if row is None or not mine or (row.owner, row.path) != (owner.id, path):
            raise NotFound("There is no such upload.", hint="It was completed or aborted long ago, or is another's.")
        return row


def _path(folder: str, file: str) -> str:
    last = _LAST.search(file)
    if last is None:
        raise InvalidInput(f"{file[:200]!r} is no file's name.")
    return clean(f"{folder}/{last[0]}" if folder else last[0])


def _staged(identity: str, number: int) -> str:
    return f"{STAGING}/{identity}/{number}"


def _open(tx: Tx, identity: str) -> None:
    row = store.uploads.find(tx, identity)
    if row is None or row.state != "open":
        raise NotFound("The upload has ended.", hint="Begin a new one.")


def _chosen(came: Mapping[int, tuple[str, list[BlobRef]]], tags: Mapping[int, str]) -> list[BlobRef]:
    chunks = []
    for number, tag in sorted(tags.items()):
        if number not in came or came[number][0] != tag.strip('"'):
            raise InvalidInput(f"Part {number} has not come, or is another than named.", hint="Send it again.")
        chunks += came[number][1]
    return chunks
