"""The ledger's tables, and the group's gathering of entries: rows and nodes are written once, before the commit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from modelkeel.core.clock import now_ms
from modelkeel.ledger.entries import Draft, seal
from modelkeel.ledger.merkle import Frontier, leaf_hash
from modelkeel.storage.prepared import Prepared
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

head = sa.Table(
    "ledger_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frontier", sa.LargeBinary, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
)
entry = sa.Table(
    "ledger_entry",
    metadata,
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("wseq", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("bytes", sa.LargeBinary, nullable=False),
    sa.Index("ix_ledger_entry_workspace_wseq", "workspace", "wseq", unique=True),
    sa.Index("ix_ledger_entry_workspace_type_index", "workspace", "type", "index"),
)
node = sa.Table(
    "ledger_node",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
subject = sa.Table(
    "ledger_subject",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
)
text = sa.Table(
    "ledger_text",
    metadata,
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("salt", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
workspace_head = sa.Table(
    "ledger_workspace",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("wseq", sa.BigInteger, nullable=False),
    sa.Column("wprev", sa.Text, nullable=False),
)
checkpoint = sa.Table(
    "ledger_checkpoint",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
)
cursor = sa.Table(
    "ledger_cursor",
    metadata,
    sa.Column("subscriber", sa.Text, primary_key=True),
    sa.Column("index", sa.BigInteger, nullable=False),
)

# Built once: making a statement anew costs more than running it.
_READ_HEAD = Prepared(sa.select(head.c.frontier, head.c.time).with_for_update())
_MOVE_HEAD = Prepared(
    sa.update(head).values(
        size=sa.bindparam("new_size"), frontier=sa.bindparam("new_frontier"), time=sa.bindparam("new_time")
    )
)
_READ_CHAIN = Prepared(
    sa.select(workspace_head.c.wseq, workspace_head.c.wprev).where(workspace_head.c.workspace == sa.bindparam("at"))
)

_TYPE = 3  # its place in a row of `entry`
Rows = dict[sa.Table, list[tuple[Any, ...]]]  # values in the order of the table's columns


@dataclass(slots=True)
class Gathering:
    """The entries of one group of writes; a `Participant`."""

    frontier: Frontier
    clock: int
    wake: Callable[[set[str]], None]
    rows: Rows = field(default_factory=lambda: {entry: [], node: [], subject: [], text: []})
    chains: dict[str, tuple[int, str]] = field(default_factory=dict)

    def mark(self) -> tuple[Frontier, dict[sa.Table, int], dict[str, tuple[int, str]], int]:
        """What `restore` needs to forget everything gathered after now."""
        counts = {table: len(rows) for table, rows in self.rows.items()}
        return self.frontier.copy(), counts, dict(self.chains), self.clock

    def restore(self, mark: tuple[Frontier, dict[sa.Table, int], dict[str, tuple[int, str]], int]) -> None:
        self.frontier, counts, self.chains, self.clock = mark
        for table, rows in self.rows.items():
            del rows[counts[table] :]

    def append(self, tx: Tx, draft: Draft) -> int:
        """Seals a draft as the next entry and returns its index."""
        if draft.workspace not in self.chains:
            found = _READ_CHAIN.one(tx, {"at": draft.workspace})
            self.chains[draft.workspace] = (found[0], found[1]) if found else (0, "")
        wseq, wprev = self.chains[draft.workspace]
        self.clock = max(self.clock, tx.now)  # the ledger's time never runs backwards
        sealed = seal(draft, time_ms=self.clock, wseq=wseq, wprev=wprev)
        index, digest = self.frontier.size, leaf_hash(sealed.bytes)
        self.rows[entry].append((index, draft.workspace, wseq, draft.type, self.clock, draft.actor, sealed.bytes))
        self.rows[node] += [(n.level, n.index, n.hash) for n in self.frontier.append(digest)]
        self.rows[subject] += [(kind, str(identity), index) for kind, identity in draft.subject.items()]
        self.rows[text] += [(index, name, salt, plain) for name, (salt, plain) in sealed.salts.items()]
        self.chains[draft.workspace] = (wseq + 1, digest.hex())
        return index

    def flush(self, tx: Tx) -> None:
        if not self.rows[entry]:
            return
        for table, rows in self.rows.items():
            if rows:
                tx.insert_many(table, rows)
        chains = [{"workspace": w, "wseq": wseq, "wprev": wprev} for w, (wseq, wprev) in self.chains.items()]
        tx.upsert(workspace_head, chains, keys=["workspace"], update=["wseq", "wprev"])
        edge = self.frontier
        _MOVE_HEAD.run(tx, {"new_size": edge.size, "new_frontier": edge.to_bytes(), "new_time": self.clock})

    def committed(self) -> None:
        if self.rows[entry]:
            self.wake({row[_TYPE] for row in self.rows[entry]})


def gather(tx: Tx, wake: Callable[[set[str]], None]) -> Gathering:
    """Locks the head (on Postgres; SQLite has one writer) and starts a group's gathering from it."""
    found = _READ_HEAD.one(tx, {})
    if found is None:
        tx.upsert(head, {"id": 1, "size": 0, "frontier": Frontier().to_bytes(), "time": 0}, keys=["id"])
        found = _READ_HEAD.one(tx, {})
    frontier, last = (Frontier.from_bytes(found[0]), found[1]) if found else (Frontier(), 0)
    return Gathering(frontier, max(last, now_ms()), wake)


