"""Long series are folded into segments, and nobody who reads them can tell."""

import itertools
import math

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelkeel.core.access import PERMISSIONS, Principal, Role
from modelkeel.identity.authorizer import RoleAuthorizer
from modelkeel.ledger.service import Ledger
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.tracking import store
from modelkeel.tracking.models import Metric
from modelkeel.tracking.service import Tracking

WHO = Principal("u", "u", "user", "w", PERMISSIONS[Role.ADMIN])
POINTS = 24_000


@pytest.fixture
def tracking(database: Database, tmp_path) -> Tracking:
    authorizer = RoleAuthorizer()
    ledger = Ledger(database, Ed25519PrivateKey.generate(), authorizer)
    return Tracking(database, ledger, BlobStore.local(tmp_path / "blobs"), authorizer)


async def _logged(tracking: Tracking, run: str, points: list[Metric]) -> None:
    for start in range(0, len(points), 1000):
        await tracking.log_batch(WHO, run, points[start : start + 1000])


def _point(step: int) -> Metric:
    return Metric("loss", math.nan if step % 1000 == 7 else step / 3, 1000 + step, step)


async def test_a_folded_series_reads_as_before(tracking: Tracking, database: Database) -> None:
    experiment = await tracking.create_experiment(WHO, "long", {})
    run = (await tracking.create_run(WHO, experiment)).id
    await _logged(tracking, run, [_point(step) for step in range(POINTS)])
    before = await tracking.metric_history(WHO, run, "loss")
    drawn = await tracking.metric_buckets(WHO, run, "loss", 100)
    assert await tracking.fold_quiet(quiet=60) == 0  # not quiet yet
    assert await tracking.fold_quiet(quiet=0) == 1
    assert str(await tracking.metric_history(WHO, run, "loss")) == str(before)
    assert await tracking.metric_buckets(WHO, run, "loss", 100) == drawn

    seq, key = await database.read(lambda tx: _numbers(tx, run))
    left = await database.read(lambda tx: len(store.segments.loose(tx, seq, key)))
    assert 0 < left < 10_000

    late = [Metric("loss", -5.0, 1, 500), _point(500), _point(POINTS + 3)]  # between, twice, and at the end
    await _logged(tracking, run, late)
    history, _ = await tracking.metric_history(WHO, run, "loss")
    assert len(history) == POINTS + 2
    assert history[0] == late[0]  # the oldest by its time
    part = await tracking.metric_series(WHO, run, "loss", 499, 501)
    assert part.steps.tolist() == [499, 500, 500, 501]

    await _logged(tracking, run, [_point(step) for step in range(POINTS, 2 * POINTS)])
    assert await tracking.fold_quiet(quiet=0) >= 1
    merged = await tracking.metric_series(WHO, run, "loss")
    assert len(merged) == 2 * POINTS + 1
    assert await database.read(lambda tx: sum(1 for _ in store.metrics.ordered(tx, seq, key))) == 2 * POINTS + 1
    spans = await database.read(lambda tx: _spans(tx, seq, key))
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))


async def test_pages_of_a_history_join_to_the_whole(tracking: Tracking) -> None:
    experiment = await tracking.create_experiment(WHO, "pages", {})
    run = (await tracking.create_run(WHO, experiment)).id
    await _logged(tracking, run, [_point(step) for step in range(12_000)])
    await tracking.fold_quiet(quiet=0)
    found: list[Metric] = []
    token: str | None = None
    while True:
        page, token = await tracking.metric_history(WHO, run, "loss", limit=5000, token=token)
        found += page
        if token is None:
            break
    assert [point.step for point in found] == list(range(12_000))


def _numbers(tx, run: str) -> tuple[int, int]:
    row = store.runs.find(tx, "w", run)
    number = store.metrics.key_id(tx, "w", "loss")
    assert row is not None
    assert number is not None
    return row.seq, number


def _spans(tx, seq: int, key: int) -> list[tuple[int, int]]:
    table = store.segments.metric_segment.c
    query = sa.select(table.first, table.last).where(table.run == seq, table.key == key).order_by(table.first)
    return [(row.first, row.last) for row in tx.all(query)]
