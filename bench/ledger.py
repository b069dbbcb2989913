"""Ledger append with full durability, by one writer and by many, and offline verification of an export.

`python -m bench.ledger [--entries N] [--peer]` prints one JSON line a figure. Appending is one entry in its own
acknowledged write on SQLite with `synchronous=FULL`; many writers share commits. With `--peer`, pymerkle's SQLite tree
(the RFC's tree over stored leaves, without entries, commitments, or rows beside them) does the same with bare leaves.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.peers import environment
from modelkeel.core.access import PERMISSIONS, Principal, Role
from modelkeel.identity.authorizer import RoleAuthorizer
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.migrate import migrate
from modelkeel.storage.transaction import Tx

WHO = Principal("bench", "bench", "user", "w", PERMISSIONS[Role.ADMIN])
WRITERS = 64


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Prints one result."""
    print(json.dumps({"bench": "ledger", "figure": name, "value": round(value, 1), "unit": unit} | more), flush=True)


def append(ledger: Ledger) -> Callable[[Tx], int]:
    """One entry, as a run's creation makes it."""
    return lambda tx: ledger.record(tx, WHO, "run.created", {"run": "0" * 32}, {"experiment": "1"}, {"name": "a run"})


async def one_by_one(database: Database, ledger: Ledger, entries: int) -> float:
    """Seconds for so many acknowledged writes, one after another."""
    began = time.perf_counter()
    for _ in range(entries):
        await database.write(append(ledger))
    return time.perf_counter() - began


async def together(database: Database, ledger: Ledger, entries: int) -> float:
    """Seconds for so many acknowledged writes by many writers at once."""

    async def writer() -> None:
        for _ in range(entries // WRITERS):
            await database.write(append(ledger))

    began = time.perf_counter()
    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    return time.perf_counter() - began


PEER = """
import json, sys, tempfile, time
from pymerkle import SqliteTree
with tempfile.TemporaryDirectory() as folder:
    few, many = int(sys.argv[1]), int(sys.argv[2])
    with SqliteTree(folder + "/peer.db", algorithm="sha256") as tree:
        tree.con.execute("PRAGMA synchronous=FULL")
        leaf = b"x" * 400
        began = time.perf_counter()
        for _ in range(few):
            tree.append_entry(leaf)
        one = few / (time.perf_counter() - began)
        began = time.perf_counter()
        tree.append_entries([leaf] * many)
        together = many / (time.perf_counter() - began)
print(json.dumps([one, together]))
"""


def peer(few: int, many: int) -> None:
    """Bare leaves into pymerkle's tree, in an environment of its own: one commit each, then one commit for all."""
    python = environment("pymerkle", "pymerkle==7.0.0")
    done = subprocess.run([str(python), "-c", PEER, str(few), str(many)], check=True, capture_output=True, text=True)
    one, together = json.loads(done.stdout)
    figure("pymerkle, append one by one", one, "leaves/s")
    figure("pymerkle, append in one commit", together, "leaves/s")


def main() -> None:
    """Measures appending, then verification of what was appended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=50_000)
    parser.add_argument("--peer", action="store_true")
    arguments = parser.parse_known_args()[0]
    entries = arguments.entries
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'bench.db'}")
        migrate(database)
        ledger = Ledger(database, Ed25519PrivateKey.generate(), RoleAuthorizer())
        few = entries // 20
        figure("append one by one", few / asyncio.run(one_by_one(database, ledger, few)), "entries/s")
        figure(
            "append together", entries / asyncio.run(together(database, ledger, entries)), "entries/s", writers=WRITERS
        )
        total = asyncio.run(ledger.export(WHO, folder / "export"))
        began = time.perf_counter()
        command = [sys.executable, str(folder / "export" / "verify.py"), str(folder / "export"), "--json"]
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        figure("offline verification", total / seconds, "entries/s", entries=total, seconds=round(seconds, 2))
        database.close()
    if arguments.peer:
        peer(few, entries)


if __name__ == "__main__":
    main()
