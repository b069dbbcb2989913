"""Small content waits in the database until there is time to give it an object of its own.

A file of its own costs two flushes to disk beside the commit that names it, and an object in a bucket a round trip.
Content that is stored in that very commit costs neither, and is as durable. A few seconds later it is moved to where
all content lies. Readers look there first, then here.
"""

import asyncio

import sqlalchemy as sa

from modelkeel.storage.database import Database
from modelkeel.storage.objects import Objects
from modelkeel.storage.prepared import Prepared
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

LARGEST = 16 << 10
"""Bytes of the longest content that waits; the database would grow by what is longer."""
SETTLED_MS = 10_000
BATCH = 256
AT_ONCE = 4
PAUSE_SECONDS = 2.0

small_blob = sa.Table(
    "small_blob",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False, index=True),
)
_GET = Prepared(sa.select(small_blob.c.content).where(small_blob.c.digest == sa.bindparam("digest")))


class SmallBlobs:
    """Content of at most `LARGEST` bytes by digest, on its way to the store of all content.

    Args:
        database: where it waits.
        objects: where it goes.
    """

    def __init__(self, database: Database, objects: Objects) -> None:
        self._db = database
        self._objects = objects

    def add(self, tx: Tx, digest: str, content: bytes) -> None:
        """Stores content in the caller's transaction, in which something comes to refer to it."""
        tx.upsert(small_blob, {"digest": digest, "content": content, "since": tx.now}, keys=["digest"])

    async def get(self, digest: str) -> bytes | None:
        """Content that waits; None: it does not, or not any more."""
        found = await self._db.read(lambda tx: _GET.scalar(tx, {"digest": digest}))
        return None if found is None else bytes(found)

    async def move_for_ever(self) -> None:
        """Moves what has waited for some seconds, in one of all servers."""
        while True:
            if await self.move(SETTLED_MS) < BATCH:
                await asyncio.sleep(PAUSE_SECONDS)

    async def move_all(self) -> None:
        """Moves all that waits now."""
        while await self.move(0):
            pass

    async def move(self, waited_ms: int) -> int:
        """Moves up to `BATCH` pieces of content that have waited so long; returns how many.

        It stays here until it is durable there: whoever looks there and then here finds it.
        """
        rows = await self._db.read(
            lambda tx: tx.all(
                sa.select(small_blob.c.digest, small_blob.c.content)
                .where(small_blob.c.since <= tx.now - waited_ms)
                .order_by(small_blob.c.since)
                .limit(BATCH)
            )
        )
        places = asyncio.Semaphore(AT_ONCE)

        async def store(digest: str, content: bytes) -> None:
            async with places:
                await self._objects.ensure(f"chunks/{digest[:2]}/{digest}", content)

        await asyncio.gather(*(store(row.digest, bytes(row.content)) for row in rows))
        moved = [row.digest for row in rows]
        if moved:
            await self._db.write(lambda tx: tx.run(sa.delete(small_blob).where(small_blob.c.digest.in_(moved))))
        return len(moved)
