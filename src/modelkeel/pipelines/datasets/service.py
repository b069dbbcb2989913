"""Use cases of data sets: describe, add versions, read, compare, let go of."""

import asyncio
import logging
from typing import Any

import msgspec

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import Conflict, NotFound
from modelkeel.core.ids import uuid7
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.pipelines.datasets import store
from modelkeel.pipelines.finding import seen
from modelkeel.pipelines.steps import check_digests
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import knows_run
from modelkeel.wire.datasets import (
    AddVersion,
    Dataset,
    DatasetDiff,
    DatasetVersion,
    DescribeDataset,
    Profile,
    check_dataset_name,
    diff_of,
)
from modelkeel.wire.values import Value

DAY_MS = 86_400_000
SWEEP_SECONDS = 600.0
log = logging.getLogger(__name__)


class Datasets:
    """The data sets of an installation. Whoever may track in a workspace adds to them.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        authorizer: decides who may do what.
        identity: knows people's names.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, identity: Identity) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._identity = identity

    async def all(self, principal: Principal) -> list[Dataset]:
        """The workspace's data sets, by name, each with its newest version."""
        self._authorizer.require(principal, Permission.READ, what="data sets")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> list[Dataset]:
            newest = store.newest_versions(tx, principal.workspace)
            rows = store.of_workspace(tx, principal.workspace)
            return [_dataset(row, [newest[row.id]] if row.id in newest else [], names) for row in rows]

        return await self._db.read(work)

    async def get(self, principal: Principal, name: str) -> Dataset:
        """One data set with all its versions, newest first.

        Raises:
            NotFound: there is none of that name.
        """
        self._authorizer.require(principal, Permission.READ, what="data sets")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> Dataset:
            row = _row(tx, principal, name)
            return _dataset(row, store.versions(tx, row.id), names)

        return await self._db.read(work)

    async def version(self, principal: Principal, name: str, number: int | None) -> DatasetVersion:
        """One version, by default the newest, with how its content is stored and which runs read it.

        Raises:
            NotFound: there is none.
        """
        self._authorizer.require(principal, Permission.READ, what="data sets")
        names = await self._identity.names(principal)

        def work(tx: Tx) -> DatasetVersion:
            row = _row(tx, principal, name)
            found = _version_row(tx, row, number)
            visible = seen(self._authorizer, principal)
            made_by = found.run_id
            if made_by is not None and not knows_run(tx, principal.workspace, visible, made_by):
                made_by = None
            uses = store.uses(tx, row.id, found.number, visible)
            return msgspec.structs.replace(_version(found, row.name, names), run_id=made_by, used_by=uses)

        return await self._db.read(work)

    async def describe(self, principal: Principal, name: str, wanted: DescribeDataset) -> Dataset:
        """Makes a data set, or says more of it: what it is, whose it is, how long its versions are kept."""
        self._authorizer.require(principal, Permission.TRACK, what="data sets")
        check_dataset_name(name)

        def work(tx: Tx) -> None:
            row = store.named(tx, principal.workspace, name) or self._made(tx, principal, name)
            values = {
                "description": wanted.description,
                "owner": wanted.owner,
                "keep_versions": wanted.keep_versions,
                "keep_days": wanted.keep_days,
            }
            changed: dict[str, Any] = {
                key: value for key, value in values.items() if value is not None and value != getattr(row, key)
            }
            if wanted.keep_for_ever:
                changed |= {"keep_versions": None, "keep_days": None}
            if changed:
                store.change(tx, row.id, **changed)
                data = {key: value for key, value in changed.items() if key.startswith("keep_")}
                texts = {key: str(value) for key, value in changed.items() if key in {"description", "owner"}}
                self._ledger.record(
                    tx, principal, "dataset.updated", {"dataset": row.id}, data, {"name": name, **texts}
                )

        await self._db.write(work)
        return await self.get(principal, name)

    async def add(self, principal: Principal, name: str, wanted: AddVersion) -> DatasetVersion:
        """Adds a version, whose content the server has already. The same content as the newest one's is that version.

        Raises:
            InvalidInput: the content is not stored.
            NotFound: the run that made it is none that may be seen.
        """
        self._authorizer.require(principal, Permission.TRACK, what="data sets")
        check_dataset_name(name)
        names = await self._identity.names(principal)

        def work(tx: Tx) -> DatasetVersion:
            check_digests(tx, principal.workspace, set(wanted.value.blobs()))
            if wanted.run_id is not None:
                self._check_run(tx, principal, wanted.run_id)
            row = store.named(tx, principal.workspace, name) or self._made(tx, principal, name)
            newest = store.one_version(tx, row.id, row.newest)
            if newest is not None and newest.digest == wanted.value.digest and newest.deleted is None:
                return _version(newest, name, names)
            number = row.newest + 1
            size = sum(wanted.value.blobs().values()) or wanted.value.size
            data = {"version": number, "digest": wanted.value.digest, "rows": wanted.profile.rows, "size": size}
            subject = {"dataset": row.id, "dataset_version": f"{row.id}/{number}"}
            if wanted.run_id is not None:
                subject["run"] = wanted.run_id
            texts = {"name": name, "source": wanted.source}
            entry = self._ledger.record(tx, principal, "dataset_version.created", subject, data, texts)
            store.add_version(
                tx,
                {
                    "dataset": row.id,
                    "number": number,
                    "digest": wanted.value.digest,
                    "value": msgspec.json.encode(wanted.value),
                    "profile": msgspec.json.encode(wanted.profile),
                    "size": size,
                    "source": wanted.source,
                    "run_id": wanted.run_id,
                    "principal": principal.id,
                    "entry": entry,
                },
            )
            found = store.one_version(tx, row.id, number)
            return msgspec.structs.replace(_version(found, name, names), new=True)

        return await self._db.write(work)

    async def used(self, principal: Principal, name: str, number: int, run_id: str) -> None:
        """Notes that a run read a version.

        Raises:
            NotFound: there is no such version, or no such run that may be seen.
        """
        self._authorizer.require(principal, Permission.TRACK, what="data sets")

        def work(tx: Tx) -> None:
            self._check_run(tx, principal, run_id)
            row = _row(tx, principal, name)
            store.add_use(tx, row.id, _version_row(tx, row, number).number, run_id)

        await self._db.write(work)

    async def diff(self, principal: Principal, name: str, before: int, after: int) -> DatasetDiff:
        """What differs between two versions: columns, rows and statistics."""
        was = await self.version(principal, name, before)
        now = await self.version(principal, name, after)
        return diff_of(was, now)

    async def delete_version(self, principal: Principal, name: str, number: int) -> None:
        """Lets go of a version's content; its number, schema and statistics stay.

        Raises:
            Conflict: it is the newest one.
        """
        self._authorizer.require(principal, Permission.TRACK, what="data sets")

        def work(tx: Tx) -> None:
            row = _row(tx, principal, name)
            found = _version_row(tx, row, number)
            if found.number == row.newest:
                raise Conflict(f"Version {number} is the newest of {name}.", hint="Delete the data set as a whole.")
            self._drop(tx, principal, row, found.number, "asked")

        await self._db.write(work)

    async def delete(self, principal: Principal, name: str) -> None:
        """Removes a data set with its versions; runs that read them still name their digests."""
        self._authorizer.require(principal, Permission.TRACK, what="data sets")

        def work(tx: Tx) -> None:
            row = _row(tx, principal, name)
            store.remove(tx, row.id)
            self._ledger.record(tx, principal, "dataset.deleted", {"dataset": row.id}, {}, {"name": name})

        await self._db.write(work)

    async def sweep_for_ever(self) -> None:
        """Lets go of versions that are kept no longer."""
        while True:
            await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> int:
        """Lets go of versions that are kept no longer, never of the newest; returns how many."""
        if not await self._db.read(store.kept_for_a_time):
            return 0

        def work(tx: Tx) -> int:
            count = 0
            for row in store.kept_for_a_time(tx):
                kept = [found for found in store.versions(tx, row.id) if found.deleted is None]
                for place, found in enumerate(kept):
                    many = row.keep_versions is not None and place >= row.keep_versions
                    old = row.keep_days is not None and found.created < tx.now - row.keep_days * DAY_MS
                    if place and (many or old):
                        self._drop(tx, SYSTEM, row, found.number, "retention")
                        count += 1
            return count

        return await self._db.write(work)

    def _check_run(self, tx: Tx, principal: Principal, run_id: str) -> None:
        if not knows_run(tx, principal.workspace, seen(self._authorizer, principal), run_id):
            raise NotFound(f"There is no run {run_id[:64]}.", hint="Name a run of this workspace, or leave it out.")

    def _made(self, tx: Tx, principal: Principal, name: str) -> Any:
        identity = uuid7(tx.now)
        store.add(
            tx,
            {
                "id": identity,
                "workspace": principal.workspace,
                "name": name,
                "description": "",
                "owner": principal.name,
            },
        )
        self._ledger.record(tx, principal, "dataset.created", {"dataset": identity}, {}, {"name": name})
        return store.named(tx, principal.workspace, name)

    def _drop(self, tx: Tx, principal: Principal, row: Any, number: int, why: str) -> None:
        if store.drop_content(tx, row.id, number):
            subject = {"dataset": row.id, "dataset_version": f"{row.id}/{number}"}
            data = {"version": number, "why": why}
            self._ledger.record(
                tx, principal, "dataset_version.deleted", subject, data, {"name": row.name}, workspace=row.workspace
            )


