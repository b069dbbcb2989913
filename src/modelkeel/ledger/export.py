"""Reads the ledger into a bundle: all of it where one workspace is all there is, else that workspace's part."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from modelkeel.ledger import bundle, merkle, store
from modelkeel.storage.database import Database

PAGE = 5000


def write_export(
    database: Database, directory: Path, *, workspace: str | None, checkpoint: str, size: int, vkeys: list[str]
) -> int:
    """Writes the first `size` entries, as far as they are the workspace's (None: all), with stored hashes and texts.

    Returns:
        How many entries the bundle holds.
    """
    indexes = database.read_now(lambda tx: store.indexes_of(tx, workspace, size))
    whole = len(indexes) == size
    part = None
    if not whole and workspace is not None:
        places = merkle.omitted_nodes(indexes, size)
        nodes = database.read_now(lambda tx: store.read_nodes(tx, places))
        part = bundle.Part(workspace, indexes, [nodes[place] for place in places])
    return bundle.write_bundle(
        directory,
        entries=_entries(database, workspace, size),
        checkpoint=checkpoint,
        vkeys=vkeys,
        texts=_texts(database, indexes),
        leaves=_leaves(database, indexes, size),
        part=part,
    )


def _entries(database: Database, workspace: str | None, size: int) -> Iterator[bytes]:
    start = 0
    while start < size:
        page = partial(store.read_entries, start=start, limit=PAGE, workspace=workspace, before=size)
        rows = database.read_now(page)
        if not rows:
            return
        yield from (row.bytes for row in rows)
        start = rows[-1].place + 1


def _leaves(database: Database, indexes: list[int], size: int) -> Iterator[bytes]:
    wanted = set(indexes)
    for start in range(0, size, PAGE):
        rows = database.read_now(partial(store.read_leaves, start=start, limit=min(PAGE, size - start)))
        yield from (row.hash for row in rows if row.place in wanted)


def _texts(database: Database, indexes: list[int]) -> Iterable[bundle.Text]:
    for start in range(0, len(indexes), PAGE):
        found = database.read_now(partial(store.read_texts, indexes=indexes[start : start + PAGE]))
        for index, texts in sorted(found.items()):
            yield from ((index, name, salt, text) for name, (salt, text) in sorted(texts.items()))
