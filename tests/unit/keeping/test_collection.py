"""The collection of what was deleted: exactly what nothing refers to goes, nothing else, and holds are respected."""

import asyncio
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelkeel.keeping import collecting
from modelkeel.keeping.models import Collect, Collection, PlaceHold
from modelkeel.storage.blobs import CHUNK, BlobRef
from modelkeel.storage.holdings import Condemned, condemn, held, hold, spare
from modelkeel.tracking.holds import HoldKind
from modelkeel.tracking.models import ArtifactOwner, Metric
from tests.unit.registry.conftest import Registered
from tests.unit.tracking.conftest import Entries

NOW = Collect(older_than_days=0, grace_seconds=0)


def size_of_store(keel: Keel) -> int:
    return sum(p.stat().st_size for p in (keel.home.path / "blobs").rglob("*") if p.is_file())


async def run_with(keel: Keel, person: Principal, **files: bytes) -> str:
    run = await keel.tracking.create_run(person, "0")
    for name, content in files.items():
        await keel.tracking.put_file(person, ArtifactOwner.run(run.id), name, content)
    return run.id


def names(found: Collection) -> list[tuple[str, str]]:
    return [(thing.kind, thing.id) for thing in found.going]


async def test_only_what_nothing_else_refers_to_is_freed(
    keel: Keel, person: Principal, admin: Principal, fresh: Entries
) -> None:
    shared, own = os.urandom(2 * CHUNK + 5), os.urandom(1000)
    gone = await run_with(keel, person, shared=shared, own=own)
    stays = await run_with(keel, person, other=shared)
    await keel.tracking.log_batch(person, gone, [Metric("auc", 0.5, 1)], {"lr": "1"}, {"k": "v"})
    assert names(await keel.keeping.look(admin, NOW)) == []
    before = size_of_store(keel)
    await keel.tracking.delete_run(person, gone)
    await fresh()
    seen = await keel.keeping.look(admin, NOW)
    assert (names(seen), seen.blobs, seen.bytes, seen.applied) == ([("run", gone)], 1, 1000, False)
    assert await fresh() == [], "a look changes nothing"
    assert (await keel.tracking.get_run(person, gone)).id == gone
    done = await keel.keeping.collect(admin, NOW)
    assert (names(done), done.blobs, done.bytes, done.applied) == ([("run", gone)], 1, 1000, True)
    assert await fresh() == ["run.purged", "gc.ended"]
    assert size_of_store(keel) == before - 1000
    assert await keel.tracking.read_file(person, ArtifactOwner.run(stays), "other") == shared
    with pytest.raises(NotFound):
        await keel.tracking.restore_run(person, gone)
    again = await keel.keeping.collect(admin, NOW)
    assert (again.going, again.blobs) == ([], 0)


async def test_the_last_reference_frees_a_long_file_with_its_list(
    keel: Keel, person: Principal, admin: Principal
) -> None:
    empty = size_of_store(keel)
    run = await run_with(keel, person, long=os.urandom(3 * CHUNK))
    await keel.tracking.delete_files(person, ArtifactOwner.run(run), "long")
    seen = await keel.keeping.look(admin, NOW)
    assert seen.blobs == 4
    assert (await keel.keeping.collect(admin, NOW)).bytes == seen.bytes
    assert size_of_store(keel) == empty


async def test_what_was_deleted_or_stored_lately_stays(keel: Keel, person: Principal, admin: Principal) -> None:
    run = await run_with(keel, person, a=b"content")
    await keel.tracking.delete_run(person, run)
    assert names(await keel.keeping.look(admin, Collect())) == []
    seen = await keel.keeping.collect(admin, Collect(older_than_days=0, grace_seconds=3600))
    assert (names(seen), seen.blobs, seen.too_new) == ([("run", run)], 0, 1)
    assert await keel.blobs.has((await keel.blobs.put(b"content")).digest)


async def test_an_experiment_goes_with_its_runs_and_logged_models(
    keel: Keel, person: Principal, admin: Principal, fresh: Entries
) -> None:
    experiment = await keel.tracking.create_experiment(person, "old", {"k": "v"})
    run = await keel.tracking.create_run(person, experiment)
    model = await keel.tracking.create_logged_model(person, experiment, name="m", source_run=run.id)
    await keel.tracking.put_file(person, ArtifactOwner.model(model.id), "MLmodel", b"flavors: {}")
    await keel.tracking.delete_experiment(person, experiment)
    await fresh()
    done = await keel.keeping.collect(admin, NOW)
    assert names(done) == [("run", run.id), ("logged_model", model.id), ("experiment", experiment)]
    assert done.counts == {"run": 1, "logged_model": 1, "experiment": 1}
    assert await fresh() == ["run.purged", "logged_model.purged", "experiment.purged", "gc.ended"]
    with pytest.raises(NotFound):
        await keel.tracking.experiment(person, experiment)


