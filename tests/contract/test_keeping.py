"""Uploads in parts, holds and collection on each kind of database."""

import os
from pathlib import Path

import pytest

from modelkeel.app import Keel, Settings
from modelkeel.core.access import Permission
from modelkeel.keeping.models import Collect, PlaceHold
from modelkeel.tracking.holds import HoldKind
from modelkeel.tracking.models import ArtifactOwner, Metric

NOW = Collect(older_than_days=0, grace_seconds=0)


@pytest.fixture
async def keel(address: str, home: Path):
    opened = Keel.open(Settings(home, database=address))
    yield opened
    opened.close()


async def _pieces(content: bytes):
    yield content


async def test_parts_become_a_file_that_a_hold_keeps_and_a_collection_removes(keel: Keel):
    person = keel.identity.anonymous()
    everything = frozenset(Permission) - {Permission.INTERNAL}
    admin = type(person)("a", "ada", "user", person.workspace, everything, installation=everything)
    run = await keel.tracking.create_run(person, "0")
    owner = ArtifactOwner.run(run.id)
    await keel.tracking.log_batch(person, run.id, [Metric("auc", 0.5, 1)], {"lr": "1"}, {"k": "v"})
    pieces = [os.urandom(5 << 20), os.urandom(1000)]
    begun = await keel.tracking.begin_upload(person, owner, "folder", "f.bin", 2)
    tags = {}
    for place, piece in zip(begun.parts, pieces, strict=True):
        tags[place.number] = await keel.tracking.put_part(place.ticket, _pieces(piece))
    assert (await keel.keeping.look(admin, NOW)).blobs == 0, "what came of an upload is referred to"
    file = await keel.tracking.complete_upload(person, owner, "folder", "f.bin", begun.id, tags)
    assert file is not None
    assert await keel.blobs.read(file.digest) == b"".join(pieces)
    kept = await keel.keeping.place_hold(admin, PlaceHold(HoldKind.RUN, run.id, "case"))
    await keel.tracking.delete_run(person, run.id)
    assert [t.because for t in (await keel.keeping.collect(admin, NOW)).staying] == ["legal hold: case"]
    await keel.keeping.release_hold(admin, kept.id)
    done = await keel.keeping.collect(admin, NOW)
    assert (done.counts, done.blobs) == ({"run": 1}, 4)
    assert (await keel.keeping.collect(admin, NOW)).counts == {}


async def test_uploads_that_were_forgotten_are_swept(keel: Keel):
    person = keel.identity.anonymous()
    owner = ArtifactOwner.run((await keel.tracking.create_run(person, "0")).id)
    begun = await keel.tracking.begin_upload(person, owner, "", "f.bin", 1)
    await keel.tracking.put_part(begun.parts[0].ticket, _pieces(b"forgotten"))
    assert await keel.tracking.sweep_uploads() == 0
    assert await keel.tracking.sweep_uploads(older_than=-1) == 1
    assert await keel.tracking.sweep_uploads(older_than=-1) == 0
