"""Artifact trees on a real blob store: files in and out, and trees that can't change any more."""

from collections.abc import AsyncIterator

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelkeel.core.hashing import digest_of, sha256
from modelkeel.storage.holdings import held
from modelkeel.tracking.models import ArtifactOwner, LoggedModel, ModelStatus
from tests.unit.tracking.conftest import Entries


@pytest.fixture
async def owner(keel: Keel, person: Principal) -> ArtifactOwner:
    return ArtifactOwner.run((await keel.tracking.create_run(person, "0")).id)


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for n in range(count):
        yield bytes([n % 251]) * size


async def test_a_streamed_file_comes_back_whole(keel: Keel, person: Principal, owner: ArtifactOwner) -> None:
    put = await keel.tracking.put_file(person, owner, "big/data.bin", pieces(11, 1 << 20))
    assert put.size == 11 << 20
    stream = await keel.tracking.open_file(person, owner, "big/data.bin")
    content = b"".join([piece async for piece in stream])
    assert sha256(content) == put.digest
    assert content == b"".join([piece async for piece in pieces(11, 1 << 20)])
    held_now = await keel.database.read(lambda tx: held(tx, person.workspace, [put.digest]))
    assert held_now == {put.digest: 11 << 20}


async def test_each_put_is_one_entry_and_the_same_content_again_none(
    keel: Keel, person: Principal, owner: ArtifactOwner, fresh: Entries
) -> None:
    await fresh()
    for content in (b"one", b"one", b"two"):
        await keel.tracking.put_file(person, owner, "a.txt", content)
    assert await fresh() == ["artifact.logged"] * 2
    assert await keel.tracking.read_file(person, owner, "a.txt") == b"two"
    entry = (await keel.ledger.entries(person, types=["artifact.logged"]))[-1]
    assert entry.data == {"digest": sha256(b"two"), "size": 3}
    assert (entry.subject, entry.texts) == ({"run": owner.id}, {"path": "a.txt"})


async def test_folders_are_listed_one_level_deep(keel: Keel, person: Principal, owner: ArtifactOwner) -> None:
    for path in ("model/MLmodel", "model/data/x.bin", "model.txt", "model0", "plot.png"):
        await keel.tracking.put_file(person, owner, path, path.encode())
    root = await keel.tracking.list_folder(person, owner)
    assert [(e.path, e.is_dir, e.size) for e in root] == [
        ("model", True, None),
        ("model.txt", False, 9),
        ("model0", False, 6),
        ("plot.png", False, 8),
    ]
    below = await keel.tracking.list_folder(person, owner, "model")
    assert [e.path for e in below] == ["model/MLmodel", "model/data"]
    assert await keel.tracking.list_folder(person, owner, "plot.png") == []
    assert await keel.tracking.list_folder(person, owner, "missing") == []
    tree = await keel.tracking.tree(person, owner, "model")
    assert [f.path for f in tree.files] == ["MLmodel", "data/x.bin"]
    assert tree.digest == digest_of([[f.path, f.digest, f.size] for f in tree.files])


async def test_a_path_is_a_file_or_a_folder(keel: Keel, person: Principal, owner: ArtifactOwner) -> None:
    await keel.tracking.put_file(person, owner, "a/b", b"1")
    for path in ("a", "a/b/c"):
        with pytest.raises(InvalidInput):
            await keel.tracking.put_file(person, owner, path, b"2")


async def test_deleting_takes_what_lies_below_and_nothing_else(
    keel: Keel, person: Principal, owner: ArtifactOwner, fresh: Entries
) -> None:
    for path in ("m/a", "m/b/c", "m0", "mm"):
        await keel.tracking.put_file(person, owner, path, path.encode())
    await fresh()
    assert await keel.tracking.delete_files(person, owner, "m") == 2
    assert await keel.tracking.delete_files(person, owner, "m") == 0
    assert await fresh() == ["artifact.deleted"]
    assert [f.path for f in await keel.tracking.files(person, owner)] == ["m0", "mm"]
    with pytest.raises(NotFound):
        await keel.tracking.file(person, owner, "m/a")


async def test_others_see_no_file_and_viewers_put_none(
    keel: Keel, person: Principal, viewer: Principal, stranger: Principal, owner: ArtifactOwner
) -> None:
    await keel.tracking.put_file(person, owner, "a", b"1")
    assert await keel.tracking.read_file(viewer, owner, "a") == b"1"
    with pytest.raises(PermissionDenied):
        await keel.tracking.put_file(viewer, owner, "b", b"1")
    for call in (
        keel.tracking.files(stranger, owner),
        keel.tracking.read_file(stranger, owner, "a"),
        keel.tracking.put_file(stranger, owner, "b", b"1"),
        keel.tracking.delete_files(stranger, owner, "a"),
    ):
        with pytest.raises(NotFound):
            await call