async def test_what_a_version_stands_on_stays_until_the_version_goes(
    keel: Keel, person: Principal, admin: Principal, flights: Registered
) -> None:
    await keel.tracking.delete_run(person, flights.run.id)
    seen = await keel.keeping.look(admin, NOW)
    assert names(seen) == []
    assert [(t.id, t.because) for t in seen.staying] == [(flights.run.id, "version 1 of flights stands on it")]
    await keel.registry.delete_model(person, "flights")
    done = await keel.keeping.collect(admin, NOW)
    assert names(done) == [
        ("version", flights.one.subject),
        ("version", flights.two.subject),
        ("run", flights.run.id),
        ("model", flights.one.model_id),
    ]
    assert done.blobs == 3


async def test_a_hold_keeps_what_was_deleted_and_says_why(
    keel: Keel, person: Principal, admin: Principal, flights: Registered, fresh: Entries
) -> None:
    run = await run_with(keel, person, a=b"evidence")
    await fresh()
    kept = await keel.keeping.place_hold(admin, PlaceHold(HoldKind.RUN, run, "case 12"))
    version = await keel.keeping.place_hold(admin, PlaceHold(HoldKind.VERSION, "flights/1", "case 13"))
    assert await fresh() == ["hold.placed"] * 2
    await keel.tracking.delete_run(person, run)
    await keel.tracking.delete_run(person, flights.run.id)
    await keel.registry.delete_model(person, "flights")
    done = await keel.keeping.collect(admin, NOW)
    assert names(done) == [("version", flights.two.subject)]
    assert {(t.kind, t.because) for t in done.staying} == {
        ("version", "legal hold: case 13"),
        ("run", "version 1 of flights stands on it, which has a legal hold: case 13"),
        ("run", "legal hold: case 12"),
        ("model", "a version of it stays"),
    }
    assert [h.id for h in await keel.keeping.holds(admin)] == [kept.id, version.id]
    for one in (kept, version):
        await keel.keeping.release_hold(admin, one.id)
    with pytest.raises(NotFound):
        await keel.keeping.release_hold(admin, kept.id)
    assert (await keel.keeping.collect(admin, NOW)).staying == []


async def test_a_hold_on_an_experiment_covers_what_is_in_it(keel: Keel, person: Principal, admin: Principal) -> None:
    experiment = await keel.tracking.create_experiment(person, "case")
    run = await keel.tracking.create_run(person, experiment)
    owner = ArtifactOwner.run(run.id)
    await keel.tracking.put_file(person, owner, "a.txt", b"as it was")
    await keel.keeping.place_hold(admin, PlaceHold(HoldKind.EXPERIMENT, experiment, "audit"))
    with pytest.raises(Conflict, match="legal hold: audit"):
        await keel.tracking.delete_files(person, owner, "a.txt")
    with pytest.raises(Conflict, match="legal hold: audit"):
        await keel.tracking.put_file(person, owner, "a.txt", b"as it never was")
    await keel.tracking.put_file(person, owner, "b.txt", b"more")
    await keel.tracking.delete_experiment(person, experiment)
    seen = await keel.keeping.look(admin, NOW)
    assert {(t.kind, t.because) for t in seen.staying} == {
        ("run", "legal hold on its experiment: audit"),
        ("experiment", "legal hold: audit"),
    }


async def test_only_what_was_named_goes(keel: Keel, person: Principal, admin: Principal, flights: Registered) -> None:
    one, two = await run_with(keel, person, a=b"1"), await run_with(keel, person, a=b"2")
    for run in (one, two):
        await keel.tracking.delete_run(person, run)
    await keel.registry.delete_version(person, "flights", 2)
    asked = Collect(older_than_days=0, grace_seconds=0, runs=[two])
    assert names(await keel.keeping.collect(admin, asked)) == [("run", two)]
    assert len(names(await keel.keeping.look(admin, NOW))) == 2


