"""What must hold under load: a swap loses nothing, a killed runtime loses only what it had in hand."""

import asyncio
import os
import signal
import time

import msgspec
import pytest

from modelkeel.core.errors import Conflict, Refused, Unavailable
from modelkeel.runtime.control import connect, start_supervisor
from modelkeel.wire.spool import read_blocks
from tests.integration.runtime_fixtures import Serving, supervised
from tests.integration.runtime_load import steady
from tests.integration.runtime_models import body, table, write_onnx


async def wait_ready(serving: Serving, restarts: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        workers = serving.control.status().workers
        if all(worker.ready for worker in workers) and sum(worker.restarts for worker in workers) >= restarts:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"not ready: {serving.control.status()}")


def logged_requests(serving: Serving) -> tuple[list[str], int]:
    ids: list[str] = []
    lost = 0
    for path in (serving.folder / "spool").glob("*.closed"):
        reader = read_blocks(path)
        for block in reader:
            ids.extend(block.requests)
        lost += sum(gap.rows for gap in reader.gaps)
    return ids, lost


async def test_swaps_under_load_lose_no_request_and_every_answer_is_logged():
    with supervised(2) as serving:
        revisions = [write_onnx(serving.folder, f"r{i}", seed=i, version=i) for i in (1, 2)]
        serving.control.apply(table(1, revisions[0]))

        async def swap() -> None:
            for generation in range(2, 8):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(serving.control.apply, table(generation, revisions[generation % 2]))

        outcome, _ = await asyncio.gather(steady(serving.port, 4.0), swap())
        assert outcome.statuses == {200: 2000}
        assert (outcome.broken, outcome.wrong) == (0, 0)
        assert set(outcome.revisions) == {"r1", "r2"}
        serving.control.shutdown()
        ids, lost = logged_requests(serving)
        assert len(ids) == len(set(ids)) == 2000
        assert lost == 0


async def test_a_killed_runtime_loses_only_what_it_had_in_hand_and_is_restarted():
    with supervised(2) as serving:
        serving.control.apply(table(1, write_onnx(serving.folder, "r1")))
        serving.control.apply(table(2, write_onnx(serving.folder, "r2", seed=2, version=2)))

        async def kill() -> None:
            await asyncio.sleep(1.0)
            os.kill(serving.control.status().workers[0].pid or 0, signal.SIGKILL)

        outcome, _ = await asyncio.gather(steady(serving.port, 3.0, connections=20), kill())
        assert set(outcome.statuses) == {200}
        assert outcome.broken <= 20  # at most one request in hand on each connection
        assert outcome.statuses[200] + outcome.broken == 1500
        await wait_ready(serving, restarts=1)
        assert {worker.generation for worker in serving.control.status().workers} == {2}
        serving.control.shutdown()
        ids, lost = logged_requests(serving)
        answered = sum(outcome.revisions.values())
        assert answered - 150 <= len(ids) <= answered + 20
        assert not list((serving.folder / "spool").glob("*.open"))
        assert lost >= 0


async def test_a_bad_revision_changes_nothing_and_the_answer_says_why():
    with supervised(2) as serving:
        good = write_onnx(serving.folder, "good")
        serving.control.apply(table(1, good))
        wrong = write_onnx(serving.folder, "wrong", seed=5, version=2, wrong=True)
        with pytest.raises(Refused, match="label: 20 of 20 rows differ"):
            serving.control.apply(table(2, wrong))
        tampered = msgspec.structs.replace(good, id="tampered", digest="0" * 64)
        with pytest.raises(Refused, match="SHA-256 differs"):
            serving.control.apply(table(2, tampered))
        outside = msgspec.structs.replace(good, id="outside", path="../../../etc/hostname")
        with pytest.raises(Refused, match="outside"):
            serving.control.apply(table(2, outside))
        broken = write_onnx(serving.folder, "broken", version=4)
        (serving.folder / broken.path).write_bytes(b"not a model")
        with pytest.raises(Refused, match="not a loadable ONNX model"):
            serving.control.apply(table(2, msgspec.structs.replace(broken, digest="")))
        answer = serving.http.post("/v2/models/late/infer", json=body([[1, 2, 3]])).json()
        assert answer["parameters"]["revision"] == "good"
        assert serving.control.status().generation == 1


async def test_a_supervisor_is_alone_on_its_home_and_comes_back_with_its_table():
    with supervised(1) as serving:
        serving.control.apply(table(1, write_onnx(serving.folder, "r1")))
        with pytest.raises(Conflict, match="runs on this home already"):
            start_supervisor(serving.home)
        with pytest.raises(Refused, match="older"):
            serving.control.apply(table(0))
        serving.control.shutdown()
        with pytest.raises(Unavailable):
            connect(serving.home)
        again = start_supervisor(serving.home, port=serving.port, workers=1)
        answer = serving.http.post("/v2/models/late/infer", json=body([[1, 2, 3]]))
        assert answer.json()["parameters"]["revision"] == "r1"
        again.shutdown()


async def test_after_a_killed_supervisor_the_next_one_takes_over_port_table_and_spool():
    with supervised(2) as serving:
        serving.control.apply(table(1, write_onnx(serving.folder, "r1")))

        async def kill() -> None:
            await asyncio.sleep(0.7)
            os.kill(serving.control.status().pid, signal.SIGKILL)

        outcome, _ = await asyncio.gather(steady(serving.port, 1.5), kill())
        assert outcome.wrong == 0
        assert set(outcome.statuses) == {200}
        again = await asyncio.to_thread(start_supervisor, serving.home, port=serving.port, workers=2)
        answer = await asyncio.to_thread(serving.http.post, "/v2/models/late/infer", json=body([[1, 2, 3]]))
        assert answer.status_code == 200
        again.shutdown()
        ids, lost = logged_requests(serving)
        assert len(ids) + lost >= outcome.statuses[200] + 1  # drained runtimes log all that they answered
        assert not list((serving.folder / "spool").glob("*.open"))
        assert not list((serving.folder / "spool").glob("*.counts"))


def test_it_ends_when_its_home_is_gone_and_lives_with_a_long_path():
    with supervised(1, inside="a-rather-long-name/" * 8) as serving:
        status = connect(serving.home).status()
        serving.folder.rename(serving.home / "moved")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                os.kill(status.pid, 0)
                os.waitpid(status.pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                return
            time.sleep(0.05)
        pytest.fail("the supervisor outlives its home")
