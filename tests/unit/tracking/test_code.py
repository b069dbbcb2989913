"""Code handed in for runs: who may, once, and never into what can't change any more."""

import uuid
from collections.abc import AsyncIterator

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound, PermissionDenied
from modelkeel.tracking.models import ArtifactOwner
from modelkeel.wire.captures import Snapshot
from modelkeel.wire.code import ABOUT, CAPTURE_TAG, CHANGES, FILES, SNAPSHOT_TAG, Code
from tests.unit.tracking.conftest import Entries


async def _content(keel: Keel, person: Principal, content: bytes) -> str:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return (await keel.content.put(person, pieces())).digest


async def _code(keel: Keel, person: Principal) -> Code:
    files, diff = await _content(keel, person, b"tar"), await _content(keel, person, b"patch")
    return Code(Snapshot(files, 1, 3, "abc", True, diff), "main", "train.py")


async def test_every_run_with_the_word_gets_the_code_once(keel: Keel, person: Principal, fresh: Entries) -> None:
    word, code = uuid.uuid4().hex, await _code(keel, person)
    with pytest.raises(NotFound, match="No run carries"):
        await keel.tracking.hand_in_code(person, word, code)
    runs = [await keel.tracking.create_run(person, "0", tags={CAPTURE_TAG: word}) for _ in range(2)]
    await keel.tracking.create_run(person, "0", tags={CAPTURE_TAG: uuid.uuid4().hex})
    await fresh()
    assert await keel.tracking.hand_in_code(person, word, code) == [run.id for run in runs]
    assert await fresh() == ["run.captured"] * 2
    assert await keel.tracking.hand_in_code(person, word, code) == [run.id for run in runs]
    assert await fresh() == []
    found = await keel.tracking.get_run(person, runs[0].id)
    assert found.tags[SNAPSHOT_TAG] == code.snapshot.digest
    files = await keel.tracking.files(person, ArtifactOwner.run(found.id))
    assert [file.path for file in files] == sorted([ABOUT, CHANGES, FILES])


async def test_who_may_not_write_the_run_hands_nothing_in(
    keel: Keel, person: Principal, viewer: Principal, stranger: Principal
) -> None:
    word, code = uuid.uuid4().hex, await _code(keel, person)
    await keel.tracking.create_run(person, "0", tags={CAPTURE_TAG: word})
    with pytest.raises(PermissionDenied):
        await keel.tracking.hand_in_code(viewer, word, code)
    with pytest.raises(NotFound):
        await keel.tracking.hand_in_code(stranger, word, code)
    with pytest.raises(NotFound, match="has not been stored"):
        await keel.tracking.hand_in_code(person, word, Code(Snapshot("0" * 64, 1, 3)))
    with pytest.raises(InvalidInput):
        await keel.tracking.hand_in_code(person, "%", code)


async def test_a_run_from_which_a_version_was_registered_whole_stays_as_it_was(keel: Keel, person: Principal) -> None:
    word, code = uuid.uuid4().hex, await _code(keel, person)
    run = await keel.tracking.create_run(person, "0", tags={CAPTURE_TAG: word})
    await keel.tracking.put_file(person, ArtifactOwner.run(run.id), "MLmodel", b"flavors: {}")
    await keel.registry.create_model(person, "whole")
    await keel.registry.create_version(person, "whole", f"runs:/{run.id}/", run_id=run.id)
    await keel.tracking.hand_in_code(person, word, code)
    assert [f.path for f in await keel.tracking.files(person, ArtifactOwner.run(run.id))] == ["MLmodel"]
