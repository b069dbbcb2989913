"""Writes an export that anybody can check with the `verify.py` in it; docs/formats/ledger.md describes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from modelkeel.core.canonical import canonical
from modelkeel.core.errors import Conflict
from modelkeel.ledger import notes, verifier
from modelkeel.ledger.merkle import leaf_hash

Text = tuple[int, str, str, str]  # (entry's index, name, salt as hex, text)


@dataclass(frozen=True, slots=True)
class Part:
    """The place of one workspace's entries in the log, for an export without the other workspaces' entries.

    Attributes:
        workspace: its id.
        indices: index of each exported entry, ascending.
        omitted: the hash of each node that `merkle.omitted_nodes(indices, size)` names, in that order.
    """

    workspace: str
    indices: Sequence[int]
    omitted: Iterable[bytes]


def write_bundle(
    directory: Path,
    *,
    entries: Iterable[bytes],
    checkpoint: str,
    vkeys: Sequence[str],
    texts: Iterable[Text] = (),
    blobs: Iterable[tuple[str, Iterable[bytes]]] = (),
    leaves: Iterable[bytes] | None = None,
    part: Part | None = None,
) -> int:
    """Writes a bundle and returns how many entries it has.

    It writes what it is given, also where that does not fit together: to say so is the verifier's task.

    Args:
        directory: a new or empty folder.
        entries: the stored bytes of each entry, in order. Read once, before everything else that is passed.
        checkpoint: the signed note that covers them.
        vkeys: the verifier keys of all who signed it.
        texts: the plain texts that still exist, ascending by index.
        blobs: (SHA-256, content in pieces) of each blob to include.
        leaves: the *stored* leaf hashes, in order. They locate an entry that was changed in the database; when left
            out they are taken from the entries, and a changed entry is found but not located.
        part: for the export of one workspace; else the entries are the whole log.

    Raises:
        Conflict: `directory` is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise Conflict(f"{directory} is not empty.", hint="Export into a new folder.")
    (directory / "entries").mkdir(parents=True, exist_ok=True)
    size, computed = _write_entries(directory / "entries", entries)
    with (directory / "leaves.bin").open("wb") as file:
        file.writelines([computed] if leaves is None else leaves)
    if part is not None:
        (directory / "indices.bin").write_bytes(b"".join(index.to_bytes(8, "big") for index in part.indices))
        (directory / "omitted.bin").write_bytes(b"".join(part.omitted))
    manifest = {
        "format": verifier.FORMAT,
        "kind": "installation" if part is None else "workspace",
        "origin": notes.parse(checkpoint)[0].origin,
        "vkeys": list(vkeys),
        "entries": size,
        "texts": _write_texts(directory / "texts.jsonl", texts),
        "blobs": _write_blobs(directory / "blobs", blobs),
    }
    if part is not None:
        manifest["workspace"] = part.workspace
    (directory / "checkpoint").write_bytes(checkpoint.encode())
    (directory / "verify.py").write_bytes(Path(verifier.__file__).read_bytes())
    (directory / "bundle.json").write_bytes(canonical(manifest))  # last: without it an unfinished export is unusable
    return size


def _write_entries(folder: Path, entries: Iterable[bytes]) -> tuple[int, bytearray]:
    """Writes the shards; returns the count and the leaf hashes that the bytes give."""
    rest, leaves = iter(entries), bytearray()
    for number in count():
        shard = list(islice(rest, verifier.SHARD))
        if not shard:
            break
        leaves += b"".join(leaf_hash(entry) for entry in shard)
        with (folder / f"{number:09}.jsonl").open("wb") as file:
            file.writelines(line for entry in shard for line in (entry, b"\n"))
    return len(leaves) // 32, leaves


def _write_texts(path: Path, texts: Iterable[Text]) -> int:
    written = 0
    with path.open("wb") as file:
        for index, name, salt, text in sorted(texts):
            file.write(canonical({"index": index, "name": name, "salt": salt, "text": text}) + b"\n")
            written += 1
    return written


def _write_blobs(folder: Path, blobs: Iterable[tuple[str, Iterable[bytes]]]) -> int:
    written = 0
    for digest, pieces in blobs:
        folder.mkdir(exist_ok=True)
        with (folder / digest).open("wb") as file:
            file.writelines(pieces)
        written += 1
    return written
