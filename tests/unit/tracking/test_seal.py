"""Seals: what an ended run's digest covers, and what a later write does to it."""

import asyncio
import hashlib
import math
import struct
import threading

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.hashing import digest_of, sha256
from modelkeel.tracking.models import ArtifactOwner, DatasetInput, Metric, RunStatus
from tests.unit.tracking.conftest import Entries


async def test_a_seal_is_the_documented_digest(keel: Keel, person: Principal, fresh: Entries) -> None:
    tracking = keel.tracking
    run = await tracking.create_run(person, "0", name="r")
    points = [Metric("b", 2.5, 7, 1), Metric("b", math.nan, 6, 2), Metric("a", -1.0, 5, -3), Metric("b", 2.0, 7, 1)]
    await tracking.log_batch(person, run.id, points, {"C": "1"}, {"team": "x"})
    await tracking.log_inputs(person, run.id, [DatasetInput("d", "1", "local", "{}", tags={"k": "v"})])
    await tracking.put_file(person, ArtifactOwner.run(run.id), "out/report.txt", b"hello")
    assert await tracking.seal_quiet_runs(0) == 0  # it still runs
    await tracking.end_run(person, run.id)
    await fresh()
    assert await tracking.seal_quiet_runs(3600) == 0  # not quiet for long enough
    await asyncio.sleep(0.01)
    assert await tracking.seal_quiet_runs(0) == 1
    assert await fresh() == ["run.sealed"]

    def series(*rows: tuple[int, int, float, int]) -> dict[str, object]:
        packed = b"".join(struct.pack(">qqdB", *row) for row in rows)
        return {"points": len(rows), "digest": hashlib.sha256(packed).hexdigest()}

    expected = digest_of(
        {
            "params": {"C": "1"},
            "tags": {"team": "x", "mlflow.runName": "r"},
            "inputs": [["d", "1", {"k": "v"}]],
            "models": {"in": [], "out": []},
            "artifacts": digest_of([["out/report.txt", sha256(b"hello"), 5]]),
            "metrics": {"a": series((-3, 5, -1.0, 0)), "b": series((1, 7, 2.0, 0), (1, 7, 2.5, 0), (2, 6, 0.0, 1))},
        }
    )
    assert (await tracking.get_run(person, run.id)).seal == expected
    entry = (await keel.ledger.entries(person, types=["run.sealed"]))[-1]
    assert entry.data == {"digest": expected, "files": 1, "points": 4}
    assert entry.subject == {"run": run.id}


async def test_a_later_write_voids_the_seal_and_gets_another(keel: Keel, person: Principal) -> None:
    tracking = keel.tracking
    run = await tracking.create_run(person, "0")
    await tracking.end_run(person, run.id)
    await asyncio.sleep(0.01)
    seals = []
    writes = [
        lambda: tracking.log_batch(person, run.id, [Metric("late", 1.0, 0)]),
        lambda: tracking.log_batch(person, run.id, params={"late": "1"}),
        lambda: tracking.set_tags(person, run.id, {"late": "1"}),
        lambda: tracking.delete_tag(person, run.id, "late"),
        lambda: tracking.put_file(person, ArtifactOwner.run(run.id), "late.txt", b"x"),
        lambda: tracking.delete_files(person, ArtifactOwner.run(run.id), "late.txt"),
    ]
    for write in [None, *writes]:
        if write is not None:
            await write()
            assert (await tracking.get_run(person, run.id)).seal is None
            await asyncio.sleep(0.01)
        assert await tracking.seal_quiet_runs(0) == 1
        seals.append((await tracking.get_run(person, run.id)).seal)
    assert await tracking.seal_quiet_runs(0) == 0
    assert len(set(seals)) == 5  # the tag and the file that came and went give an earlier seal again
    assert (seals[2], seals[4]) == (seals[4], seals[6])


async def test_a_write_that_comes_while_the_seal_is_made_leaves_the_run_unsealed(keel: Keel, person: Principal) -> None:
    run = await keel.tracking.create_run(person, "0")
    await keel.tracking.end_run(person, run.id)
    await asyncio.sleep(0.01)
    gate = threading.Event()
    held = asyncio.create_task(keel.database.write(lambda _tx: gate.wait(20)))  # the writer is busy
    await asyncio.sleep(0.05)
    late = asyncio.create_task(keel.tracking.log_batch(person, run.id, [Metric("late", 1.0, 0)]))
    await asyncio.sleep(0.05)
    sealing = asyncio.create_task(keel.tracking.seal_quiet_runs(0))  # reads the run as it was before
    await asyncio.sleep(0.3)
    gate.set()
    await asyncio.gather(held, late, sealing)
    assert (await keel.tracking.get_run(person, run.id)).seal is None
    await asyncio.sleep(0.01)
    assert await keel.tracking.seal_quiet_runs(0) == 1
    entries = await keel.ledger.entries(person, types=["run.sealed"])
    assert [entry.data["points"] for entry in entries] == [1]


async def test_a_resumed_run_is_not_sealed_until_it_ends_again(keel: Keel, person: Principal) -> None:
    run = await keel.tracking.create_run(person, "0")
    await keel.tracking.end_run(person, run.id)
    await keel.tracking.update_run(person, run.id, status=RunStatus.RUNNING)
    await asyncio.sleep(0.01)
    assert await keel.tracking.seal_quiet_runs(0) == 0
    await keel.tracking.end_run(person, run.id)
    await asyncio.sleep(0.01)
    assert await keel.tracking.seal_quiet_runs(0) == 1
