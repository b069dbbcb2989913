"""The store of content, gone through: what nothing refers to, and its removal.

The order makes it safe while others write: find candidates, condemn them, look again at what is referred to, and only
then remove. Who comes to refer to a blob finds in the same transaction whether it is condemned, or went after it was
stored, and stores it again. Chunks that a longer upload shares are safe by their age: who finds one makes it new.
"""

import asyncio
from collections.abc import Callable, Sequence, Set

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.hashing import is_digest
from modelkeel.keeping.references import referenced
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import condemn, let_go, spare
from modelkeel.storage.objects import AT_ONCE, Stored
from modelkeel.storage.transaction import Tx

BATCH = 5_000
WRITTEN = 500
"""Marks that one transaction writes."""
STAGED_MS = 86_400_000
"""Parts that were sent to the object store are of an upload that may still be completed for a day."""


class Unneeded(msgspec.Struct):
    """Content that nothing refers to.

    Attributes:
        objects: what can be removed.
        too_new: how many more there are that came, or were asked for, within the grace.
    """

    objects: list[Stored] = []
    too_new: int = 0

    @property
    def bytes(self) -> int:
        """What they take in the store."""
        return sum(item.size for item in self.objects)

    def judge(self, item: Stored, before: int) -> None:
        """Takes an object in, by its age."""
        if item.modified < before:
            self.objects.append(item)
        else:
            self.too_new += 1


async def unneeded(database: Database, blobs: BlobStore, gone: Set[str], before: int) -> Unneeded:
    """Goes through the whole store.

    Args:
        database: knows what is referred to.
        blobs: the store.
        gone: ids of runs and logged models that count as removed already.
        before: what came, or was asked for, since then stays; in ms since 1970.
    """
    under_way = blobs.under_way
    needed = await database.read(lambda tx: referenced(tx, gone))
    found = Unneeded()
    async for batch in blobs.objects.everything("lists"):
        kept = [item for item in batch if _needed(_name(item), needed)]
        for item in batch:
            if not _needed(_name(item), needed):
                found.judge(item, before)
        for start in range(0, len(kept), AT_ONCE):
            some = (blobs.parts(_name(item)) for item in kept[start : start + AT_ONCE])
            needed.update(bytes.fromhex(part) for parts in await asyncio.gather(*some) for part in parts)
    now, under_way = now_ms(), under_way | blobs.under_way
    async for batch in blobs.objects.everything("chunks"):
        for item in batch:
            name = _name(item)
            if not is_digest(name):  # what a write left that never ended
                found.judge(item, min(before, now - STAGED_MS))
            elif not _needed(name, needed) and name not in under_way:
                found.judge(item, before)
    async for batch in blobs.objects.everything("staging"):
        for item in batch:
            found.judge(item, min(before, now - 2 * STAGED_MS))
    return found


async def remove(database: Database, blobs: BlobStore, objects: Sequence[Stored], before: int) -> list[Stored]:
    """Removes what `unneeded` found, unless somebody came to need it; returns what went."""
    gone: list[Stored] = []
    for start in range(0, len(objects), BATCH):
        gone += await _remove(database, blobs, objects[start : start + BATCH], before)
    return gone


async def _remove(database: Database, blobs: BlobStore, objects: Sequence[Stored], before: int) -> list[Stored]:
    marked = [name for name in map(_name, objects) if is_digest(name)]
    await _each(database, marked, condemn)
    went: list[Stored] = []
    try:
        needed = await database.read(referenced)
        free = {item.key: item for item in objects if not _needed(_name(item), needed)}
        went = [free[key] for key in await blobs.objects.remove(list(free), before)]
    finally:
        gone = {_name(item) for item in went}
        await _each(database, [name for name in marked if name in gone], let_go)
        await _each(database, [name for name in marked if name not in gone], spare)
    return went


def _name(item: Stored) -> str:
    return item.key.rpartition("/")[2]


def _needed(name: str, needed: Set[bytes]) -> bool:
    return is_digest(name) and bytes.fromhex(name) in needed


async def _each(database: Database, names: Sequence[str], work: Callable[[Tx, Sequence[str]], None]) -> None:
    """In several transactions, so that other writers wait for none of them long."""
    for start in range(0, len(names), WRITTEN):
        some = names[start : start + WRITTEN]
        await database.write(lambda tx, some=some: work(tx, some))  # type: ignore[misc]
