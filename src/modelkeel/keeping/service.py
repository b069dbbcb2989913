"""Use cases of keeping: legal holds, and the collection of what was deleted."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import InvalidInput
from modelkeel.core.ids import uuid7
from modelkeel.keeping import choosing, collecting
from modelkeel.keeping.choosing import Chosen
from modelkeel.keeping.models import DAY_MS, LISTED, Collect, Collection, PlaceHold, Thing
from modelkeel.ledger.service import Ledger
from modelkeel.registry.service import Registry
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.holds import Hold, HoldKind
from modelkeel.tracking.service import Tracking

LONGEST_REASON = 2000
TOGETHER = 64


class Keeping:
    """Holds and collections.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        blobs: where content is.
        authorizer: decides who may do what.
        tracking: knows runs, experiments and holds.
        registry: knows versions.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        blobs: BlobStore,
        authorizer: Authorizer,
        tracking: Tracking,
        registry: Registry,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._blobs = blobs
        self._authorizer = authorizer
        self._tracking = tracking
        self._registry = registry

    async def holds(self, principal: Principal) -> list[Hold]:
        """The workspace's holds in force, oldest first."""
        self._authorizer.require(principal, Permission.AUDIT, what="legal holds")
        return await self._tracking.holds(principal)

    async def place_hold(self, principal: Principal, asked: PlaceHold) -> Hold:
        """Puts a hold on a run, an experiment or a version: what it covers is not removed for good, nor replaced.

        Raises:
            NotFound: there is no such thing.
        """
        self._authorizer.require(principal, Permission.AUDIT, what="legal holds")
        if not asked.reason.strip() or len(asked.reason) > LONGEST_REASON:
            raise InvalidInput(f"A legal hold has a reason of at most {LONGEST_REASON} characters.")
        place = await self._place(principal, asked)
        return await self._tracking.place_hold(principal, uuid7(), asked.kind, place, asked.reason.strip())

    async def release_hold(self, principal: Principal, identity: str) -> None:
        """Ends a hold.

        Raises:
            NotFound: there is none of that id in force.
        """
        self._authorizer.require(principal, Permission.AUDIT, what="legal holds")
        await self._tracking.release_hold(principal, identity)

    async def look(self, principal: Principal, asked: Collect) -> Collection:
        """What a collection would remove now, in all workspaces; nothing changes."""
        before, fresh = await self._times(principal, asked)
        chosen = await self._db.read(lambda tx: choosing.choose(tx, asked, before))
        content = await collecting.unneeded(self._db, self._blobs, chosen.owners, fresh)
        return _collection(chosen, len(content.objects), content.bytes, content.too_new, applied=False)

    async def collect(self, principal: Principal, asked: Collect) -> Collection:
        """Removes for good what was deleted long enough ago, then all content that nothing refers to any more.

        Each thing that goes leaves an entry, and so does the collection.
        """
        before, fresh = await self._times(principal, asked)
        chosen = await self._db.read(lambda tx: choosing.choose(tx, asked, before))
        went: list[Thing] = []
        for _, alike in groupby(chosen.going, key=lambda thing: thing.kind):  # what stands on others goes before them
            for some in _batched(alike):
                gone = await asyncio.gather(*(self._remove(principal, thing) for thing in some))
                went += [thing for thing, removed in zip(some, gone, strict=True) if removed]
        content = await collecting.unneeded(self._db, self._blobs, frozenset(), fresh)
        removed = await collecting.remove(self._db, self._blobs, content.objects, fresh)
        done = _collection(
            Chosen(went, chosen.staying), len(removed), sum(o.size for o in removed), content.too_new, applied=True
        )
        data = {"counts": done.counts, "blobs": done.blobs, "bytes": done.bytes, "staying": len(chosen.staying)}
        await self._db.write(lambda tx: self._ledger.record(tx, principal, "gc.ended", {}, data))
        return done

    async def _remove(self, principal: Principal, thing: Thing) -> bool:
        def work(tx: Tx) -> bool:
            if not choosing.remove(tx, thing):
                return False
            about = {thing.kind: thing.id}
            self._ledger.record(tx, principal, f"{thing.kind}.purged", about, workspace=thing.workspace)
            return True

        return await self._db.write(work)

    async def _times(self, principal: Principal, asked: Collect) -> tuple[int, int]:
        self._authorizer.require_everywhere(principal, Permission.GRANT, what="the collection of what was deleted")
        if not (0 <= asked.older_than_days <= 36_500 and 0 <= asked.grace_seconds <= 366 * 86_400):
            raise InvalidInput("An age is no less than zero.")
        if self._blobs.small is not None:
            await self._blobs.small.move_all()  # what waits in the database counts too
        now = now_ms()
        return now - round(asked.older_than_days * DAY_MS), now - round(asked.grace_seconds * 1000)

    async def _place(self, principal: Principal, asked: PlaceHold) -> str:
        """The id of what is to be held."""
        match asked.kind:
            case HoldKind.RUN:
                return (await self._tracking.get_run(principal, asked.object)).id
            case HoldKind.EXPERIMENT:
                return (await self._tracking.experiment(principal, asked.object)).id
            case HoldKind.VERSION:
                name, _, number = asked.object.rpartition("/")
                if not name or not number.isdecimal() or len(number) > 9:
                    raise InvalidInput(f"{asked.object[:200]!r} names no version.", hint="Write NAME/NUMBER.")
                found = await self._registry.model_version(principal, name, int(number))
                return found.subject


def _batched(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    """In groups that may wait for one commit together."""
    rest = iter(things)
    while some := list(islice(rest, TOGETHER)):
        yield some


def _collection(chosen: Chosen, blobs: int, size: int, too_new: int, *, applied: bool) -> Collection:
    counts: dict[str, int] = {}
    for thing in chosen.going:
        counts[thing.kind] = counts.get(thing.kind, 0) + 1
    return Collection(applied, counts, chosen.going[:LISTED], chosen.staying[:LISTED], blobs, size, too_new)
