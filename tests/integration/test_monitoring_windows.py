"""From logged rows and labels to windows, alerts, actions and closed incidents, on a real database."""

import io

import numpy as np
import polars as pl
import pytest

from modelkeel.app import Keel
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput, NotFound
from modelkeel.monitoring.config import DriftRule, MonitorConfig, QualityRule, Reaction
from modelkeel.monitoring.fold import MOST_PARTS
from modelkeel.monitoring.quality import estimates
from modelkeel.monitoring.store import windows
from tests.integration.monitoring_kit import DAY, START, Rig, make_rows, reference_of, rig, spool_of, stream

WEEK = 7 * DAY
CONFIG = MonitorConfig(
    window="7d",
    lateness="2d",
    drift=DriftRule(min_rows=500, persist=2),
    quality=QualityRule(min_labels=500, persist=2),
    on_alert=Reaction(retrain="flights", cool_down_windows=2),
)


async def watched(keel: Keel, config: MonitorConfig = CONFIG) -> tuple[Rig, np.random.Generator]:
    """A monitored endpoint whose first version has a reference."""
    made, rng = await rig(keel), np.random.default_rng(7)
    made.references.known["flights", 1] = reference_of(make_rows(rng, 20_000, START - 8 * WEEK, days=56))
    await made.monitoring.put_monitor(made.principal, "flights", config)
    return made, rng


async def test_a_quiet_endpoint_raises_nothing(keel: Keel):
    made, rng = await watched(keel)
    for week in range(4):
        await made.log(make_rows(rng, 2_000, START + week * WEEK))
        await made.settle()
    windows = await made.monitoring.windows(made.principal, "flights")
    assert [(w.start, w.closed, w.rows) for w in windows] == [
        (rfc3339(START + i * WEEK), i < 3, 2_000) for i in range(4)
    ]
    first = windows[0].revisions[0]
    assert first.coverage == 1.0
    assert {c.column for c in first.drift} == {"x", "y", "place", "prediction"}
    assert first.quality["auc"].low < first.judged.reference.value < first.quality["auc"].high
    assert await made.monitoring.alerts(made.principal) == []
    assert len(await made.entries("window.closed")) == 3


async def test_window_figures_are_those_of_the_rows(keel: Keel):
    """Counts from several segments, revisions and label batches equal what the rows say at once."""
    made, rng = await watched(keel)
    rows = make_rows(rng, 3_000, START)
    ids = []
    for at in range(0, 3_000, 750):
        part = rows.__class__(
            [],
            rows.truth[at : at + 750],
            rows.event[at : at + 750],
            {k: v[at : at + 750] for k, v in rows.columns.items()},
        )
        ids += await made.log(part, label=at % 1500 == 0)
        await made.settle()
    await made.label(ids[750:1500], rows.truth[750:1500])
    await made.settle()
    (window,) = await made.monitoring.windows(made.principal, "flights")
    (found,) = window.revisions
    assert (found.rows, found.labels) == (3_000, 2_250)
    kept = np.r_[0:2_250]
    positive, negative = (
        rows.columns["score"][kept][rows.truth[kept] == 1],
        rows.columns["score"][kept][rows.truth[kept] == 0],
    )
    auc = np.mean(positive[:, None] > negative[None, :])
    assert found.quality["auc"].value == pytest.approx(auc, abs=1e-12)
    assert found.quality["brier"].value == pytest.approx(
        np.mean((rows.columns["score"][kept] - rows.truth[kept]) ** 2), abs=1e-12
    )
    histograms = await made.monitoring.reader.histograms(made.principal, "flights", window.start, "r1")
    assert sum(histograms["x"]["current"]) == 3_000
    at = {name: i for i, name in enumerate(histograms["place"]["bins"])}
    for place in ("EWR", "JFK", "LGA"):
        assert histograms["place"]["current"][at[place]] == int((rows.columns["place"] == place).sum())


async def test_drift_alerts_once_acts_once_and_ends_under_a_new_model(keel: Keel):
    made, rng = await watched(keel)
    for week in range(2):
        await made.log(make_rows(rng, 2_000, START + week * WEEK))
    for week in range(2, 6):
        await made.log(make_rows(rng, 2_000, START + week * WEEK, shift=1.0))
        await made.settle()
    (alert,) = await made.monitoring.alerts(made.principal)
    assert (alert.kind, alert.feature, alert.status) == ("drift", "y", "open")
    assert (alert.start, alert.windows) == (rfc3339(START + 2 * WEEK), 3)
    assert alert.effect > alert.threshold == 0.2
    assert alert.p < 1e-6
    assert alert.evidence["histogram"]["bins"][-1] == "missing"
    assert len(await made.entries("alert.raised")) == 1
    ((pipeline, params, reason),) = made.launches.asked
    assert (pipeline, params["until"]) == ("flights", rfc3339(START + 4 * WEEK))
    assert reason["alert"] == alert.id
    acknowledged = await made.monitoring.reader.acknowledge(made.principal, alert.id, "looking")
    assert acknowledged.status == "acknowledged"
    await made.monitoring.reader.acknowledge(made.principal, alert.id, "again")
    assert len(await made.entries("alert.acknowledged")) == 1
    run = f"run-{reason['action']}"
    made.launches.ends[run] = "finished"
    made.references.known["flights", 2] = reference_of(make_rows(rng, 5_000, START, shift=1.0))
    for week in range(6, 8):
        await made.log(make_rows(rng, 2_000, START + week * WEEK, shift=1.0), stream("r2", version=2))
        await made.settle()
    resolved = await made.monitoring.reader.alert(made.principal, alert.id)
    assert resolved.status == "resolved"
    (incident,) = await made.monitoring.incidents(made.principal)
    assert incident.closed is not None
    assert [(a.status, a.run) for a in incident.actions] == [("finished", run)]
    whole = await made.monitoring.reader.incident(made.principal, incident.id)
    steps = [moment.type for moment in whole.timeline]
    assert steps == [
        "incident.opened",
        "alert.raised",
        "action.started",
        "alert.acknowledged",
        "action.ended",
        "alert.resolved",
        "incident.closed",
    ]


