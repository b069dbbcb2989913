"""A small real log: sealed entries of three workspaces, its tree, its keys, and an export of it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelkeel.ledger import notes
from modelkeel.ledger.bundle import Part, write_bundle
from modelkeel.ledger.entries import Draft, seal
from modelkeel.ledger.merkle import Frontier, leaf_hash, omitted_nodes

ORIGIN = "example.org/ledger"


class Log:
    """Entries in memory, built with the same pure functions as the stored ledger."""

    def __init__(self, size: int) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.vkey = notes.vkey(self.key, ORIGIN)
        self.frontier = Frontier()
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.texts: list[tuple[int, str, str, str]] = []
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.chains: dict[str, tuple[int, str]] = {}
        self.home: dict[str, list[int]] = {}
        for index in range(size):
            self.add(index, f"workspace-{index % 3}")

    def add(self, index: int, workspace: str) -> None:
        wseq, wprev = self.chains.get(workspace, (0, ""))
        texts = {"name": f"Lauf {index} — ü", "note": "a\tb"} if index % 2 == 0 else {}
        salts = iter(hashlib.sha256(f"{index}{n}".encode()).digest() for n in range(len(texts)))
        draft = Draft("run.created", workspace, "user-1", {"run": f"{index:032x}"}, {"value": index / 2}, texts)
        sealed = seal(draft, time_ms=1_800_000_000_000 + index, wseq=wseq, wprev=wprev, new_salt=lambda: next(salts))
        leaf = leaf_hash(sealed.bytes)
        self.chains[workspace] = (wseq + 1, leaf.hex())
        self.home.setdefault(workspace, []).append(index)
        self.entries.append(sealed.bytes)
        self.leaves.append(leaf)
        self.texts += [(index, name, salt, text) for name, (salt, text) in sealed.salts.items()]
        self.nodes.update({(node.level, node.index): node.hash for node in self.frontier.append(leaf)})

    @property
    def checkpoint(self) -> str:
        return notes.sign(notes.Checkpoint(ORIGIN, self.frontier.size, self.frontier.root()), self.key, ORIGIN)

    def export(self, folder: Path, **changes: object) -> Path:
        content = b"a model"
        given: dict[str, object] = {
            "entries": self.entries,
            "checkpoint": self.checkpoint,
            "vkeys": [self.vkey],
            "texts": self.texts,
            "leaves": self.leaves,
            "blobs": [(hashlib.sha256(content).hexdigest(), [content[:3], content[3:]])],
        }
        write_bundle(folder, **(given | changes))  # type: ignore[arg-type]
        return folder

    def export_workspace(self, folder: Path, workspace: str) -> Path:
        mine = self.home[workspace]
        omitted = [self.nodes[place] for place in omitted_nodes(mine, self.frontier.size)]
        return self.export(
            folder,
            entries=[self.entries[index] for index in mine],
            leaves=[self.leaves[index] for index in mine],
            texts=[text for text in self.texts if text[0] in mine],
            part=Part(workspace, mine, omitted),
        )


@pytest.fixture(scope="session")
def make_log() -> Callable[[int], Log]:
    return Log


@pytest.fixture(scope="session")
def golden() -> Path:
    return Path(__file__).parents[2] / "golden" / "ledger"
