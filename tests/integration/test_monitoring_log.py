"""The way of a prediction and its label: spool, sealed segment, found by id, joined, corrected."""

import asyncio
import io
import json
import shutil

import numpy as np
import polars as pl
import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput, NotFound, PermissionDenied
from modelkeel.core.ids import uuid7
from modelkeel.monitoring import leaves
from modelkeel.monitoring.pacing import Pace
from modelkeel.monitoring.service import Monitoring
from modelkeel.runtime.recovery import recover
from modelkeel.runtime.spool import Spool
from tests.integration.monitoring_kit import START, Directory, make_rows, owner, rig, spool_of, stream, write_rows


async def open_monitoring(keel: Keel) -> tuple[Monitoring, Directory]:
    made = await rig(keel)
    return made.monitoring, made.directory


async def test_spooled_rows_become_a_sealed_segment_and_are_found_by_id(keel: Keel):
    monitoring, _ = await open_monitoring(keel)
    principal = await owner(keel)
    rows = make_rows(np.random.default_rng(1), 3_000, START)
    spool = Spool(spool_of(keel), "w1")
    ids = write_rows(spool, stream(), rows, batch=3)
    spool.close()
    while await monitoring.tick(eager=True):
        pass
    assert not list(spool_of(keel).glob("*.closed"))
    sealed = [e for e in await keel.ledger.entries(principal) if e.type == "segment.sealed"]
    assert sum(e.data["rows"] for e in sealed) == 3_000
    found = await monitoring.prediction(principal, ids[1_000])
    assert found.id == ids[1_000]
    assert found.endpoint == "flights"
    assert found.inputs["x"] == rows.columns["x"][1_000]
    assert found.outputs["probability"][1] == rows.columns["score"][1_000]
    assert found.segment_root == next(e for e in sealed if e.subject["segment"] == found.segment).data["root"]
    frame = pl.read_parquet(io.BytesIO(await keel.blobs.read(found.segment_digest)))
    assert leaves.root_of(frame) == found.segment_root
    hashes = leaves.leaf_hashes(frame)
    changed = frame.with_columns(pl.when(pl.int_range(pl.len()) == 7).then(9.0).otherwise(pl.col("in.x")).alias("in.x"))
    assert [a != b for a, b in zip(hashes, leaves.leaf_hashes(changed), strict=True)].index(True) == 8
    with pytest.raises(NotFound):
        await monitoring.prediction(principal, uuid7() + ".0")
    traffic = await monitoring.traffic(principal, "flights", None, 100)
    assert sum(t.rows for t in traffic.series) == 3_000
    assert sum(t.requests for t in traffic.series) == 1_000


async def test_a_spool_file_is_stored_once_whatever_crashes(keel: Keel):
    """A file that comes back after its rows were committed (the crash before the deletion) is only deleted."""
    monitoring, _ = await open_monitoring(keel)
    principal = await owner(keel)
    spool = Spool(spool_of(keel), "w1")
    write_rows(spool, stream(), make_rows(np.random.default_rng(2), 50, START))
    spool.close()
    (file,) = spool_of(keel).glob("*.closed")
    shutil.copy(file, keel.home.path / "kept")
    assert await monitoring.tick(eager=True)
    shutil.copy(keel.home.path / "kept", file)
    await monitoring.tick(eager=True)
    assert not file.exists()
    traffic = await monitoring.traffic(principal, "flights", None, 100)
    assert sum(t.rows for t in traffic.series) == 50


async def test_what_a_dead_runtime_lost_is_counted(keel: Keel):
    monitoring, _ = await open_monitoring(keel)
    principal = await owner(keel)
    folder = spool_of(keel)
    spool = Spool(folder, "w1")
    write_rows(spool, stream(), make_rows(np.random.default_rng(3), 40, START))
    shutil.copy(
        folder / "w1.counts", keel.home.path / "counts"
    )  # 40 accepted, none written: as at the moment of a crash
    spool.close()
    shutil.copy(keel.home.path / "counts", folder / "w1.counts")
    assert recover(folder) == 40
    await monitoring.tick(eager=True)
    assert [g.rows for g in (await monitoring.traffic(principal, "flights", None, 100)).gaps] == [40]


