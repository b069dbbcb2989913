"""Leases: which of several server processes on one database does what only one may do.

A lease ends by itself when its holder falls silent, so a process that died holds nothing up for long. Its number rises
with each new holder; work that was begun under an older number is stopped by whoever did it, since a holder that can't
renew gives up before the lease ends for the others.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import sqlalchemy as sa

from modelkeel.storage.database import Database
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

log = logging.getLogger(__name__)
LEASE_SECONDS = 15.0

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)


def take(tx: Tx, name: str, holder: str, seconds: float) -> int | None:
    """Takes or renews a lease; its number, or None while another holds it."""
    row = tx.one(sa.select(lease).where(lease.c.name == name).with_for_update())
    if row is not None and row.holder != holder and row.until > tx.now:
        return None
    number = 1 if row is None else row.number + (row.holder != holder)
    values = {"name": name, "holder": holder, "number": number, "until": tx.now + round(seconds * 1000)}
    tx.upsert(lease, values, keys=["name"], update=["holder", "number", "until"])
    return int(number)


def release(tx: Tx, name: str, holder: str) -> None:
    """Gives a lease back, if it is still one's own."""
    tx.run(sa.update(lease).where(lease.c.name == name, lease.c.holder == holder).values(until=0))


class Leases:
    """The leases of one server process.

    Args:
        database: where they are kept.
        holder: who this is; a process that comes back under the same name has its leases again at once.
        seconds: how long a lease outlives its holder.
    """

    def __init__(self, database: Database, holder: str, seconds: float = LEASE_SECONDS) -> None:
        self._db = database
        self._holder = holder
        self._seconds = seconds

    @contextlib.asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[asyncio.Event]:
        """Waits for a lease and holds it.

        Yields:
            An event that is set when the lease is lost; what was done under it must end then.
        """
        while True:
            if await self._take(name) is not None:
                break
            await asyncio.sleep(self._seconds / 3)
        lost = asyncio.Event()
        renewing = asyncio.create_task(self._renew(name, lost))
        try:
            yield lost
        finally:
            renewing.cancel()
            if not lost.is_set():
                with contextlib.suppress(Exception):  # the database is gone: the lease ends by itself
                    await self._db.write(lambda tx: release(tx, name, self._holder))

    async def _take(self, name: str) -> int | None:
        return await self._db.write(lambda tx: take(tx, name, self._holder, self._seconds))

    async def _renew(self, name: str, lost: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                async with asyncio.timeout(self._seconds / 3):
                    kept = await self._take(name) is not None
            except Exception:
                log.exception("the lease %s could not be renewed", name)
                kept = False
            if not kept:
                lost.set()
                return
