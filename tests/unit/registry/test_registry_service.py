"""Use cases of registered models and versions on a real database, ledger and blob store."""

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from modelkeel.core.hashing import digest_of, sha256
from modelkeel.tracking.models import ArtifactOwner
from tests.unit.registry.conftest import Registered
from tests.unit.tracking.conftest import Entries


async def test_a_version_freezes_the_tree_it_points_at(keel: Keel, person: Principal, flights: Registered) -> None:
    found = await keel.registry.model_version(person, "flights", 1)
    files = [("MLmodel", b"flavors: {sklearn: {}}"), ("model.pkl", b"weights")]
    assert [(f.path, f.digest, f.size) for f in found.files] == [(p, sha256(c), len(c)) for p, c in files]
    assert found.digest == digest_of([[p, sha256(c), len(c)] for p, c in files])
    assert (found.run_id, found.logged_model_id, found.aliases) == (flights.run.id, "", ["champion"])
    owner = ArtifactOwner.run(flights.run.id)
    for path in ("model/model.pkl", "model/extra", "model"):
        with pytest.raises((Conflict, InvalidInput)):
            await keel.tracking.put_file(person, owner, path, b"other")
    for path in ("model", "model/model.pkl", ""):
        with pytest.raises(Conflict, match="can't change any more"):
            await keel.tracking.delete_files(person, owner, path)
    await keel.tracking.put_file(person, owner, "model2/x", b"beside it is free")
    assert (await keel.registry.model_version(person, "flights", 1)).digest == found.digest


async def test_a_version_outlives_the_run_that_is_hidden(keel: Keel, person: Principal, flights: Registered) -> None:
    await keel.tracking.delete_run(person, flights.run.id)
    await keel.tracking.delete_logged_model(person, flights.two.logged_model_id)
    for number in (1, 2):
        found = await keel.registry.model_version(person, "flights", number)
        assert found.files
        assert found.run_id == flights.run.id


async def test_what_registering_writes_to_the_ledger(keel: Keel, person: Principal, flights: Registered) -> None:
    kinds = ["model.created", "version.created", "alias.moved"]
    model, first, second, moved = await keel.ledger.entries(person, types=kinds)
    identity = flights.one.model_id
    assert (model.type, model.subject) == ("model.created", {"model": identity})
    assert model.texts == {"name": "flights", "description": "Late flights", "tags": '{"team":"ops"}'}
    assert first.subject == {"model": identity, "version": f"{identity}/1", "run": flights.run.id}
    assert first.data == {"version": 1, "digest": flights.one.digest, "files": 2, "size": 29}
    assert second.subject["logged_model"] == flights.two.logged_model_id
    assert second.subject["run"] == flights.run.id
    assert moved.data == {"version": 1, "previous": None}
    assert moved.texts == {"alias": "champion", "name": "flights"}


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc",
        "/etc",
        "s3://bucket/model",
        "runs:/RUN/../../x",
        "runs:/RUN/missing",
        "runs:/00000000000000000000000000000000/model",
        "runs://host/RUN/model",
        "models:/m-00000000000000000000000000000000",
        "models:/other/1",
        "models:/flights/9",
        "mlflow-artifacts:/0/RUN/artifacts/../../secret",
        "mlflow-artifacts:/elsewhere",
        "http://evil.example/model",
        "ftp://x",
        "",
        "nonsense",
    ],
)
async def test_sources_that_are_refused(
    keel: Keel, person: Principal, flights: Registered, source: str, fresh: Entries
) -> None:
    await fresh()
    with pytest.raises((InvalidInput, NotFound)):
        await keel.registry.create_version(person, "flights", source.replace("RUN", flights.run.id))
    assert await fresh() == []
    assert [v.version for v in await keel.registry.list_versions(person, "flights")] == [2, 1]


