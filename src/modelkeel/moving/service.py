"""Use cases of moving in: an import's life, the items it takes, what it knows already."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, KeelError, NotFound, Refused
from modelkeel.core.hashing import digest_of
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import Ledger
from modelkeel.moving import store
from modelkeel.moving.ground import Ground
from modelkeel.moving.models import Base, Origin
from modelkeel.moving.placing import Placing, agreed
from modelkeel.registry.models import ModelVersion, Stage, parse_stage
from modelkeel.registry.service import Registry
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.traces.service import Traces
from modelkeel.tracking.service import Tracking
from modelkeel.wire import moving as wire
from modelkeel.wire.moving_traces import RecordsItem, SpansItem

AT_ONCE = 32
STAGE_TAG = "modelkeel.import.stage"


class Moving:
    """Takes what comes from MLflow and from other Modelkeels.

    Whoever imports says who made what and when, so it needs the right to make policy: a maintainer or an admin.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        tracking: where experiments, runs and logged models go.
        registry: where models and versions go.
        traces: where traces and evaluation data sets go.
        authorizer: decides who may import.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        tracking: Tracking,
        registry: Registry,
        traces: Traces,
        authorizer: Authorizer,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._tracking = tracking
        self._registry = registry
        self._traces = traces
        self._authorizer = authorizer

    async def begin(self, principal: Principal, asked: wire.Begin) -> wire.ImportView:
        """Begins an import, or goes on with the one from the same peer that did not end."""
        self._may(principal)
        if not 0 < len(asked.peer) <= 200 or len(asked.source) > 2000:
            raise InvalidInput("A source's name has 1 to 200 characters, its address at most 2000.")

        def work(tx: Tx) -> str:
            found = store.open_import(tx, principal.workspace, asked.peer)
            if found is not None:
                return str(found.id)
            identity = uuid7(tx.now)
            row = {
                "id": identity,
                "workspace": principal.workspace,
                "peer": asked.peer,
                "kind": asked.kind,
                "source": asked.source,
                "actor": principal.id,
                "user": principal.name,
                "started": tx.now,
            }
            store.add_import(tx, row)
            texts = {"source": asked.source, "peer": asked.peer}
            self._ledger.record(tx, principal, "import.started", {"import": identity}, {"kind": asked.kind}, texts)
            return identity

        return await self.one(principal, await self._db.write(work))

    async def take(self, principal: Principal, identity: str, items: Sequence[wire.Item]) -> list[wire.Outcome]:
        """What became of each item, in order. One that can't be taken is refused alone."""
        self._may(principal)
        found = await self._db.read(lambda tx: self._open(tx, principal, identity))
        default = (await self._tracking.experiment(principal, "0")).id
        ground = Ground(self._tracking, self._traces, principal, found, identity)
        placing = Placing(ground, self._tracking, self._registry, self._traces, default)
        outcomes: list[wire.Outcome] = []
        for _, group in itertools.groupby(items, type):  # what stands later may need what stands before
            of_kind = list(group)
            for start in range(0, len(of_kind), AT_ONCE):
                some = of_kind[start : start + AT_ONCE]
                outcomes += await asyncio.gather(*(self._one(principal, placing, item) for item in some))
        return outcomes

    async def known(self, principal: Principal, identity: str, asked: wire.Known) -> list[str]:
        """Ids, by the source, of those things that came over whole and have the same mark still."""
        self._may(principal)

        def work(tx: Tx) -> list[str]:
            peer = self._open(tx, principal, identity)
            held = store.marks(tx, principal.workspace, peer, asked.kind, asked.marks)
            return [theirs for theirs, mark in asked.marks.items() if mark and held.get(theirs) == mark]

        return await self._db.read(work)

    async def end(self, principal: Principal, identity: str, report: wire.Report) -> wire.ImportView:
        """Ends an import with its report; the entry has the counts and the report's digest."""
        self._may(principal)

        def work(tx: Tx) -> None:
            self._open(tx, principal, identity)
            store.end_import(tx, identity, msgspec.json.encode(report).decode())
            data = {
                "complete": report.complete,
                "counts": dict(sorted(report.counts.items())),
                "differences": len(report.differences),
                "digest": digest_of(msgspec.to_builtins(report)),
            }
            self._ledger.record(tx, principal, "import.ended", {"import": identity}, data)

        await self._db.write(work)
        return await self.one(principal, identity)

    async def agree(self, principal: Principal, asked: wire.Agreed) -> None:
        """Notes what another server has of ours, so that a sync the other way finds it."""
        self._may(principal)
        if len(asked.items) != len(asked.here):
            raise InvalidInput("There is not one id for each item.")

        def work(tx: Tx) -> None:
            for item, here in zip(asked.items, asked.here, strict=True):
                kind, theirs, ours, base = agreed(item, here)
                if kind in {"model", "version"}:
                    name, slash, number = ours.partition("/")  # a model's name has none
                    model = self._registry.held_model(tx, principal, name)
                    if model is None:
                        continue
                    ours = f"{model.id}{slash}{number}"
                before = store.origin(tx, principal.workspace, asked.peer, kind, theirs)
                mark = before.mark if before is not None and before.base == base else ""
                if isinstance(item, RecordsItem) and before is not None:  # it has some of them only
                    base = {**(before.base or {}), **base}
                store.set_origin(tx, principal.workspace, asked.peer, kind, theirs, Origin(ours, base, mark))

        await self._db.write(work)

    async def one(self, principal: Principal, identity: str) -> wire.ImportView:
        """An import.

        Raises:
            NotFound: there is none in the workspace.
        """
        self._may(principal)
        row = await self._db.read(lambda tx: store.import_(tx, principal.workspace, identity))
        if row is None:
            raise NotFound(f"There is no import {identity[:40]}.")
        return _view(row)

    async def imports(self, principal: Principal, limit: int = 100) -> list[wire.ImportView]:
        """The latest imports."""
        self._may(principal)
        return [_view(row) for row in await self._db.read(lambda tx: store.imports(tx, principal.workspace, limit))]

    def here(self, principal: Principal) -> wire.Here:
        """The workspace as others name it as a peer."""
        self._authorizer.require(principal, Permission.READ, what="the workspace")
        return wire.Here(principal.workspace)

    async def _one(self, principal: Principal, placing: Placing, item: wire.Item) -> wire.Outcome:
        kind, theirs = str(item.__struct_config__.tag), _name(item)
        try:
            if isinstance(item, wire.AliasItem):
                return await self._alias(principal, placing, item)
            if isinstance(item, wire.StageItem):
                return await self._stage(principal, placing, item)
            return await self._db.write(lambda tx: placing.place(tx, item))
        except KeelError as error:
            return wire.Outcome(kind, theirs, state="refused", why=f"{error.message} {error.hint}".strip())

    async def _alias(self, principal: Principal, placing: Placing, item: wire.AliasItem) -> wire.Outcome:
        """Sets an alias by the ordinary way, past the guard; one that means another version here stays."""
        theirs = f"{item.model}@{item.alias}"
        wanted = await self._db.read(lambda tx: placing.origin(tx, "version", f"{item.model}/{item.version}"))
        before = await self._db.read(lambda tx: placing.origin(tx, "alias", theirs))
        if wanted is None:
            raise NotFound(f"Version {item.version} of {item.model} did not come over.")
        number = int(wanted.ours.rpartition("/")[2])
        base = {"version": str(item.version)}
        held = (await self._registry.aliases(principal, item.model)).get(item.alias)
        state: str = "same"
        if held != number:
            if before is not None and before.base == base:
                return wire.Outcome("alias", theirs, str(held or ""), "same")  # changed here only
            if held is not None and (before is None or before.ours != str(held)):
                why = f"it means version {held} here"
                return wire.Outcome("alias", theirs, str(held), "kept", ["alias"], why)
            try:
                await self._registry.set_alias(principal, item.model, item.alias, number)
            except Refused as refusal:
                why = "; ".join(refusal.reasons) or refusal.message
                return wire.Outcome("alias", theirs, str(held or ""), "kept", ["alias"], why)
            state = "made" if held is None else "changed"
        origin = Origin(str(number), dict(base))
        await self._db.write(
            lambda tx: store.set_origin(tx, principal.workspace, placing.peer, "alias", theirs, origin)
        )
        return wire.Outcome("alias", theirs, str(number), state)  # type: ignore[arg-type]  # one of the three

    async def _stage(self, principal: Principal, placing: Placing, item: wire.StageItem) -> wire.Outcome:
        """Puts a version into its stage by the ordinary way, past the guard; refused, it is kept as a tag."""
        theirs, who = f"{item.model}/{item.version}", principal

        def look(tx: Tx) -> tuple[Origin | None, ModelVersion | None]:
            came = placing.origin(tx, "version", theirs)
            if came is None:
                raise NotFound(f"Version {item.version} of {item.model} did not come over.")
            number = int(came.ours.rpartition("/")[2])
            return placing.origin(tx, "stage", theirs), self._registry.held_version(tx, who, item.model, number)

        before, held = await self._db.read(look)
        wanted = parse_stage(item.stage)
        if held is None:
            return wire.Outcome("stage", theirs, state="kept", why="the version was deleted here")
        here = str(held.version)
        last = None if before is None or before.base is None else before.base.get("stage")
        state: str = "same"
        if held.stage != wanted:
            if last == wanted or (last is None and wanted is Stage.NONE):
                return wire.Outcome("stage", theirs, here, "same")  # changed here only
            if held.stage != (last or Stage.NONE):
                return wire.Outcome("stage", theirs, here, "kept", ["stage"], f"it is in {held.stage} here")
            try:
                await self._registry.transition(who, item.model, held.version, wanted)
            except Refused as refusal:
                await self._tag_stage(who, placing, held, item.model, wanted)
                why = "; ".join([*(refusal.reasons or [refusal.message]), f"{wanted} is kept as the tag {STAGE_TAG}"])
                return wire.Outcome("stage", theirs, here, "kept", ["stage"], why)
            state = "changed"
        await self._tag_stage(who, placing, held, item.model, None)
        if last != wanted and (last or wanted is not Stage.NONE):
            origin = Origin(here, {"stage": str(wanted)})
            await self._db.write(lambda tx: store.set_origin(tx, who.workspace, placing.peer, "stage", theirs, origin))
        return wire.Outcome("stage", theirs, here, state)  # type: ignore[arg-type]  # one of the two

    async def _tag_stage(
        self, who: Principal, placing: Placing, held: ModelVersion, name: str, stage: Stage | None
    ) -> None:
        """Notes, at a version, the stage that it has at the source and may not have here; None: no more."""
        text = None if stage is None else str(stage)
        if held.tags.get(STAGE_TAG) == text:
            return
        change: Base = {f"tag:{STAGE_TAG}": text}
        await self._db.write(
            lambda tx: self._registry.change_imported_version(tx, who, name, held.version, change, placing.by)
        )

    def _may(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.POLICY, what="imports")

    def _open(self, tx: Tx, principal: Principal, identity: str) -> str:
        """The peer of an import that goes on."""
        found = store.import_(tx, principal.workspace, identity)
        if found is None:
            raise NotFound(f"There is no import {identity[:40]}.")
        if found.ended is not None:
            raise InvalidInput(f"Import {identity} has ended.", hint="Begin another one.")
        return str(found.peer)


def _name(item: wire.Item) -> str:  # noqa: PLR0911 - one line a kind
    match item:
        case wire.PointsItem():
            return item.run
        case SpansItem():
            return item.trace
        case RecordsItem():
            return item.dataset
        case wire.FilesItem():
            return item.owner
        case wire.ModelItem():
            return item.name
        case wire.VersionItem() | wire.StageItem():
            return f"{item.model}/{item.version}"
        case wire.AliasItem():
            return f"{item.model}@{item.alias}"
        case _:
            return item.id


def _view(row: object) -> wire.ImportView:
    r: Any = row
    return wire.ImportView(
        r.id,
        r.workspace,
        r.kind,
        r.source,
        rfc3339(r.started),
        None if r.ended is None else rfc3339(r.ended),
        r.user,
        None if r.report is None else msgspec.json.decode(r.report, type=wire.Report),
    )