async def test_rows_of_an_unknown_endpoint_stay_in_the_spool(keel: Keel):
    monitoring, directory = await open_monitoring(keel)
    place = directory.known.pop("e1")
    spool = Spool(spool_of(keel), "w1")
    write_rows(spool, stream(), make_rows(np.random.default_rng(4), 5, START))
    spool.close()
    await monitoring.tick(eager=True)
    assert len(list(spool_of(keel).glob("*.closed"))) == 1
    directory.known["e1"] = place
    monitoring, _ = await open_monitoring(keel)
    await monitoring.tick(eager=True)
    assert not list(spool_of(keel).glob("*.closed"))


async def test_labels_are_kept_corrected_and_sealed(keel: Keel):
    monitoring, _ = await open_monitoring(keel)
    principal = await owner(keel)
    spool = Spool(spool_of(keel), "w1")
    ids = write_rows(spool, stream(), make_rows(np.random.default_rng(5), 10, START))
    spool.close()
    await monitoring.tick(eager=True)
    first = [{"prediction_id": i, "label": 1, "event_time": "2013-01-08T00:00:00Z"} for i in ids]
    assert (await monitoring.add_labels(principal, json.dumps(first).encode())).accepted == 10
    assert (await monitoring.prediction(principal, ids[0])).label == 1  # before it is sealed
    await monitoring.tick(eager=True)
    columns = {"prediction_ids": ids[:2], "labels": [0, "diverted"]}
    await monitoring.add_labels(principal, json.dumps(columns).encode())
    await monitoring.tick(eager=True)
    await monitoring.add_labels(principal, json.dumps({"prediction_ids": [ids[2][:-2]], "labels": [7]}).encode())
    assert (await monitoring.prediction(principal, ids[2])).label == 7
    corrected = await monitoring.prediction(principal, ids[0])
    assert corrected.label == 0
    assert [known.label for known in corrected.labels] == [1, 0]
    assert corrected.labels[0].event_time == "2013-01-08T00:00:00.000Z"
    assert (await monitoring.prediction(principal, ids[1])).label == "diverted"
    entries = await keel.ledger.entries(principal)
    assert [e.data["rows"] for e in entries if e.type == "labels.sealed"] == [10, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'[{"prediction_id": "nothing", "label": 1}]',
        b'{"prediction_ids": ["019a2f0c-7d1e-7c2a-9d37-1f4f5f0f3a11.0"], "labels": []}',
        b'{"prediction_ids": ["019a2f0c-7d1e-7c2a-9d37-1f4f5f0f3a11.0"], "labels": [1], "event_times": ["yesterday"]}',
    ],
)
async def test_malformed_labels_are_refused(keel: Keel, body: bytes):
    monitoring, _ = await open_monitoring(keel)
    with pytest.raises(InvalidInput):
        await monitoring.add_labels(await owner(keel), body)


async def test_reading_and_labelling_need_permission(keel: Keel):
    monitoring, _ = await open_monitoring(keel)
    principal = await owner(keel)
    stranger = Principal("x", "x", "user", principal.workspace, frozenset())
    with pytest.raises(PermissionDenied):
        await monitoring.prediction(stranger, uuid7() + ".0")
    with pytest.raises(PermissionDenied):
        await monitoring.add_labels(stranger, b"[]")


async def test_collecting_keeps_up(keel: Keel):
    """At least 20,000 rows a second on a quiet core; a quarter of it is asked for here, where others compute too."""
    monitoring, _ = await open_monitoring(keel)
    spool = Spool(spool_of(keel), "w1")
    write_rows(spool, stream(), make_rows(np.random.default_rng(6), 20_000, START))
    spool.close()
    began = asyncio.get_running_loop().time()
    while await monitoring.tick(eager=True):
        pass
    assert asyncio.get_running_loop().time() - began < 4


async def test_a_fresh_prediction_is_found_while_few_rows_still_wait(keel: Keel):
    monitoring, _ = await open_monitoring(keel)
    spool = Spool(spool_of(keel), "w1")
    ids = write_rows(spool, stream(), make_rows(np.random.default_rng(7), 3, START))
    spool.close()
    assert not await monitoring.tick()
    assert (await monitoring.prediction(await owner(keel), ids[1][:-2])).id == ids[1]


def test_patience_grows_with_a_trickle_and_ends_with_a_flood():
    pace = Pace(1.0, 5.0, 500)
    assert pace.seconds == 1.0
    seen = []
    for amount in (10, 10, 10, 10, 1_000, 10):
        pace.passed(amount)
        seen.append(pace.seconds)
    assert seen == [2.0, 4.0, 5.0, 5.0, 1.0, 2.0]