async def test_sources_that_name_the_same_tree(keel: Keel, person: Principal, flights: Registered) -> None:
    run, logged = flights.run, flights.two.logged_model_id
    experiment = run.experiment_id
    for source in (
        f"mlflow-artifacts:/{experiment}/{run.id}/artifacts/model",
        f"mlflow-artifacts://host:80/{experiment}/{run.id}/artifacts/model",
        f"http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run.id}/artifacts/model",
        "models:/flights/1",
        "models:/flights@champion",
    ):
        made = await keel.registry.create_version(person, "flights", source)
        assert (made.digest, made.run_id) == (flights.one.digest, run.id)
    made = await keel.registry.create_version(
        person, "flights", f"mlflow-artifacts:/{experiment}/models/{logged}/artifacts"
    )
    assert (made.digest, made.version, made.logged_model_id) == (flights.two.digest, 8, logged)
    assert made.artifact_uri == f"mlflow-artifacts:/{experiment}/models/{logged}/artifacts"


async def test_claims_about_the_source_must_be_true(keel: Keel, person: Principal, flights: Registered) -> None:
    other = await keel.tracking.create_run(person, "0")
    for claims in ({"run_id": other.id}, {"logged_model_id": flights.two.logged_model_id}):
        with pytest.raises(InvalidInput, match="must identify the resource"):
            await keel.registry.create_version(person, "flights", f"runs:/{flights.run.id}/model", **claims)


async def test_numbers_count_up_and_are_never_used_twice(keel: Keel, person: Principal, flights: Registered) -> None:
    await keel.registry.delete_version(person, "flights", 2)
    made = await keel.registry.create_version(person, "flights", "models:/flights/1")
    assert made.version == 3
    with pytest.raises(NotFound):
        await keel.registry.model_version(person, "flights", 2)


async def test_references_resolve(keel: Keel, person: Principal, flights: Registered) -> None:
    resolve = keel.registry.resolve
    assert (await resolve(person, "flights@champion")).version == 1
    assert (await resolve(person, "models:/flights/2")).version == 2
    assert (await resolve(person, "flights/latest")).version == 2
    for reference in ("flights@none", "flights/7", "other/1", "other@champion"):
        with pytest.raises(NotFound):
            await resolve(person, reference)
    for reference in ("flights", "flights/x", ""):
        with pytest.raises(InvalidInput):
            await resolve(person, reference)


async def test_a_renamed_model_keeps_its_id_versions_and_aliases(
    keel: Keel, person: Principal, flights: Registered, fresh: Entries
) -> None:
    await keel.registry.create_model(person, "taken")
    await fresh()
    with pytest.raises(AlreadyExists):
        await keel.registry.rename_model(person, "flights", "taken")
    renamed = await keel.registry.rename_model(person, "flights", "delays")
    assert (renamed.id, renamed.aliases) == (flights.one.model_id, {"champion": 1})
    assert (await keel.registry.resolve(person, "delays@champion")).name == "delays"
    with pytest.raises(NotFound):
        await keel.registry.model(person, "flights")
    assert await fresh() == ["model.updated"]


async def test_a_deleted_model_frees_its_name_and_takes_its_aliases(
    keel: Keel, person: Principal, flights: Registered, fresh: Entries
) -> None:
    await fresh()
    await keel.registry.delete_model(person, "flights")
    assert await fresh() == ["alias.deleted", "model.deleted"]
    with pytest.raises(NotFound):
        await keel.registry.resolve(person, "flights/1")
    again = await keel.registry.create_model(person, "flights")
    assert again.id != flights.one.model_id
    made = await keel.registry.create_version(person, "flights", f"runs:/{flights.run.id}/model")
    assert made.version == 1


