"""Use cases of triggers: set, read, pause, delete, fire by hand and by signed call."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied, Unauthenticated
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import Ledger
from modelkeel.pipelines import store as runs
from modelkeel.pipelines.finding import seen
from modelkeel.pipelines.triggers import clock, store
from modelkeel.pipelines.triggers.firing import Firings
from modelkeel.pipelines.triggers.models import Firing, SetTrigger, Trigger, check_trigger, event_of_call
from modelkeel.pipelines.triggers.paths import check_path, state_of
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

HOOKS = "/api/v1/hooks"


class Triggers:
    """The triggers of an installation. Who may start runs in a workspace may have them started.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        authorizer: decides who may do what.
        firings: starts what is due.
        key: encrypts the secrets that are stored.
        read: files and folders that the operator let pipelines read; only these are watched.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        firings: Firings,
        key: Fernet,
        read: tuple[Path, ...] = (),
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._firings = firings
        self._key = key
        self._read = read

    async def set(self, principal: Principal, name: str, wanted: SetTrigger) -> Trigger:
        """Makes or changes a trigger. What happened before it was made starts nothing.

        Raises:
            InvalidInput: it makes no sense, or gives a parameter that the pipeline does not have.
        """
        self._may(principal)
        check_trigger(name, wanted)
        mark = None
        if wanted.path is not None:
            check_path(wanted.path, self._read)
            mark = await state_of(wanted.path)

        def work(tx: Tx) -> Trigger:
            before = store.named(tx, principal.workspace, name)
            if before is not None and not self._sees(tx, principal, before):
                raise AlreadyExists(f"The name {name} is taken.", hint="Choose another.")
            content = msgspec.json.encode(wanted)
            if before is not None and before.config == content and before.principal == principal.id:
                return shown(before, self._last(tx, before))
            self._check_params(tx, principal, wanted)
            secret = None
            values: dict[str, Any] = {"kind": wanted.kind, "config": content, "principal": principal.id, "mark": mark}
            due = wanted.cron and clock.next_due(wanted.cron, wanted.timezone, tx.now)
            values |= {"next_due": due or None, "updated": tx.now}
            if wanted.webhook and (before is None or not before.secret):
                secret = _new_secret()
                values["secret"] = self._key.encrypt(secret.encode())
            identity = before.id if before else uuid7(tx.now)
            entry = self._record(tx, principal, "updated" if before else "created", identity, name, wanted)
            if before is None:
                fixed = {"id": identity, "workspace": principal.workspace, "name": name, "paused": 0}
                store.add(tx, {"secret": b"", **fixed, **values, "since": entry})
            else:
                same_kind = before.kind == wanted.kind and before.config == content
                since = {} if same_kind else {"since": entry}
                store.change(tx, identity, **values, **since)
            found = store.with_id(tx, identity)
            return msgspec.structs.replace(shown(found, self._last(tx, found)), changed=True, secret=secret)

        return await self._db.write(work)

    async def all(self, principal: Principal) -> list[Trigger]:
        """The workspace's triggers, by name."""
        self._authorizer.require(principal, Permission.READ, what="triggers")

        def work(tx: Tx) -> list[Trigger]:
            last = store.last_of(tx, principal.workspace)
            rows = store.of_workspace(tx, principal.workspace)
            return [shown(row, last.get(row.id)) for row in rows if self._sees(tx, principal, row)]

        return await self._db.read(work)

    async def get(self, principal: Principal, name: str) -> Trigger:
        """One trigger.

        Raises:
            NotFound: there is none of that name in the workspace.
        """
        self._authorizer.require(principal, Permission.READ, what="triggers")

        def work(tx: Tx) -> Trigger:
            row = self._row(tx, principal, name)
            return shown(row, self._last(tx, row))

        return await self._db.read(work)

    async def firings(self, principal: Principal, name: str, limit: int, before: str | None = None) -> list[Firing]:
        """What a trigger did, newest first; `before` is the id of the oldest that is known."""
        self._authorizer.require(principal, Permission.READ, what="triggers")

        def work(tx: Tx) -> list[Firing]:
            row = self._row(tx, principal, name)
            return [shown_firing(one, row.name) for one in store.firings(tx, row.id, limit, before)]

        return await self._db.read(work)

    async def pause(self, principal: Principal, name: str, *, paused: bool) -> Trigger:
        """Pauses a trigger, or lets it go on. What happens meanwhile starts nothing; what waited goes on waiting."""
        self._may(principal)
        path = (await self.get(principal, name)).config.path
        mark = await state_of(path) if path is not None else None

        def work(tx: Tx) -> Trigger:
            row = self._row(tx, principal, name)
            if bool(row.paused) != paused:
                config = msgspec.json.decode(row.config, type=SetTrigger)
                entry = self._record(tx, principal, "updated", row.id, name, config, paused=paused)
                due = config.cron and clock.next_due(config.cron, config.timezone, tx.now)
                values = {"next_due": due or None, "since": entry, "mark": mark, "updated": tx.now}
                store.change(tx, row.id, paused=int(paused), **values)
            return shown(self._row(tx, principal, name), self._last(tx, row))

        return await self._db.write(work)

    async def delete(self, principal: Principal, name: str) -> None:
        """Removes a trigger; runs that it started go on."""
        self._may(principal)

        def work(tx: Tx) -> None:
            row = self._row(tx, principal, name)
            store.remove(tx, row.id)
            self._ledger.record(tx, principal, "trigger.deleted", {"trigger": row.id}, {}, {"name": name})

        await self._db.write(work)

    async def new_secret(self, principal: Principal, name: str) -> Trigger:
        """Gives a trigger another secret, which is told this once; the old one ends.

        Raises:
            InvalidInput: no call starts it.
        """
        self._may(principal)

        def work(tx: Tx) -> Trigger:
            row = self._row(tx, principal, name)
            if row.kind != "webhook":
                raise InvalidInput(f"No signed call starts {name}.", hint="Set it with webhook = true.")
            secret = _new_secret()
            store.change(tx, row.id, secret=self._key.encrypt(secret.encode()), updated=tx.now)
            config = msgspec.json.decode(row.config, type=SetTrigger)
            self._record(tx, principal, "updated", row.id, name, config, secret_changed=True)
            return msgspec.structs.replace(shown(row, self._last(tx, row)), changed=True, secret=secret)

        return await self._db.write(work)

    async def fire(self, principal: Principal, name: str, params: dict[str, Any]) -> Firing:
        """Fires a trigger by hand, also a paused one; overlap counts as ever."""
        self._may(principal)

        def work(tx: Tx) -> sa.Row[Any]:
            row = self._row(tx, principal, name)
            config = msgspec.json.decode(row.config, type=SetTrigger)
            self._check_params(tx, principal, msgspec.structs.replace(config, params=config.params | params))
            event = f"hand:{uuid7(tx.now)}"
            store.fire(tx, row.id, event, params=msgspec.json.encode(params))
            return store.fired(tx, row.id, event)  # type: ignore[return-value]

        found = await self._db.write(work)
        await self._firings.settle(found, principal)
        return await self._firing(principal, name, found.id)

    async def call(self, identity: str, headers: Mapping[str, str], body: bytes) -> Firing:
        """A signed call fires a trigger, once for each call however often it is sent.

        The JSON object `params` of its body is put over the trigger's own parameters.

        Raises:
            Unauthenticated: there is no such trigger, or the call is not signed with its secret.
        """
        row = await self._db.read(lambda tx: store.with_id(tx, identity))
        if row is None or row.kind != "webhook":  # the same answer: nobody finds out which triggers there are
            raise Unauthenticated("The call is not signed with the trigger's secret.")
        event = event_of_call(self._key.decrypt(row.secret).decode(), headers, body, time.time())
        params = _params_of(body)

        def work(tx: Tx) -> tuple[sa.Row[Any], bool]:
            new = not row.paused and store.fire(tx, identity, event, params=msgspec.json.encode(params))
            found = store.fired(tx, identity, event)
            if found is None:
                raise InvalidInput(f"The trigger {row.name} is paused.", hint="`modelkeel trigger resume` ends that.")
            return found, bool(new)

        found, new = await self._db.write(work)
        if new:
            self._firings.hurry()
        return shown_firing(found, row.name)

    async def _firing(self, principal: Principal, name: str, identity: str) -> Firing:
        def work(tx: Tx) -> Firing:
            row = self._row(tx, principal, name)
            return next(shown_firing(one, name) for one in store.firings(tx, row.id, 1000) if one.id == identity)

        return await self._db.read(work)

    def _check_params(self, tx: Tx, principal: Principal, wanted: SetTrigger) -> None:
        """A pipeline that has run tells what its parameters are; of another they are seen when it is due."""
        visible = seen(self._authorizer, principal)
        source = runs.last_run(tx, principal.workspace, wanted.pipeline, captured=True, visible=visible)
        known = msgspec.json.decode(source.params) if source is not None else wanted.params
        strange = sorted(wanted.params.keys() - known.keys())
        if strange:
            raise InvalidInput(
                f"{wanted.pipeline} has no parameter {strange[0]!r}.", hint=f"It has {', '.join(known) or 'none'}."
            )

    def _record(
        self, tx: Tx, principal: Principal, event: str, identity: str, name: str, config: SetTrigger, **more: bool
    ) -> int:
        data = {"kind": config.kind, "overlap": config.overlap, **more}
        texts = {"name": name, "pipeline": config.pipeline, "config": msgspec.json.encode(config).decode()}
        return self._ledger.record(tx, principal, f"trigger.{event}", {"trigger": identity}, data, texts)

    def _last(self, tx: Tx, row: Any) -> sa.Row[Any] | None:
        return next(iter(store.firings(tx, row.id, 1)), None)

    def _row(self, tx: Tx, principal: Principal, name: str) -> sa.Row[Any]:
        found = store.named(tx, principal.workspace, name)
        if found is None or not self._sees(tx, principal, found):
            raise NotFound(f"There is no trigger {name[:100]!r}.", hint="`modelkeel trigger list` shows them.")
        return found

    def _sees(self, tx: Tx, principal: Principal, row: Any) -> bool:
        """A trigger follows its pipeline, and that the experiment of its last run."""
        visible = seen(self._authorizer, principal)
        pipeline = msgspec.json.decode(row.config, type=SetTrigger).pipeline
        at = (tx, principal.workspace, pipeline)
        return (
            visible.everything
            or runs.last_run(*at, captured=True, visible=visible) is not None
            or runs.last_run(*at, captured=True) is None
        )

    def _may(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.TRACK, what="triggers")
        if principal.kind == "anonymous":  # what starts runs later does so in somebody's name
            raise PermissionDenied("Triggers belong to an account.", hint="`modelkeel login` says how to sign in.")


def shown(row: Any, last: Any) -> Trigger:
    """A trigger as others read it."""
    config = msgspec.json.decode(row.config, type=SetTrigger)
    return Trigger(
        row.id,
        row.name,
        config,
        config.kind,
        bool(row.paused),
        row.principal,
        rfc3339(row.created),
        rfc3339(row.updated),
        rfc3339(row.next_due) if row.next_due is not None and not row.paused else None,
        f"{HOOKS}/{row.id}" if config.webhook else None,
        shown_firing(last, row.name) if last is not None else None,
    )


def shown_firing(row: Any, name: str) -> Firing:
    """What a trigger did, as others read it."""
    ended = rfc3339(row.ended) if row.ended is not None else None
    return Firing(row.id, name, row.event, rfc3339(row.due), row.status, row.run_id, row.why, ended)


def _new_secret() -> str:
    return secrets.token_urlsafe(32)


def _params_of(body: bytes) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        return {}
    params = told.get("params") if isinstance(told, dict) else None
    return params if isinstance(params, dict) else {}
