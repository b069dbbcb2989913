"""Turns ledger entries into deliveries and sends them: at least once each, with the same id at each try."""

import asyncio
import contextlib
import json
import logging
import time
from random import SystemRandom
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet

from modelkeel.collaboration import store
from modelkeel.collaboration.models import GIVE_UP_MS, Outcome, entry_types, events_of, pause_ms, signature
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, KeelError
from modelkeel.core.ids import uuid7
from modelkeel.http.outgoing import Outgoing
from modelkeel.ledger.models import Entry
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

NAME = "webhooks"
BATCH = 500
TOGETHER = 8
log = logging.getLogger(__name__)


class Sender:
    """The background work of webhooks.

    Args:
        database: where deliveries are kept.
        ledger: whose entries they tell of.
        key: opens the stored secrets.
        hosts: names in private networks to which the operator lets deliveries go.
    """

    def __init__(self, database: Database, ledger: Ledger, key: Fernet, hosts: frozenset[str]) -> None:
        self._db = database
        self._ledger = ledger
        self._key = key
        self._hosts = frozenset(host.lower() for host in hosts)
        self._outgoing = Outgoing(self._hosts)
        self._random = SystemRandom()

    def allows(self, host: str) -> bool:
        """Whether the operator named this host."""
        return host.lower() in self._hosts

    async def gather_for_ever(self) -> None:
        """Makes a delivery of each entry that a webhook wants to hear of."""
        while True:
            hooks = await self._db.read(store.active)
            wanted = {hook.id: entry_types(store.load(hook).events) for hook in hooks}
            types = frozenset[str]().union(*wanted.values())
            if not hooks or not await self._gather(hooks, types):
                await self._ledger.changed(2.0, types | {"webhook.created", "webhook.updated"})

    async def send_for_ever(self) -> None:
        """Sends what is due, several at once."""
        while True:
            rows = await self._db.read(lambda tx: store.due(tx, TOGETHER))
            await asyncio.gather(*(self._deliver(row) for row in rows))
            if not rows:
                await asyncio.sleep(0.5)

    async def send(self, url: str, sealed: bytes, delivery: str, body: bytes) -> Outcome:
        """One try."""
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-MLflow-Delivery-Id": delivery,
            "X-MLflow-Timestamp": timestamp,
        }
        if sealed:
            headers["X-MLflow-Signature"] = signature(self._key.decrypt(sealed).decode(), delivery, timestamp, body)
        began = time.monotonic()
        code, text, error, final = None, "", "", False
        try:
            answer = await self._outgoing.request("POST", url, headers=headers, content=body)
            code, text = answer.status_code, answer.content[:2000].decode(errors="replace")
            error = "" if answer.is_success else f"The answer was {code}."
        except KeelError as refused:
            error, final = str(refused), isinstance(refused, InvalidInput)
        return Outcome(code, text, error, final, int((time.monotonic() - began) * 1000))

    async def _gather(self, hooks: Any, types: frozenset[str]) -> bool:
        """Handles one batch of entries; False if nothing is left to do for now."""
        batch = await self._ledger.after(NAME, BATCH)
        matching = [entry for entry in batch if entry.type in types]
        if not batch or (len(batch) < BATCH and not matching):
            return False
        bodies = [(hook, entry, *found) for entry in matching for hook in hooks if (found := _told(hook, entry))]

        def work(tx: Tx) -> None:
            for hook, entry, event, body in bodies:
                store.enqueue(tx, uuid7(tx.now), hook.id, entry.index, event, body)

        if bodies:
            await self._db.write(work)
        first = min(hook.since for hook in hooks)
        await self._ledger.handled(NAME, max(batch[-1].index, first))
        return True

    async def _deliver(self, row: sa.Row[Any]) -> None:
        outcome = await self.send(row.url, row.secret, row.id, row.body)
        attempts = row.attempts + 1

        def work(tx: Tx) -> None:
            values: dict[str, Any] = {"status": "waiting", "next_try": None}
            if not outcome.error:
                values["status"] = "delivered"
            elif outcome.final or tx.now - row.created > GIVE_UP_MS:
                values["status"] = "failed"
            else:
                values["next_try"] = tx.now + pause_ms(attempts, self._random.random())
            values |= {"attempts": attempts, "code": outcome.code, "latency_ms": outcome.latency_ms}
            store.change_delivery(tx, row.id, error=outcome.error[:1000], **values)

        await self._db.write(work)


def _told(hook: Any, entry: Entry) -> tuple[str, bytes] | None:
    """The event and the body by which a webhook hears of an entry; None if it does not."""
    if entry.workspace != hook.workspace or entry.index <= hook.since:
        return None
    wanted = store.load(hook).events
    for event in reversed(events_of(entry.type, entry.data)):  # MLflow's name first
        if event in wanted:
            return event, payload(event, entry.time, data_of(event, entry))
    return None


def data_of(event: str, entry: Entry) -> dict[str, Any]:
    """What is told: of MLflow's events in MLflow's fields, of others the entry itself."""
    texts, data = entry.texts, entry.data
    if event == entry.type:
        return {"index": entry.index, "actor": entry.actor, "subject": entry.subject, "data": data, "texts": texts}
    told: dict[str, Any] = {"name": texts.get("name", "")}
    entity = event.partition(".")[0]
    if entity == "registered_model":
        return told | {"tags": {}, "description": None} | _described(texts)
    number = str(entry.subject.get("version", "")).rpartition("/")[2]
    if entity == "model_version_alias":
        told["alias"] = texts.get("alias", "")
        return told if event.endswith("deleted") else told | {"version": number}
    told["version"] = number
    if entity == "model_version_tag":
        told["key"] = texts.get("key", "")
        return told if event.endswith("deleted") else told | {"value": texts.get("value", "")}
    made: dict[str, Any] = {
        "source": texts.get("source", ""),
        "run_id": entry.subject.get("run"),
        "tags": {},
        "description": None,
    }
    return told | made | _described(texts)


def _described(texts: dict[str, str]) -> dict[str, Any]:
    """Tags and description of something new, where the entry has them."""
    found: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        if texts.get("tags"):
            found["tags"] = json.loads(texts["tags"])
    if texts.get("description"):
        found["description"] = texts["description"]
    return found


def payload(event: str, at: str, data: dict[str, Any]) -> bytes:
    """The body of a delivery, in MLflow's form."""
    entity, _, action = event.partition(".")
    return json.dumps({"entity": entity, "action": action, "timestamp": at, "data": data}).encode()


def example(event: str) -> bytes:
    """What `test` sends: the form of the event with invented names."""
    made = {
        "name": "example_model",
        "alias": "example_alias",
        "key": "example_key",
        "value": "example_value",
        "source": "models:/123",
        "tags": '{"example_key": "example_value"}',
        "description": "An example",
    }
    subject = {"model": "example", "version": "example/1", "run": "abcd1234abcd5678"}
    now = rfc3339(int(time.time() * 1000))
    kind = "example" if event.partition(".")[0].startswith(("registered_model", "model_version")) else event
    return payload(event, now, data_of(event, Entry(0, kind, now, "", "", subject, {}, made)))
