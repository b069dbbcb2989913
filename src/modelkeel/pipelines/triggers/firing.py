"""Fires triggers: notes each event once, in the transaction that moves past it, and then starts what waits.

A firing's row is unique by trigger and event, and a run is unique by firing. So a server that is killed between an
event and its note, or between the note and the run, neither loses the run nor starts a second one.
"""

import asyncio
import logging
import time
from functools import partial
from typing import Any

import msgspec

from modelkeel.core.access import Kind, Principal
from modelkeel.core.clock import now_ms, rfc3339
from modelkeel.core.errors import KeelError, Unavailable
from modelkeel.core.quantities import seconds
from modelkeel.identity.service import Identity
from modelkeel.ledger.models import Entry
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.ledger.subscriptions import Subscription
from modelkeel.pipelines.launch import Launches
from modelkeel.pipelines.triggers import clock, store
from modelkeel.pipelines.triggers.models import EVENTS, HOURLY, SetTrigger, filled, is_about
from modelkeel.pipelines.triggers.paths import NOTHING, state_of
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import about_named

TICK_SECONDS = 1.0
LOOK_SECONDS = 2.0
HOUR_MS = 3_600_000
log = logging.getLogger(__name__)


class Firings:
    """The background work of triggers.

    Args:
        database: where triggers and firings are kept.
        ledger: whose entries fire some of them, and where each firing is recorded.
        identity: knows who set a trigger, and what they may do now.
        launches: starts the runs.
    """

    def __init__(self, database: Database, ledger: Ledger, identity: Identity, launches: Launches) -> None:
        self._db = database
        self._ledger = ledger
        self._identity = identity
        self._launches = launches
        self._called = asyncio.Event()
        self._seen: dict[str, tuple[str, float]] = {}

    def hurry(self) -> None:
        """Something waits to be started: there is no need to sleep on."""
        self._called.set()

    def subscription(self) -> Subscription:
        """The ledger entries that fire triggers."""
        return Subscription("triggers", EVENTS, self.hear)

    async def run_for_ever(self) -> None:
        """Fires schedules and starts what waits, every second."""
        while True:
            await self.tick()
            try:
                await asyncio.wait_for(self._called.wait(), TICK_SECONDS)
            except TimeoutError:
                continue
            finally:
                self._called.clear()

    async def watch_for_ever(self) -> None:
        """Looks at paths."""
        while True:
            for row in await self._db.read(lambda tx: store.active(tx, "path")):
                await self._look(row)
            await asyncio.sleep(LOOK_SECONDS)

    async def tick(self) -> None:
        """Fires schedules whose time has come, then starts what waits."""
        if await self._db.read(lambda tx: store.due(tx, now_ms())):
            await self._db.write(_fire_due)
        held: set[str] = set()  # an older one of the same trigger waits on
        for row in await self._db.read(store.waiting):
            if row.trigger not in held and not await self.settle(row):
                held.add(row.trigger)

    async def hear(self, entry: Entry) -> None:
        """Notes an entry for each trigger that asks for it; heard again, it changes nothing more."""
        rows = await self._db.read(lambda tx: store.active(tx, "entry", entry.workspace))
        for row in rows:
            config = msgspec.json.decode(row.config, type=SetTrigger)
            if config.on == entry.type and entry.index > row.since and await self._told(row, config, entry):
                await self._db.write(partial(store.fire, identity=row.id, event=f"entry:{entry.index}"))
                self.hurry()

    async def settle(self, row: Any, by: Principal | None = None) -> bool:
        """Starts a run for a firing that waits, or says why there is none. False: it goes on waiting.

        Args:
            row: the firing.
            by: who fired by hand; else the run is started in the name of who set the trigger.
        """
        trigger = await self._db.read(lambda tx: store.with_id(tx, row.trigger))
        if trigger is None:
            return True
        config = msgspec.json.decode(trigger.config, type=SetTrigger)
        try:
            why = await self._held(trigger, row, config)
            if why is not None:
                return why != "" and await self._end(trigger, row, "skipped", None, why, by)
            actor = by or await self._identity.standing(trigger.principal, trigger.workspace)
            run = await self._launches.launch(actor, config.pipeline, _params(row, config), _reason(trigger, row))
        except Unavailable as error:
            log.warning("trigger %s waits: %s", trigger.name, error)
            return False
        except KeelError as error:
            return await self._end(trigger, row, "failed", None, str(error), by)
        return await self._end(trigger, row, "launched", run, "", by)

    async def _held(self, trigger: Any, row: Any, config: SetTrigger) -> str | None:
        """Why no run is started: in words; an empty text means not yet, None that nothing speaks against it."""
        going = await self._db.read(lambda tx: store.under_way(tx, row.trigger))
        if going and config.overlap == "skip":
            return f"The run {going[0]} was under way."
        if going and config.overlap == "queue":
            return ""
        if going and config.overlap == "cancel":
            for run in going:
                await self._launches.end(trigger.workspace, run, f"The trigger fired again ({row.event}).")
        now = now_ms()
        pause = seconds(config.at_most_every) if config.at_most_every is not None else 0.0
        if pause and await self._count(row.trigger, now - round(pause * 1000)):
            return f"A run was started less than {config.at_most_every} before."
        if await self._count(row.trigger, now - HOUR_MS) >= HOURLY:
            return f"The trigger started {HOURLY} runs within the hour."
        return None

    async def _count(self, identity: str, since: int) -> int:
        return await self._db.read(lambda tx: store.launches_since(tx, identity, since))

    async def _end(self, trigger: Any, row: Any, status: str, run: str | None, why: str, by: Principal | None) -> bool:
        def work(tx: Tx) -> None:
            if not store.settle(tx, row.id, status, run, why):
                return
            subject = {"trigger": trigger.id} | ({"run": run} if run else {})
            data = {"status": status, "kind": row.event.partition(":")[0], "due": row.due, "firing": row.id}
            self._ledger.record(
                tx,
                by or SYSTEM,
                "trigger.fired",
                subject,
                data,
                {"why": why} if why else {},
                workspace=trigger.workspace,
            )

        await self._db.write(work)
        return True

    async def _told(self, row: Any, config: SetTrigger, entry: Entry) -> bool:
        """Whether an entry is about what a trigger asks for, and may be read by who set it."""

        def ids(tx: Tx) -> dict[str, Any]:
            named = {str(kind): config.where[kind] for kind in Kind if kind in config.where}
            found = dict(config.where)
            for kind, name in named.items():
                found |= about_named(tx, Kind(kind), entry.workspace, str(name)) or {kind: ""}
            return found

        where = await self._db.read(ids)
        if not is_about(where, entry.subject, entry.data, entry.texts):
            return False
        try:
            actor = await self._identity.standing(row.principal, row.workspace)
        except KeelError:
            return False  # who set it is not there any more
        at = entry.index
        return bool(await self._ledger.entries(actor, start=at, limit=1, before=at + 1))

    async def _look(self, row: Any) -> None:
        config = msgspec.json.decode(row.config, type=SetTrigger)
        state = await state_of(config.path or "")
        if state in {row.mark, NOTHING}:
            self._seen.pop(row.id, None)
            return
        before, since = self._seen.get(row.id, ("", 0.0))
        if before != state:
            self._seen[row.id] = (state, time.monotonic())
            return
        if time.monotonic() - since < seconds(config.settle):
            return

        def work(tx: Tx) -> None:
            now = store.with_id(tx, row.id)
            if now is not None and now.config == row.config and now.mark == row.mark and not now.paused:
                store.fire(tx, row.id, f"data:{state}:{tx.now}")
                store.change(tx, row.id, mark=state)

        await self._db.write(work)
        self.hurry()


def _fire_due(tx: Tx) -> None:
    """Notes what schedules are due, and moves them on."""
    for row in store.due(tx, tx.now):
        config = msgspec.json.decode(row.config, type=SetTrigger)
        cron = config.cron or ""
        times = clock.missed(cron, config.timezone, row.next_due, tx.now)
        for moment in clock.caught_up(config.catch_up, times, tx.now):
            store.fire(tx, row.id, f"cron:{rfc3339(moment)}", moment)
        store.change(tx, row.id, next_due=clock.next_due(cron, config.timezone, tx.now))


def _params(row: Any, config: SetTrigger) -> dict[str, Any]:
    values = {"due": rfc3339(row.due), "date": clock.day(row.due, config.timezone), "event": row.event}
    if row.event.startswith("data:"):
        values["data"] = row.event.removeprefix("data:").rpartition(":")[0]
    return filled(config.params | msgspec.json.decode(row.params), values)


def _reason(trigger: Any, row: Any) -> dict[str, Any]:
    return {"action": row.id, "trigger": trigger.id, "event": row.event.partition(":")[0], "due": row.due}
