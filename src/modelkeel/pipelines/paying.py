"""Results that somebody has paid for already: in the cache, or in a run that another one resumes."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound
from modelkeel.pipelines import reading, store
from modelkeel.pipelines.finding import seen, trusts_launched_only, visible_run
from modelkeel.pipelines.models import (
    ALIVE,
)
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.wire.pipelines import CachedStep, StartRun

MOST_KNOWN = 2000


class Paid:
    """Which steps need not run.

    Args:
        database: knows results.
        blobs: holds them.
        authorizer: decides who may see what.
    """

    def __init__(self, database: Database, blobs: BlobStore, authorizer: Authorizer) -> None:
        self._db = database
        self._blobs = blobs
        self._authorizer = authorizer

    async def lookup(self, principal: Principal, keys: list[str]) -> list[CachedStep]:
        """Those of `keys` whose results the workspace has, whole. A damaged or missing result is left out."""
        self._authorizer.require(principal, Permission.READ, what="the step cache")
        rows = await self._db.read(
            lambda tx: store.cached(
                tx, principal.workspace, keys[:MOST_KNOWN], launched=trusts_launched_only(principal)
            )
        )
        return await self._whole(reading.cached_of(row) for row in rows)

    async def known(self, principal: Principal, wanted: StartRun) -> list[CachedStep]:
        """What the last finished run of the pipeline left in the cache."""

        def work(tx: Tx) -> list[CachedStep]:
            at = (tx, principal.workspace, wanted.pipeline)
            last = store.last_run(
                *at, captured=False, project=wanted.project, visible=seen(self._authorizer, principal)
            )
            keys = store.keys_of(tx, last.run_id)[:MOST_KNOWN] if last is not None else []
            found = store.cached(tx, principal.workspace, keys, launched=trusts_launched_only(principal))
            return [reading.cached_of(row) for row in found]

        return await self._whole(await self._db.read(work))

    async def check_resumable(self, principal: Principal, wanted: StartRun) -> None:
        """Only an ended run of the same pipeline is resumed.

        Raises:
            NotFound: there is no such run.
            InvalidInput: it is of another pipeline.
            Conflict: it has not ended.
        """
        before = str(wanted.resumes)
        row = await self._db.read(lambda tx: visible_run(tx, self._authorizer, principal, before))
        if row.pipeline != wanted.pipeline:
            raise InvalidInput(f"The run {before} is one of {row.pipeline!r}, not of {wanted.pipeline!r}.")
        if row.status in ALIVE:
            raise Conflict(f"The run {before} has not ended.", hint="Cancel it first: `modelkeel cancel`.")

    async def resumed(self, principal: Principal, wanted: StartRun) -> list[CachedStep]:
        """What the run that is resumed had finished."""
        if wanted.resumes is None:
            return []
        before = wanted.resumes

        def work(tx: Tx) -> list[CachedStep]:
            row = store.run(tx, principal.workspace, before, seen(self._authorizer, principal))
            return list(self._finished(tx, principal, row).values()) if row is not None else []

        return await self._whole(await self._db.read(work))

    def paid(self, tx: Tx, principal: Principal, row: sa.Row[Any], keys: list[str]) -> dict[str, CachedStep]:
        """What the cache, and the run that this one resumes, have under some keys."""
        found = store.cached(tx, row.workspace, keys, launched=trusts_launched_only(principal))
        known = {cached.key: cached for cached in map(reading.cached_of, found)}
        if row.resumes is not None and len(known) < len(set(keys)):
            before = store.run(tx, row.workspace, row.resumes, seen(self._authorizer, principal))
            known = (self._finished(tx, principal, before) if before is not None else {}) | known
        return known

    def _finished(self, tx: Tx, principal: Principal, row: sa.Row[Any]) -> dict[str, CachedStep]:
        """Results of a run by key; a run that the server started takes only results of such runs."""
        if trusts_launched_only(principal) and row.origin != "launch":
            return {}
        return {found.key: found for found in map(reading.resumed_of, store.finished_steps(tx, row.run_id))}

    async def _whole(self, found: Iterable[CachedStep]) -> list[CachedStep]:
        """Those cached steps of whose result every blob is there with its full size."""
        whole = []
        for step in found:
            for digest, size in step.output.blobs().items():
                try:
                    ref = await self._blobs.stat(digest)
                except NotFound:
                    break
                if ref.size != size:
                    break
            else:
                whole.append(step)
        return whole