async def test_who_may_what(keel: Keel, person: Principal, admin: Principal, viewer: Principal) -> None:
    for asks in (person, viewer):
        with pytest.raises(PermissionDenied):
            await keel.keeping.look(asks, NOW)
        with pytest.raises(PermissionDenied):
            await keel.keeping.collect(asks, NOW)
        with pytest.raises(PermissionDenied):
            await keel.keeping.place_hold(asks, PlaceHold(HoldKind.RUN, "x", "y"))
        with pytest.raises(PermissionDenied):
            await keel.keeping.holds(asks)
    with pytest.raises(NotFound):
        await keel.keeping.place_hold(admin, PlaceHold(HoldKind.RUN, "0" * 32, "y"))
    for wrong in ("flights", "flights/x", "/1"):
        with pytest.raises(InvalidInput):
            await keel.keeping.place_hold(admin, PlaceHold(HoldKind.VERSION, wrong, "y"))
    with pytest.raises(InvalidInput):
        await keel.keeping.look(admin, Collect(older_than_days=-1))


async def test_who_comes_to_need_content_that_is_being_removed_stores_it_again(
    keel: Keel, person: Principal, admin: Principal
) -> None:
    began = now_ms()
    ref = await keel.blobs.put(b"wanted after all")
    await keel.database.write(lambda tx: hold(tx, person.workspace, [ref], stored=began))
    await keel.database.write(lambda tx: condemn(tx, [ref.digest]))
    with pytest.raises(Condemned):
        await keel.database.write(lambda tx: hold(tx, person.workspace, [ref], stored=now_ms()))
    assert await keel.database.read(lambda tx: held(tx, person.workspace, [ref.digest])) == {}
    await keel.database.write(lambda tx: spare(tx, [ref.digest]))
    await keel.database.write(lambda tx: hold(tx, person.workspace, [ref], stored=began))
    await keel.keeping.collect(admin, NOW)
    with pytest.raises(Condemned):  # it was found there before it went
        await keel.database.write(lambda tx: hold(tx, person.workspace, [ref], stored=began))
    run = await run_with(keel, person, a=b"wanted after all")
    assert await keel.tracking.read_file(person, ArtifactOwner.run(run), "a") == b"wanted after all"


async def test_files_that_come_all_the_time_lose_nothing_to_collections(
    keel: Keel, person: Principal, admin: Principal
) -> None:
    run = await run_with(keel, person)
    owner = ArtifactOwner.run(run)
    contents = [b"%d" % n * 50 for n in range(5)]

    async def come_and_go(worker: int) -> None:
        for n in range(12):
            content = contents[(n + worker) % 5]
            await keel.tracking.put_file(person, owner, f"w{worker}", content)
            assert await keel.tracking.read_file(person, owner, f"w{worker}") == content
            await keel.tracking.delete_files(person, owner, f"w{worker}")

    async def collect() -> None:
        for _ in range(4):
            await keel.keeping.collect(admin, NOW)

    await asyncio.gather(*(come_and_go(worker) for worker in range(3)), collect())
    await keel.keeping.collect(admin, NOW)
    assert size_of_store(keel) == 0


async def test_a_file_that_comes_while_its_content_is_looked_at_stays(
    keel: Keel, person: Principal, admin: Principal
) -> None:
    run = await run_with(keel, person, a=b"the same")
    await keel.tracking.delete_run(person, run)
    await keel.keeping.collect(admin, Collect(older_than_days=0, grace_seconds=3600))
    before = _long_ago(keel)
    found = await collecting.unneeded(keel.database, keel.blobs, frozenset(), before)
    assert len(found.objects) == 1
    other = await run_with(keel, person, b=b"the same")
    assert await collecting.remove(keel.database, keel.blobs, found.objects, before) == []
    assert await keel.tracking.read_file(person, ArtifactOwner.run(other), "b") == b"the same"


async def test_a_collection_that_was_cut_off_blocks_nobody_for_long(keel: Keel, person: Principal) -> None:
    ref = BlobRef((await keel.blobs.put(b"x")).digest, 1)
    await keel.database.write(lambda tx: condemn(tx, [ref.digest]))
    await keel.database.write(lambda tx: tx.run(sa.text("UPDATE blob_condemned SET since = since - 700000")))
    await keel.database.write(lambda tx: hold(tx, person.workspace, [ref]))


def _long_ago(keel: Keel) -> int:
    """Makes everything in the store an hour old; returns the time half an hour ago."""
    for path in Path(keel.home.path / "blobs").rglob("*"):
        if path.is_file():
            stat = path.stat()
            os.utime(path, (stat.st_mtime - 3600, stat.st_mtime - 3600))
    return int((stat.st_mtime - 1800) * 1000)