def read_head(tx: Tx) -> Frontier:
    """The tree's right edge as committed."""
    found = tx.scalar(sa.select(head.c.frontier))
    return Frontier.from_bytes(found) if found else Frontier()


def read_entries(
    tx: Tx,
    *,
    start: int,
    limit: int,
    workspace: str | None = None,
    types: Iterable[str] = (),
    about: tuple[str, str] | None = None,
    newest_first: bool = False,
    before: int | None = None,
    unseen: Sequence[tuple[str, sa.Select[Any]]] = (),
) -> Sequence[sa.Row[Any]]:
    """Entries from `start` on (and below `before`), of one workspace, of some types, about one subject.

    An entry about a subject that `unseen` names, as kind and ids, is left out.
    """
    query = sa.select(entry, entry.c.index.label("place")).where(entry.c.index >= start)
    if before is not None:
        query = query.where(entry.c.index < before)
    if workspace is not None:
        query = query.where(entry.c.workspace == workspace)
    wanted = list(types)
    if wanted:
        query = query.where(entry.c.type.in_(wanted))
    if about is not None:
        kind, identity = about
        query = query.join(subject, subject.c.index == entry.c.index).where(
            subject.c.kind == kind, subject.c.id == identity
        )
    for kind, identities in unseen:
        hidden = subject.alias("hidden")
        of = (hidden.c.index == entry.c.index, hidden.c.kind == kind, hidden.c.id.in_(identities))
        query = query.where(~sa.exists().where(*of))
    order = entry.c.index.desc() if newest_first else entry.c.index
    return tx.all(query.order_by(order).limit(limit))


def read_texts(tx: Tx, indexes: Iterable[int]) -> dict[int, dict[str, tuple[str, str]]]:
    """Of each entry, its texts as name → (salt, text); erased ones are gone."""
    texts: dict[int, dict[str, tuple[str, str]]] = {}
    wanted = list(indexes)
    for start in range(0, len(wanted), 500):
        for row in tx.all(
            sa.select(text, text.c.index.label("place")).where(text.c.index.in_(wanted[start : start + 500]))
        ):
            texts.setdefault(row.place, {})[row.name] = (row.salt, row.text)
    return texts


def read_nodes(tx: Tx, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Stored subtree hashes by (level, index)."""
    levels: dict[int, list[int]] = {}
    for level, index in wanted:
        levels.setdefault(level, []).append(index)
    nodes: dict[tuple[int, int], bytes] = {}
    for level, indexes in levels.items():
        for start in range(0, len(indexes), 500):
            part = node.c.index.in_(indexes[start : start + 500])
            rows = tx.all(sa.select(node.c.index.label("place"), node.c.hash).where(node.c.level == level, part))
            nodes.update({(level, row.place): row.hash for row in rows})
    return nodes


def read_leaves(tx: Tx, start: int, limit: int) -> Sequence[sa.Row[Any]]:
    """Stored leaf hashes, in order."""
    query = sa.select(node.c.index.label("place"), node.c.hash).where(node.c.level == 0, node.c.index >= start)
    return tx.all(query.order_by(node.c.index).limit(limit))


def indexes_of(tx: Tx, workspace: str | None, size: int) -> list[int]:
    """Places of a workspace's entries (None: of all) below `size`, ascending."""
    query = sa.select(entry.c.index.label("place")).where(entry.c.index < size)
    query = query if workspace is None else query.where(entry.c.workspace == workspace)
    return [row.place for row in tx.all(query.order_by(entry.c.index))]


def latest_checkpoint(tx: Tx) -> sa.Row[Any] | None:
    """The last checkpoint that was signed."""
    return tx.one(sa.select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1))


def add_checkpoint(tx: Tx, *, size: int, root: bytes, note: str) -> None:
    """Keeps a signed checkpoint."""
    row = {"size": size, "root": root, "note": note, "time": tx.now}
    tx.upsert(checkpoint, row, keys=["size"])


def read_cursor(tx: Tx, subscriber: str) -> int:
    """The index of the next entry that a subscriber has not handled."""
    return int(tx.scalar(sa.select(cursor.c.index).where(cursor.c.subscriber == subscriber)) or 0)


def move_cursor(tx: Tx, subscriber: str, index: int) -> None:
    """Says that a subscriber has handled everything below `index`."""
    tx.upsert(cursor, {"subscriber": subscriber, "index": index}, keys=["subscriber"], update=["index"])