async def test_lost_quality_alerts_beyond_chance_and_recovers_by_measurement(keel: Keel):
    made, rng = await watched(keel)
    for week in range(5):
        # From the third week on the score knows less of what drives the truth; the inputs stay as they were.
        await made.log(make_rows(rng, 3_000, START + week * WEEK, skill=1.5 if week < 2 else 0.3))
        await made.settle()
    quality = [a for a in await made.monitoring.alerts(made.principal) if a.kind == "quality"]
    (alert,) = quality
    assert (alert.feature, alert.start) == ("auc", rfc3339(START + 2 * WEEK))
    assert alert.effect > 0.03
    assert alert.evidence["judged"]["current"]["high"] < alert.evidence["judged"]["bar"]
    assert not [a for a in await made.monitoring.alerts(made.principal) if a.kind == "drift"]
    made.references.known["flights", 2] = reference_of(make_rows(rng, 5_000, START))
    for week in range(5, 7):
        await made.log(make_rows(rng, 3_000, START + week * WEEK), stream("r2", version=2))
        await made.settle()
    assert [a.status for a in await made.monitoring.alerts(made.principal)] == ["resolved"] * len(
        await made.monitoring.alerts(made.principal)
    )
    assert (await made.monitoring.incidents(made.principal))[0].closed


async def test_cool_down_then_a_second_try_while_the_alert_lasts(keel: Keel):
    made, rng = await watched(keel)
    for week in range(7):
        await made.log(make_rows(rng, 1_000, START + week * WEEK, shift=1.0))
        await made.settle()
        for _, _, reason in made.launches.asked:
            made.launches.ends[f"run-{reason['action']}"] = "finished"
        await made.settle()
    assert [params["until"] for _, params, _ in made.launches.asked] == [
        rfc3339(START + week * WEEK) for week in (2, 4, 6)
    ]
    assert len({reason["alert"] for _, _, reason in made.launches.asked}) == 1


async def test_an_action_that_cannot_start_is_recorded_as_failed(keel: Keel):
    made, rng = await watched(
        keel,
        MonitorConfig(window="7d", lateness="1d", drift=DriftRule(min_rows=500), on_alert=Reaction(retrain="missing")),
    )
    for week in range(4):
        await made.log(make_rows(rng, 1_000, START + week * WEEK, shift=1.0))
    await made.settle()
    (ended,) = await made.entries("action.ended")
    assert ended.data["status"] == "failed"
    assert "no pipeline" in ended.texts["error"]


async def test_late_labels_and_corrections_change_their_window(keel: Keel):
    made, rng = await watched(keel)
    rows = make_rows(rng, 2_000, START)
    ids = await made.log(rows, label=False)
    await made.log(make_rows(rng, 2_000, START + 2 * WEEK), label=False)
    await made.settle()
    first = (await made.monitoring.windows(made.principal, "flights"))[0]
    assert (first.closed, first.revisions[0].labels) == (True, 0)
    await made.label(ids, 1 - rows.truth)
    await made.settle()
    wrong = (await made.monitoring.windows(made.principal, "flights"))[0].revisions[0].quality["auc"].value
    await made.label(ids, rows.truth)
    await made.settle()
    right = (await made.monitoring.windows(made.principal, "flights"))[0].revisions[0].quality["auc"].value
    assert right == pytest.approx(1 - wrong, abs=1e-12)
    assert right > 0.5


async def test_labels_that_come_before_their_rows_are_collected_still_count(keel: Keel):
    made, rng = await watched(keel)
    rows = make_rows(rng, 600, START)
    ids = made.write(rows, stream())
    (file,) = spool_of(keel).glob("*.closed")
    file.rename(file.with_suffix(".open"))
    await made.label(ids, rows.truth)
    await made.monitoring.tick(eager=True)
    file.with_suffix(".open").rename(file)
    await made.settle()
    (window,) = await made.monitoring.windows(made.principal, "flights")
    assert window.revisions[0].labels == 600


