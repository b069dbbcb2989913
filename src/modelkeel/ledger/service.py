"""The ledger: one append in the transaction of each state change; everything else reads it in order."""

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.errors import Corrupt, NotFound, PermissionDenied
from modelkeel.ledger import merkle, notes, store
from modelkeel.ledger.entries import Draft
from modelkeel.ledger.export import write_export
from modelkeel.ledger.merkle import leaf_hash
from modelkeel.ledger.models import Entry, Proof
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import unseen

ORIGIN = "modelkeel.local/ledger"
_Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event, frozenset[str] | None]
SYSTEM = Principal("system", "system", "service", "", frozenset())


class Ledger:
    """The spine.

    Args:
        database: where rows and entries commit together.
        key: signs checkpoints.
        origin: names this log in its checkpoints.
        authorizer: decides who may read the trail.
    """

    def __init__(
        self, database: Database, key: Ed25519PrivateKey, authorizer: Authorizer, origin: str = ORIGIN
    ) -> None:
        self._db = database
        self._key = key
        self._authorizer = authorizer
        self.origin = origin
        self._lock = threading.Lock()
        self._waiting: set[_Waiter] = set()

    def record(
        self,
        tx: Tx,
        actor: Principal,
        kind: str,
        subject: dict[str, str],
        data: dict[str, Any] | None = None,
        texts: dict[str, str] | None = None,
        *,
        workspace: str | None = None,
    ) -> int:
        """Appends one entry in the caller's transaction and returns its index.

        Args:
            tx: the transaction of the change itself.
            actor: who did it.
            kind: a type listed in `ledger.types`.
            subject: what it is about, kind → opaque id.
            data: enums, numbers, digests; never a name or free text.
            texts: names and free text; the entry holds salted commitments, the text is stored beside.
            workspace: the actor's by default.
        """
        draft = Draft(kind, workspace or actor.workspace, actor.id, dict(subject), data or {}, texts or {})
        return tx.participant("ledger", lambda tx: store.gather(tx, self._wake)).append(tx, draft)

    async def entries(
        self,
        principal: Principal,
        *,
        start: int = 0,
        limit: int = 100,
        types: Iterable[str] = (),
        about: tuple[str, str] | None = None,
        newest_first: bool = False,
        before: int | None = None,
        installation: bool = False,
    ) -> list[Entry]:
        """Entries of the principal's workspace, in order; with `installation` those of every workspace.

        Raises:
            PermissionDenied: the principal may not read the workspace, or is no auditor of the installation.
        """
        if installation:
            self._authorizer.require_everywhere(principal, Permission.AUDIT, what="the whole ledger")
        else:
            self._authorizer.require(principal, Permission.READ, what="the ledger")

        def work(tx: Tx) -> list[Entry]:
            rows = store.read_entries(
                tx,
                start=start,
                limit=limit,
                workspace=None if installation else principal.workspace,
                types=types,
                about=about,
                newest_first=newest_first,
                before=before,
                unseen=() if installation else unseen(principal),
            )
            return _entries(tx, rows)

        return await self._db.read(work)

    async def proof(self, principal: Principal, index: int) -> Proof:
        """The inclusion proof of one entry against the latest checkpoint.

        Raises:
            NotFound: no such entry in the principal's workspace, or no checkpoint covers it yet.
        """
        self._authorizer.require(principal, Permission.READ, what="the ledger")
        await self.sign_checkpoint()

        def work(tx: Tx) -> Proof:
            rows = store.read_entries(
                tx,
                start=index,
                limit=1,
                workspace=principal.workspace,
                before=index + 1,
                unseen=unseen(principal),
            )
            signed = store.latest_checkpoint(tx)
            if not rows or signed is None or signed.size <= index:
                raise NotFound(f"There is no entry {index} in this workspace's ledger.")
            nodes = store.read_nodes(tx, merkle.inclusion_nodes(index, signed.size))
            path = merkle.inclusion_proof(index, signed.size, lambda level, at: nodes[level, at])
            leaf = leaf_hash(rows[0].bytes)
            return Proof(
                index,
                rows[0].bytes.decode(),
                leaf.hex(),
                signed.size,
                signed.root.hex(),
                [h.hex() for h in path],
                signed.note,
            )

        return await self._db.read(work)

    async def sign_checkpoint(self) -> str:
        """Signs the tree as it stands, after proving that it extends the last signed one.

        Raises:
            Corrupt: the tree shrank or forked since then (an old backup restored, or tampering).
        """

        def work(tx: Tx) -> str:
            frontier, last = store.read_head(tx), store.latest_checkpoint(tx)
            if last is not None and last.size == frontier.size and last.root == frontier.root():
                return str(last.note)
            if last is not None:
                _prove_growth(tx, last.size, last.root, frontier.size, frontier.root())
            note = notes.sign(notes.Checkpoint(self.origin, frontier.size, frontier.root()), self._key, self.origin)
            store.add_checkpoint(tx, size=frontier.size, root=frontier.root(), note=note)
            return note

        return await self._db.write(work)

    async def checkpoint(self, principal: Principal) -> str:
        """The signed tree head, as anybody of the workspace may keep it outside."""
        self._authorizer.require(principal, Permission.READ, what="the ledger")
        return await self.sign_checkpoint()

    async def export(self, principal: Principal, directory: Path, *, installation: bool = False) -> int:
        """Writes a bundle that `verify.py`, copied into it, checks without us. Returns the count of entries.

        Args:
            principal: an auditor of the workspace, or of the installation.
            directory: is made.
            installation: every workspace's entries, instead of this one's.

        Raises:
            PermissionDenied: the principal may not, or is denied some object of the workspace.
        """
        if installation:
            self._authorizer.require_everywhere(principal, Permission.AUDIT, what="the whole ledger")
        else:
            self._authorizer.require(principal, Permission.AUDIT, what="the ledger")
        if not installation and unseen(principal):
            raise PermissionDenied(
                f"{principal.name} may not read everything of this workspace, so not export its ledger.",
                hint="Let an auditor who is denied nothing do it.",
            )

        def begin(tx: Tx) -> None:
            data = {"of": "installation" if installation else "workspace"}
            self.record(tx, principal, "export.made", {"workspace": principal.workspace}, data)

        await self._db.write(begin)
        note = await self.sign_checkpoint()
        size = notes.verify(note, [self.vkey]).size
        return await asyncio.to_thread(
            write_export,
            self._db,
            directory,
            workspace=None if installation else principal.workspace,
            checkpoint=note,
            size=size,
            vkeys=[self.vkey],
        )

    @property
    def vkey(self) -> str:
        """The public key with which checkpoints are checked, as a C2SP verifier key."""
        return notes.vkey(self._key.public_key(), self.origin)

    async def size(self) -> int:
        """How many entries there are."""
        return await self._db.read(lambda tx: store.read_head(tx).size)

    async def after(self, subscriber: str, limit: int) -> list[Entry]:
        """The next entries, of every workspace, that a subscriber has not handled."""

        def work(tx: Tx) -> list[Entry]:
            return _entries(tx, store.read_entries(tx, start=store.read_cursor(tx, subscriber), limit=limit))

        return await self._db.read(work)

    async def handled(self, subscriber: str, index: int) -> None:
        """Moves a subscriber's cursor past entry `index`."""
        await self._db.write(lambda tx: store.move_cursor(tx, subscriber, index + 1))

    async def changed(self, seconds: float, types: frozenset[str] | None = None) -> None:
        """Returns when entries were committed in this process, or after `seconds`.

        Args:
            seconds: the longest wait; entries that another process commits show only then.
            types: entry types that matter; None: all do.
        """
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event, types)
        with self._lock:
            self._waiting.add(waiter)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return
        finally:
            with self._lock:
                self._waiting.discard(waiter)

    def _wake(self, types: set[str]) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for loop, event, wanted in waiting:
            if (wanted is None or not wanted.isdisjoint(types)) and not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


def _entries(tx: Tx, rows: Iterable[sa.Row[Any]]) -> list[Entry]:
    found = list(rows)
    texts = store.read_texts(tx, [row.place for row in found])
    answers = []
    for row in found:
        body = msgspec.json.decode(row.bytes)
        plain = {name: text for name, (_, text) in texts.get(row.place, {}).items()}
        answers.append(
            Entry(row.place, row.type, body["time"], row.workspace, row.actor, body["subject"], body["data"], plain)
        )
    return answers


def _prove_growth(tx: Tx, old_size: int, old_root: bytes, size: int, root: bytes) -> None:
    advice = (
        "An old copy was restored, or the database was changed from outside. Nothing is signed until this is settled."
    )
    if size < old_size:
        raise Corrupt(f"The ledger shrank from {old_size} to {size} entries since its last checkpoint.", hint=advice)
    nodes = store.read_nodes(tx, merkle.consistency_nodes(old_size, size))
    proof = merkle.consistency_proof(old_size, size, lambda level, index: nodes[level, index])
    if not merkle.verify_consistency(old_size, size, old_root, root, proof):
        raise Corrupt(f"The ledger's first {old_size} entries are not those of its last checkpoint.", hint=advice)
