"""Use cases of webhooks: make, read, change, delete, try, and the log of their deliveries."""

from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from cryptography.fernet import Fernet

from modelkeel.collaboration import store
from modelkeel.collaboration.models import (
    Delivery,
    NewWebhook,
    Outcome,
    Webhook,
    WebhookStatus,
    check_events,
    check_webhook_name,
)
from modelkeel.collaboration.sending import Sender, example
from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.rules import check_length


class Webhooks:
    """The webhooks of an installation. Only who may set policies manages them: they carry a workspace's news outside.

    Args:
        database: where rows and entries commit together.
        ledger: where state changes are recorded.
        authorizer: decides who may do what.
        sender: sends, and knows which hosts the operator allows.
        key: encrypts the secrets that are stored.
    """

    def __init__(self, database: Database, ledger: Ledger, authorizer: Authorizer, sender: Sender, key: Fernet) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._sender = sender
        self._key = key

    async def create(self, principal: Principal, asked: NewWebhook) -> Webhook:
        """A new webhook, which hears of what happens from now on.

        Raises:
            InvalidInput: the name, an event or the address will not do.
        """
        self._may(principal)
        check_webhook_name(asked.name)
        check_events(asked.events)
        check_length("description", asked.description, 5000)
        self._check_url(asked.url)

        def work(tx: Tx) -> Webhook:
            identity = uuid7(tx.now)
            events = sorted(set(asked.events), key=asked.events.index)
            texts = {"name": asked.name, "url": asked.url}
            data = {"events": events, "status": str(asked.status), "signed": bool(asked.secret)}
            entry = self._ledger.record(tx, principal, "webhook.created", {"webhook": identity}, data, texts)
            row = {
                "id": identity,
                "workspace": principal.workspace,
                "name": asked.name,
                "url": asked.url,
                "events": msgspec.json.encode(events).decode(),
                "description": asked.description,
                "status": asked.status,
                "secret": self._sealed(asked.secret),
                "since": entry,
            }
            store.add(tx, row)
            return store.load(self._row(tx, principal, identity))

        return await self._db.write(work)

    async def get(self, principal: Principal, identity: str) -> Webhook:
        """One webhook.

        Raises:
            NotFound: there is none in the workspace.
        """
        self._may(principal)
        return await self._db.read(lambda tx: store.load(self._row(tx, principal, identity)))

    async def all(self, principal: Principal) -> list[Webhook]:
        """The workspace's webhooks, oldest first."""
        self._may(principal)
        return await self._db.read(lambda tx: store.of_workspace(tx, principal.workspace))

    async def update(
        self,
        principal: Principal,
        identity: str,
        *,
        name: str | None = None,
        url: str | None = None,
        events: list[str] | None = None,
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """Changes what is given; where nothing differs, nothing happens."""
        self._may(principal)
        if name is not None:
            check_webhook_name(name)
        if events is not None:
            check_events(events)
        check_length("description", description or "", 5000)
        if url is not None:
            self._check_url(url)

        def work(tx: Tx) -> Webhook:
            before = store.load(self._row(tx, principal, identity))
            wanted: dict[str, object] = {
                "name": name,
                "url": url,
                "events": events,
                "description": description,
                "status": status,
            }
            changed = {key: new for key, new in wanted.items() if new is not None and new != getattr(before, key)}
            if not changed and secret is None:
                return before
            values: dict[str, object] = changed | (
                {"events": msgspec.json.encode(events).decode()} if "events" in changed else {}
            )
            if secret is not None:
                values["secret"] = self._sealed(secret)
            store.change(tx, identity, **values)
            after = store.load(self._row(tx, principal, identity))
            data = {"events": after.events, "status": str(after.status), "signed": after.signed}
            data["secret_changed"] = secret is not None
            texts = {"name": after.name, "url": after.url}
            self._ledger.record(tx, principal, "webhook.updated", {"webhook": identity}, data, texts)
            return after

        return await self._db.write(work)

    async def delete(self, principal: Principal, identity: str) -> None:
        """Removes a webhook; what was on its way is not sent any more."""
        self._may(principal)

        def work(tx: Tx) -> None:
            row = self._row(tx, principal, identity)
            store.remove(tx, identity)
            self._ledger.record(tx, principal, "webhook.deleted", {"webhook": identity}, {}, {"name": row.name})

        await self._db.write(work)

    async def test(self, principal: Principal, identity: str, event: str | None = None) -> Outcome:
        """Sends an example of an event, once; without `event` of its first."""
        self._may(principal)
        row = await self._db.read(lambda tx: self._row(tx, principal, identity))
        named = event or store.load(row).events[0]
        check_events([named])
        return await self._sender.send(row.url, row.secret, uuid7(), example(named))

    async def deliveries(self, principal: Principal, identity: str, limit: int = 100) -> list[Delivery]:
        """A webhook's deliveries, newest first."""
        self._may(principal)

        def work(tx: Tx) -> list[Delivery]:
            self._row(tx, principal, identity)
            return store.deliveries(tx, identity, limit)

        return await self._db.read(work)

    async def redeliver(self, principal: Principal, identity: str, delivery: str) -> Delivery:
        """Sends a delivery again, under the same id; its tries are counted on, its time starts anew.

        Raises:
            NotFound: there is none.
        """
        self._may(principal)

        def work(tx: Tx) -> Delivery:
            self._row(tx, principal, identity)
            if store.delivery(tx, delivery, identity) is None:
                raise NotFound(f"Webhook {identity} has no delivery {delivery}.")
            store.change_delivery(tx, delivery, status="waiting", next_try=tx.now, created=tx.now)
            found = store.delivery(tx, delivery, identity)
            assert found is not None  # noqa: S101 - the row was changed in this transaction
            return found

        return await self._db.write(work)

    def _may(self, principal: Principal) -> None:
        self._authorizer.require(principal, Permission.POLICY, what="webhooks")

    def _row(self, tx: Tx, principal: Principal, identity: str) -> sa.Row[tuple[object, ...]]:
        found = store.find(tx, principal.workspace, identity)
        if found is None:
            raise NotFound(f"Webhook with ID {identity} not found.")
        return found

    def _sealed(self, secret: str) -> bytes:
        return self._key.encrypt(secret.encode()) if secret else b""

    def _check_url(self, url: str) -> None:
        """What can be judged without asking anybody; the address itself is judged at each try."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host or len(url) > 2000 or not url.isprintable():
            raise InvalidInput(f"Webhook URL must include a hostname: {url[:200]!r}")
        if parts.scheme != "https" and not (parts.scheme == "http" and self._sender.allows(host)):
            raise InvalidInput(
                f"Invalid webhook URL scheme: {parts.scheme!r}. Allowed schemes are: https.",
                hint="For a host of your own network the operator starts the server with --webhook-host.",
            )
