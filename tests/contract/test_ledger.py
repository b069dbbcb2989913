"""The ledger over every database: entry and row commit together, checkpoints refuse a shrunken or forked tree."""

import asyncio

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelkeel.core.access import PERMISSIONS, Principal, Role
from modelkeel.core.errors import Corrupt, InvalidInput
from modelkeel.identity.authorizer import RoleAuthorizer
from modelkeel.ledger import merkle, notes, store
from modelkeel.ledger.service import Ledger
from modelkeel.ledger.verifier import verify
from modelkeel.storage.database import Database

ANN = Principal("u1", "ann", "user", "w1", PERMISSIONS[Role.ADMIN])
BOB = Principal("u2", "bob", "user", "w2", PERMISSIONS[Role.ADMIN])


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, Ed25519PrivateKey.generate(), RoleAuthorizer())


def _entry(ledger: Ledger, who: Principal, run: str, *, fail: bool = False):
    def work(tx):
        index = ledger.record(tx, who, "run.created", {"run": run}, {}, {"name": f"run {run}"})
        if fail:
            raise InvalidInput("no")
        return index

    return work


async def test_concurrent_entries_get_consecutive_places(ledger: Ledger, database: Database):
    people = [ANN, BOB]
    units = [database.write(_entry(ledger, people[n % 2], str(n), fail=n % 7 == 3)) for n in range(70)]
    results = await asyncio.gather(*units, return_exceptions=True)
    places = sorted(r for r in results if isinstance(r, int))
    assert places == list(range(60))
    seen = await ledger.entries(ANN, limit=1000)
    assert {e.workspace for e in seen} == {"w1"}
    assert [e.texts["name"] for e in seen] == [f"run {e.subject['run']}" for e in seen]


async def test_every_entry_proves_against_the_checkpoint(ledger: Ledger, database: Database):
    for n in range(11):
        await database.write(_entry(ledger, ANN, str(n)))
    for n in range(11):
        proof = await ledger.proof(ANN, n)
        signed = notes.verify(proof.checkpoint, [ledger.vkey])
        path = [bytes.fromhex(h) for h in proof.path]
        assert merkle.leaf_hash(proof.entry.encode()).hex() == proof.leaf
        assert merkle.verify_inclusion(bytes.fromhex(proof.leaf), n, signed.size, path, signed.root)


async def test_a_shrunken_tree_is_never_signed(ledger: Ledger, database: Database):
    for n in range(5):
        await database.write(_entry(ledger, ANN, str(n)))
    older = await database.read(store.read_head)
    for n in range(5):
        await database.write(_entry(ledger, ANN, str(n)))
    await ledger.sign_checkpoint()
    back = {"size": older.size, "frontier": older.to_bytes()}
    await database.write(lambda tx: tx.run(sa.update(store.head).values(**back)))
    with pytest.raises(Corrupt, match="shrank from 10 to 5"):
        await ledger.sign_checkpoint()


async def test_a_forked_tree_is_never_signed(ledger: Ledger, database: Database):
    for n in range(4):
        await database.write(_entry(ledger, ANN, str(n)))
    await ledger.sign_checkpoint()
    fork = merkle.Frontier()
    nodes = [node for n in range(6) for node in fork.append(merkle.leaf_hash(b"%d" % n))]
    rows = [{"level": n.level, "index": n.index, "hash": n.hash} for n in nodes]

    def forge(tx):
        tx.upsert(store.node, rows, keys=["level", "index"], update=["hash"])
        tx.run(sa.update(store.head).values(size=fork.size, frontier=fork.to_bytes()))

    await database.write(forge)
    with pytest.raises(Corrupt, match="not those of its last checkpoint"):
        await ledger.sign_checkpoint()


async def test_an_export_verifies_and_a_flipped_byte_is_named(ledger: Ledger, database: Database, tmp_path):
    for n in range(9):
        await database.write(_entry(ledger, ANN, str(n)))
    target = tmp_path / "export"
    assert await ledger.export(ANN, target) == 10
    assert verify(target).verdict == "ok"
    shard = next((target / "entries").iterdir())
    content = bytearray(shard.read_bytes())
    place = content.index(b'"run":"4"') + 7
    content[place] ^= 1
    shard.write_bytes(content)
    report = verify(target)
    assert report.verdict == "tampered"
    assert [p.index for p in report.problems][:1] == [4]
