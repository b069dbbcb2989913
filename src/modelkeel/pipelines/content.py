"""Blobs of a workspace: snapshots, locks and step results, by digest."""

from collections.abc import AsyncGenerator, AsyncIterable

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import NotFound, Unavailable
from modelkeel.storage.blobs import BlobRef, BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import Condemned, held, hold
from modelkeel.wire.pipelines import Blob


class Content:
    """What workspaces hold. Content is shared underneath; who does not hold it can't ask for it.

    Args:
        database: knows who holds what.
        blobs: has the content.
        authorizer: decides who may store and read.
    """

    def __init__(self, database: Database, blobs: BlobStore, authorizer: Authorizer) -> None:
        self._db = database
        self._blobs = blobs
        self._authorizer = authorizer

    async def put(self, principal: Principal, content: AsyncIterable[bytes], *, repair: bool = False) -> Blob:
        """Stores content; the workspace holds it from then on.

        Args:
            principal: who stores it.
            content: in pieces.
            repair: whether to write it again where what is stored under its name is damaged.
        """
        self._authorizer.require(principal, Permission.TRACK, what="blobs")
        began = now_ms()
        ref = await self._blobs.put(content, repair=repair)
        try:
            await self._db.write(lambda tx: hold(tx, principal.workspace, [ref], stored=began))
        except Condemned as error:
            raise Unavailable("Storage is being cleared of this content.", hint="Send it again in a second.") from error
        return Blob(ref.digest, ref.size)

    async def find(self, principal: Principal, digest: str) -> BlobRef:
        """Content that the workspace holds.

        Raises:
            NotFound: it does not, or the content is gone.
        """
        self._authorizer.require(principal, Permission.READ, what="blobs")
        found = await self._db.read(lambda tx: held(tx, principal.workspace, [digest]))
        if digest not in found:
            raise NotFound(f"This workspace holds no blob {digest[:64]}.")
        return await self._blobs.stat(digest)

    def stream(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """What `find` found, or a part of it, in verified chunks."""
        return self._blobs.stream(digest, start, stop)

    async def held(self, principal: Principal, digests: list[str]) -> list[str]:
        """Those of `digests` that the workspace holds and the store has; they stay for who refers to them soon."""
        self._authorizer.require(principal, Permission.READ, what="blobs")
        found = await self._db.read(lambda tx: held(tx, principal.workspace, digests))
        return [digest for digest in digests if digest in found and await self._blobs.keep(digest)]