async def test_shadow_is_kept_apart_and_compared_on_the_same_rows(keel: Keel):
    made, rng = await watched(keel)
    rows = make_rows(rng, 2_000, START, skill=0.2)
    ids = await made.log(rows)
    better = make_rows(rng, 2_000, START)
    better.event, better.columns = rows.event, {**rows.columns, "score": 1 / (1 + np.exp(-1.5 * rows.columns["x"]))}
    made.write(better, stream("r2", "shadow", 2), ids[::50], batch=50)
    await made.settle()
    (window,) = await made.monitoring.windows(made.principal, "flights")
    assert window.rows == 2_000
    assert [(r.revision, r.variant, r.rows) for r in window.revisions] == [
        ("r1", "live", 2_000),
        ("r2", "shadow", 2_000),
    ]
    compared = await made.monitoring.compare(made.principal, "flights", "r1", "r2", START)
    assert compared.rows == 2_000
    assert compared.gain["auc"].low > 0
    assert compared.gain["auc"].value == pytest.approx(compared.b["auc"].value - compared.a["auc"].value, abs=1e-12)
    record = await made.monitoring.prediction(made.principal, ids[0])
    assert (record.revision, record.variant, [s.revision for s in record.shadows]) == ("r1", "champion", ["r2"])


async def test_a_monitor_that_starts_later_or_changes_reads_the_log_again(keel: Keel):
    made, rng = await rig(keel), np.random.default_rng(8)
    await made.log(make_rows(rng, 1_000, START))
    await made.settle()
    with pytest.raises(NotFound):
        await made.monitoring.windows(made.principal, "flights")
    made.references.known["flights", 1] = reference_of(make_rows(rng, 5_000, START))
    await made.monitoring.put_monitor(made.principal, "flights", CONFIG)
    await made.settle()
    (week,) = await made.monitoring.windows(made.principal, "flights")
    assert (week.rows, week.revisions[0].labels) == (1_000, 1_000)
    await made.monitoring.put_monitor(made.principal, "flights", CONFIG)
    assert len(await made.entries("monitor.updated")) == 0
    await made.monitoring.put_monitor(made.principal, "flights", MonitorConfig(window="1d"))
    await made.settle()
    days = await made.monitoring.windows(made.principal, "flights")
    assert (len(days), sum(day.rows for day in days)) == (7, 1_000)
    assert len(await made.entries("monitor.updated")) == 1


async def test_an_uploaded_reference_and_an_explicit_end(keel: Keel):
    made, rng = await rig(keel), np.random.default_rng(9)
    await made.monitoring.put_monitor(made.principal, "flights", CONFIG)
    with pytest.raises(InvalidInput):
        await made.monitoring.monitors.put_reference(made.principal, "flights", b"nothing")
    content = reference_of(make_rows(rng, 5_000, START - 4 * WEEK, days=28), event_time=True)
    monitor = await made.monitoring.monitors.put_reference(made.principal, "flights", content)
    assert monitor.config.reference.digest
    await made.log(make_rows(rng, 1_000, START))
    await made.settle()
    (window,) = await made.monitoring.windows(made.principal, "flights")
    assert not window.closed
    assert window.revisions[0].has_reference
    advanced = await made.monitoring.monitors.advance(made.principal, "flights", START + WEEK)
    assert advanced.watermark == rfc3339(START + WEEK)
    await made.settle()
    (window,) = await made.monitoring.windows(made.principal, "flights")
    assert window.closed
    await made.monitoring.monitors.delete(made.principal, "flights")
    with pytest.raises(NotFound):
        await made.monitoring.monitors.get(made.principal, "flights")


async def test_without_a_reference_rows_and_quality_are_still_shown(keel: Keel):
    made, rng = await rig(keel), np.random.default_rng(10)
    await made.monitoring.put_monitor(made.principal, "flights", CONFIG)
    await made.log(make_rows(rng, 1_000, START))
    await made.settle()
    (window,) = await made.monitoring.windows(made.principal, "flights")
    (found,) = window.revisions
    assert (found.rows, found.drift, found.has_reference) == (1_000, [], False)
    assert found.judged.reference is None
    assert pl.read_parquet(io.BytesIO(reference_of(make_rows(rng, 5, START)))).height == 5


async def test_many_small_label_batches_are_merged_and_say_the_same(keel: Keel):
    made, rng = await watched(keel)
    rows = make_rows(rng, 800, START)
    ids = await made.log(rows, label=False)
    await made.settle()
    for at in range(0, 800, 20):
        await made.label(ids[at : at + 20], 1 - rows.truth[at : at + 20])
        await made.settle()
        await made.label(ids[at : at + 20], rows.truth[at : at + 20])
        await made.settle()
    row = await keel.database.read(windows.monitors)
    parts = await keel.database.read(lambda tx: windows.label_parts(tx, row[0].id, START))
    assert len(parts) <= MOST_PARTS + 1
    (window,) = await made.monitoring.windows(made.principal, "flights")
    (found,) = window.revisions
    assert found.labels == 800
    expected = estimates(rows.truth.astype(float), rows.columns["score"])
    assert found.quality["auc"].value == pytest.approx(expected["auc"].value, abs=1e-12)