async def test_tags_and_descriptions_are_recorded_only_when_they_change(
    keel: Keel, person: Principal, flights: Registered, fresh: Entries
) -> None:
    registry = keel.registry
    await fresh()
    for _ in range(2):
        await registry.tag_model(person, "flights", "a", "1")
        await registry.tag_version(person, "flights", 1, "b", "2")
        await registry.describe_model(person, "flights", "text")
        await registry.describe_version(person, "flights", 1, "text")
    assert await fresh() == ["model.tagged", "version.tagged", "model.updated", "version.updated"]
    assert (await registry.model(person, "flights")).tags == {"a": "1", "team": "ops"}
    assert (await registry.version_info(person, "flights", 1)).tags == {"b": "2"}
    for _ in range(2):
        await registry.untag_model(person, "flights", "a")
        await registry.untag_version(person, "flights", 1, "b")
    assert await fresh() == ["model.tagged", "version.tagged"]


async def test_searches(keel: Keel, person: Principal, flights: Registered) -> None:
    registry = keel.registry
    for name in ("alpha", "Beta"):
        await registry.create_model(person, name)
    await registry.tag_version(person, "flights", 2, "kind", "new")

    async def models(text: str, *order: str) -> list[str]:
        return [m.name for m in (await registry.search_models(person, filter=text, order_by=list(order)))[0]]

    async def versions(text: str, *order: str) -> list[int]:
        return [v.version for v in (await registry.search_versions(person, filter=text, order_by=list(order)))[0]]

    assert await models("") == ["Beta", "alpha", "flights"]
    assert await models("name ILIKE 'b%'") == ["Beta"]
    assert await models("tags.team = 'ops'") == ["flights"]
    assert await models("", "creation_timestamp DESC", "name") == ["Beta", "alpha", "flights"]
    assert await models("tags.`mlflow.prompt.is_prompt` != 'true'") == ["Beta", "alpha", "flights"]
    assert await versions("name = 'flights'", "version_number ASC") == [1, 2]
    assert await versions(f"run_id = '{flights.run.id}'", "version_number DESC") == [2, 1]
    assert await versions("version_number > 1") == [2]
    assert await versions("tags.kind = 'new'") == [2]
    page, token = await registry.search_models(person, limit=2)
    rest, end = await registry.search_models(person, limit=2, token=token)
    assert [m.name for m in page + rest] == ["Beta", "alpha", "flights"]
    assert end is None


async def test_names_and_aliases_that_are_refused(keel: Keel, person: Principal, flights: Registered) -> None:
    for name in ("", " ", "a/b", "a:b", "..", ".", "x" * 257):
        with pytest.raises(InvalidInput):
            await keel.registry.create_model(person, name)
    with pytest.raises(AlreadyExists):
        await keel.registry.create_model(person, "flights")
    for alias in ("", "latest", "LATEST", "v7", "a b", "a/b", "x" * 256):
        with pytest.raises(InvalidInput):
            await keel.registry.set_alias(person, "flights", alias, 1)
    with pytest.raises(NotFound):
        await keel.registry.set_alias(person, "flights", "ok", 9)
    with pytest.raises(InvalidInput, match="alias none not found"):
        await keel.registry.by_alias(person, "flights", "none")


async def test_others_see_nothing_and_viewers_change_nothing(
    keel: Keel, person: Principal, viewer: Principal, stranger: Principal, flights: Registered
) -> None:
    registry = keel.registry
    assert (await registry.resolve(viewer, "flights@champion")).version == 1
    for call in (
        registry.set_alias(viewer, "flights", "x", 1),
        registry.delete_alias(viewer, "flights", "champion"),
        registry.create_model(viewer, "x"),
        registry.delete_model(viewer, "flights"),
        registry.rename_model(viewer, "flights", "x"),
        registry.create_version(viewer, "flights", f"runs:/{flights.run.id}/model"),
        registry.delete_version(viewer, "flights", 1),
        registry.tag_model(viewer, "flights", "a", "b"),
    ):
        with pytest.raises(PermissionDenied):
            await call
    await registry.create_model(stranger, "flights")
    for call in (
        registry.model_version(stranger, "flights", 1),
        registry.set_alias(stranger, "flights", "champion", 1),
        registry.create_version(stranger, "flights", f"runs:/{flights.run.id}/model"),
    ):
        with pytest.raises(NotFound):
            await call