async def test_paths_that_climb_are_refused(keel: Keel, person: Principal, owner: ArtifactOwner) -> None:
    for path in ("../x", "/etc/passwd", "a\\b", "%2e%2e/x", "a\0b", ""):
        with pytest.raises(InvalidInput):
            await keel.tracking.put_file(person, owner, path, b"")


async def new_model(keel: Keel, person: Principal) -> LoggedModel:
    model = await keel.tracking.create_logged_model(person, "0", name="m", params={"a": "1"}, tags={"t": "1"})
    await keel.tracking.put_file(person, ArtifactOwner.model(model.id), "MLmodel", b"flavors: {}")
    return model


async def test_a_ready_model_can_not_change(keel: Keel, person: Principal, fresh: Entries) -> None:
    model = await new_model(keel, person)
    owner = ArtifactOwner.model(model.id)
    await fresh()
    for _ in range(2):
        done = await keel.tracking.finalize_logged_model(person, model.id, ModelStatus.READY)
    assert done.status is ModelStatus.READY
    with pytest.raises(Conflict):
        await keel.tracking.put_file(person, owner, "more", b"")
    with pytest.raises(Conflict):
        await keel.tracking.delete_files(person, owner, "")
    with pytest.raises(InvalidInput):
        await keel.tracking.finalize_logged_model(person, model.id, ModelStatus.FAILED)
    assert await fresh() == ["logged_model.finalized"]
    entry = (await keel.ledger.entries(person, types=["logged_model.finalized"]))[-1]
    tree = await keel.tracking.tree(person, owner, "")
    assert entry.data == {"status": "LOGGED_MODEL_READY", "tree": tree.digest, "files": 1}


async def test_a_logged_models_life(keel: Keel, person: Principal, stranger: Principal, fresh: Entries) -> None:
    tracking = keel.tracking
    model = await new_model(keel, person)
    await fresh()
    await tracking.tag_logged_model(person, model.id, {"t": "1", "u": "2"})
    await tracking.untag_logged_model(person, model.id, "t")
    await tracking.log_model_params(person, model.id, {"a": "1", "b": "2"})
    with pytest.raises(InvalidInput):
        await tracking.log_model_params(person, model.id, {"a": "2"})
    found = await tracking.logged_model(person, model.id)
    assert (found.params, found.tags) == ({"a": "1", "b": "2"}, {"u": "2"})
    await tracking.delete_logged_model(person, model.id)
    for call in (
        tracking.logged_model(person, model.id),
        tracking.tag_logged_model(person, model.id, {"x": "y"}),
        tracking.delete_logged_model(person, model.id),
        tracking.logged_model(stranger, model.id, deleted=True),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await tracking.logged_model(person, model.id, deleted=True)).name == "m"
    assert await fresh() == ["logged_model.tagged"] * 2 + ["logged_model.updated", "logged_model.deleted"]


async def test_logged_models_are_searched(keel: Keel, person: Principal) -> None:
    from modelkeel.tracking.models import Metric
    from modelkeel.tracking.search import Kind, Order

    run = await keel.tracking.create_run(person, "0")
    made = []
    for n in range(4):
        model = await keel.tracking.create_logged_model(
            person, "0", name=f"m{n}", source_run=run.id, params={"n": str(n)}, tags={"even": str(n % 2 == 0)}
        )
        await keel.tracking.log_batch(person, run.id, [Metric("auc", n / 10, 1, 0, model.id, "d", "1")])
        made.append(model.id)

    async def found(text: str, *orders: Order) -> list[str]:
        models, _ = await keel.tracking.search_logged_models(person, ["0"], filter=text, orders=orders)
        return [m.name for m in models]

    assert await found("name = 'm1'") == ["m1"]
    assert sorted(await found(f"source_run_id = '{run.id}' AND tags.even = 'True'")) == ["m0", "m2"]
    assert await found("params.n = '3'") == ["m3"]
    assert sorted(await found("metrics.auc >= 0.2")) == ["m2", "m3"]
    assert await found("", Order(Kind.METRIC, "auc", True)) == ["m0", "m1", "m2", "m3"]
    assert await found("", Order(Kind.ATTRIBUTE, "name", False)) == ["m3", "m2", "m1", "m0"]
    run_id, point = (await keel.tracking.logged_model(person, made[2])).metrics[0]
    assert (run_id, point.value, point.dataset_name) == (run.id, 0.2, "d")
