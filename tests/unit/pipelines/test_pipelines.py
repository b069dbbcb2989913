"""The server's side of pipelines: what it refuses, what it records, what it keeps apart."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from modelkeel.app import Keel
from modelkeel.core.access import PERMISSIONS, Principal, Role
from modelkeel.core.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from modelkeel.core.hashing import sha256
from modelkeel.pipelines.models import miss_reasons
from modelkeel.storage.blobs import BlobRef
from modelkeel.wire.captures import Capture, Environment, Snapshot
from modelkeel.wire.pipelines import EndRun, KeyParts, Logged, StartRun, StepReport
from modelkeel.wire.reproductions import Reproduction
from modelkeel.wire.values import Value

PARTS = KeyParts({"a.py:f": "1"}, {}, {"n": "json:2"}, {}, "env", "3.11.7", 0)
START = StartRun("flow", "proj", "a.py:flow", {"n": 1}, 0, ["."], "c" * 64, "exp", "env", "3.11.7")
KEY = sha256(b"key")


async def _content(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _other(name: str, workspace: str) -> Principal:
    return Principal(name, name, "user", workspace, PERMISSIONS[Role.CONTRIBUTOR])


def _finished(output: Value, key: str | None = KEY, index: int = 0) -> StepReport:
    return StepReport(
        index, "load", "finished", key, PARTS, {}, output, wall_us=5_000_000, logged=Logged({"p": "1"}, {"m": 0.5})
    )


async def test_a_run_from_start_to_end_leaves_one_entry_for_each_change(keel: Keel) -> None:
    me = keel.identity.anonymous()
    run = (await keel.pipelines.start(me, START)).run_id
    blob = await keel.content.put(me, _content(b"result"))
    output = Value("bytes", blob.digest, blob.size)
    running = msgspec.structs.replace(_finished(output), status="running", output=None)
    await keel.pipelines.steps.report(me, run, [running])
    await keel.pipelines.steps.report(me, run, [_finished(output)])
    await keel.pipelines.steps.report(me, run, [_finished(output)])
    await keel.pipelines.end(me, run, EndRun("finished"))
    await keel.pipelines.end(me, run, EndRun("finished"))
    found = await keel.pipelines.run(me, run)
    assert (found.status, found.steps[0].status, found.steps[0].seconds) == ("finished", "finished", 5.0)
    entries = [entry.type for entry in await keel.ledger.entries(me, about=("run", run))]
    assert entries == ["run.created", "pipeline.started", "step.ended", "pipeline.ended", "run.ended"]
    assert (await keel.tracking.get_run(me, run)).status == "FINISHED"


async def test_a_finished_step_is_known_to_the_next_run_and_paid_for_once(keel: Keel) -> None:
    me = keel.identity.anonymous()
    first = (await keel.pipelines.start(me, START)).run_id
    blob = await keel.content.put(me, _content(b"result"))
    await keel.pipelines.steps.report(me, first, [_finished(Value("bytes", blob.digest, blob.size))])
    await keel.pipelines.end(me, first, EndRun("finished"))
    second = await keel.pipelines.start(me, START)
    assert [(c.key, c.run_id, c.logged.metrics) for c in second.known] == [(KEY, first, {"m": 0.5})]
    lie = StepReport(
        0, "load", "cached", KEY, PARTS, {}, Value("bytes", "0" * 64, 1), paid_by="nobody", saved_us=10**12
    )
    await keel.pipelines.steps.report(me, second.run_id, [lie])
    step = (await keel.pipelines.run(me, second.run_id)).steps[0]
    assert (step.cached, step.paid_by, step.saved_seconds) == (True, first, 5.0)
    assert step.output is not None
    assert step.output.digest == blob.digest
    assert (await keel.pipelines.savings(me)).saved_seconds == 5.0


async def test_what_a_person_cached_never_flows_into_a_run_that_the_server_started(keel: Keel) -> None:
    me = keel.identity.anonymous()
    first = (await keel.pipelines.start(me, START)).run_id
    blob = await keel.content.put(me, _content(b"poison"))
    await keel.pipelines.steps.report(me, first, [_finished(Value("bytes", blob.digest, blob.size))])
    await keel.pipelines.end(me, first, EndRun("finished"))
    launched = await keel.identity.service_account(me.workspace, "pipelines", [Role.CONTRIBUTOR])
    assert len(await keel.pipelines.paid.lookup(me, [KEY])) == 1
    assert await keel.pipelines.paid.lookup(launched, [KEY]) == []
    assert (await keel.pipelines.start(launched, START)).known == []


async def test_a_lost_or_cut_result_is_a_miss(keel: Keel) -> None:
    me = keel.identity.anonymous()
    run = (await keel.pipelines.start(me, START)).run_id
    blob = await keel.content.put(me, _content(b"result"))
    await keel.pipelines.steps.report(me, run, [_finished(Value("bytes", blob.digest, blob.size))])
    assert len(await keel.pipelines.paid.lookup(me, [KEY])) == 1
    place = keel.home.path / "blobs" / "chunks" / blob.digest[:2] / blob.digest
    place.write_bytes(b"cut")
    assert await keel.pipelines.paid.lookup(me, [KEY]) == []
    place.unlink()
    assert await keel.pipelines.paid.lookup(me, [KEY]) == []


async def test_damaged_content_is_written_again_only_by_a_repair(keel: Keel) -> None:
    me = keel.identity.anonymous()
    blob = await keel.content.put(me, _content(b"result"))
    place = keel.home.path / "blobs" / "chunks" / blob.digest[:2] / blob.digest
    place.write_bytes(b"resulT")
    await keel.content.put(me, _content(b"result"))
    assert place.read_bytes() == b"resulT"
    await keel.content.put(me, _content(b"result"), repair=True)
    assert await keel.blobs.read(blob.digest) == b"result"


async def test_a_result_whose_content_is_not_stored_is_refused_whole(keel: Keel) -> None:
    me = keel.identity.anonymous()
    run = (await keel.pipelines.start(me, START)).run_id
    with pytest.raises(InvalidInput, match="not stored"):
        await keel.pipelines.steps.report(me, run, [_finished(Value("bytes", sha256(b"nowhere"), 7))])
    assert (await keel.pipelines.run(me, run)).steps == []


async def test_only_the_one_who_started_a_run_adds_to_it(keel: Keel) -> None:
    me = keel.identity.anonymous()
    run = (await keel.pipelines.start(me, START)).run_id
    other = _other("other", me.workspace)
    with pytest.raises(PermissionDenied):
        await keel.pipelines.steps.report(other, run, [_finished(Value("json", sha256(b"1"), 1, "1"))])
    with pytest.raises(PermissionDenied):
        await keel.pipelines.end(other, run, EndRun("failed"))


async def test_workspaces_see_nothing_of_each_other(keel: Keel) -> None:
    me, stranger = keel.identity.anonymous(), _other("stranger", "elsewhere")
    run = (await keel.pipelines.start(me, START)).run_id
    blob = await keel.content.put(me, _content(b"result"))
    await keel.pipelines.steps.report(me, run, [_finished(Value("bytes", blob.digest, blob.size))])
    assert await keel.pipelines.paid.lookup(stranger, [KEY]) == []
    assert await keel.content.held(stranger, [blob.digest]) == []
    with pytest.raises(NotFound):
        await keel.content.find(stranger, blob.digest)
    with pytest.raises(NotFound):
        await keel.pipelines.run(stranger, run)
    assert await keel.pipelines.runs(stranger) == []


async def test_nothing_is_added_to_a_run_that_ended(keel: Keel) -> None:
    me = keel.identity.anonymous()
    run = (await keel.pipelines.start(me, START)).run_id
    running = StepReport(0, "load", "running")
    await keel.pipelines.steps.report(me, run, [running])
    await keel.pipelines.end(me, run, EndRun("killed"))
    assert (await keel.pipelines.run(me, run)).steps[0].status == "failed"
    with pytest.raises(Conflict):
        await keel.pipelines.steps.report(me, run, [running])
    with pytest.raises(Conflict):
        await keel.pipelines.end(me, run, EndRun("finished"))


async def test_the_end_seals_what_was_captured(keel: Keel) -> None:
    me = keel.identity.anonymous()
    run = (await keel.pipelines.start(me, START)).run_id
    tar, lock = await keel.content.put(me, _content(b"tar")), await keel.content.put(me, _content(b"lock"))
    environment = Environment("env", "3.11.7", "linux", 3, lock.digest)
    capture = Capture(Snapshot(tar.digest, 1, tar.size), environment, {"cores": 2})
    with pytest.raises(InvalidInput):
        await keel.pipelines.capture(me, run, msgspec.structs.replace(capture, snapshot=Snapshot(sha256(b"no"), 1, 1)))
    await keel.pipelines.capture(me, run, capture)
    await keel.pipelines.capture(me, run, capture)
    await keel.pipelines.end(me, run, EndRun("finished"))
    ended = (await keel.ledger.entries(me, types=["pipeline.ended"]))[0]
    assert (ended.data["snapshot"], ended.data["lock"]) == (tar.digest, lock.digest)
    assert len(await keel.ledger.entries(me, types=["snapshot.stored"])) == 1


async def test_a_verdict_belongs_to_a_rerun_of_that_very_run(keel: Keel) -> None:
    me = keel.identity.anonymous()
    first = (await keel.pipelines.start(me, START)).run_id
    stray = (await keel.pipelines.start(me, START)).run_id
    again = (await keel.pipelines.start(me, msgspec.structs.replace(START, reproduces=first))).run_id
    verdict = Reproduction(
        run_id=first,
        rerun_id=stray,
        verdict="identical",
        steps=1,
        models=0,
        files=0,
        metrics=0,
        tolerance=0,
        differences=[],
    )
    with pytest.raises(InvalidInput, match="no rerun"):
        await keel.pipelines.reproductions.record(me, verdict)
    recorded = await keel.pipelines.reproductions.record(me, msgspec.structs.replace(verdict, rerun_id=again))
    assert (await keel.ledger.entries(me, types=["reproduction.recorded"]))[0].index == recorded.entry
    assert (await keel.pipelines.run(me, again)).origin == "reproduce"


async def test_launching_wants_a_captured_run(keel: Keel) -> None:
    me = keel.identity.anonymous()
    await keel.pipelines.start(me, START)
    with pytest.raises(NotFound, match="snapshot"):
        await keel.launches.launch(me, "flow", {}, {})


def test_a_miss_explains_itself() -> None:
    last = KeyParts({"a.py:f": "1", "h.py:g": "1"}, {"x": "1"}, {"n": "1"}, {}, "env", "3.11.7", 0)
    now = KeyParts({"a.py:f": "1", "h.py:g": "2"}, {"x": "1"}, {"n": "2"}, {}, "other", "3.11.7", 0)
    told = [(reason.part, reason.changed) for reason in miss_reasons(now, last)]
    assert told == [("code", ["h.py:g"]), ("params", ["n"]), ("environment", [])]
    assert [reason.part for reason in miss_reasons(now, None)] == ["first"]
    assert [reason.part for reason in miss_reasons(now, now)] == ["content"]


async def test_blobs_travel_by_digest(keel: Keel) -> None:
    me = keel.identity.anonymous()
    content = bytes(range(256)) * 40_000
    blob = await keel.content.put(me, _content(content))
    ref, pieces = await keel.content.find(me, blob.digest), keel.content.stream(blob.digest)
    assert ref == BlobRef(sha256(content), len(content))
    assert b"".join([piece async for piece in pieces]) == content