def _row(tx: Tx, principal: Principal, name: str) -> Any:
    found = store.named(tx, principal.workspace, name)
    if found is None:
        raise NotFound(f"There is no data set {name[:100]!r}.", hint="`modelkeel dataset list` shows them.")
    return found


def _version_row(tx: Tx, row: Any, number: int | None) -> Any:
    found = store.one_version(tx, row.id, row.newest if number is None else number)
    if found is None:
        raise NotFound(f"The data set {row.name} has no version {number or ''}.".replace(" .", "."))
    return found


def _dataset(row: Any, versions: Any, names: dict[str, str]) -> Dataset:
    return Dataset(
        row.id,
        row.name,
        row.description,
        row.owner,
        row.keep_versions,
        row.keep_days,
        row.newest,
        rfc3339(row.created),
        rfc3339(row.updated),
        [_version(found, row.name, names, short=True) for found in versions],
    )


def _version(row: Any, name: str, names: dict[str, str], *, short: bool = False) -> DatasetVersion:
    return DatasetVersion(
        name,
        row.number,
        row.digest,
        row.size,
        msgspec.json.decode(row.profile, type=Profile),
        row.source,
        names.get(row.principal, row.principal),
        rfc3339(row.created),
        row.entry,
        run_id=None if short else row.run_id,
        deleted=rfc3339(row.deleted) if row.deleted is not None else None,
        value=msgspec.json.decode(row.value, type=Value) if row.value is not None and not short else None,
    )
