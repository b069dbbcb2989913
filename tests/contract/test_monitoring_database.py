"""Monitoring's SQL on every database: logged, labelled, judged, alerted, acted on, resolved, read back."""

from pathlib import Path

import numpy as np

from modelkeel.app import Keel, Settings
from modelkeel.monitoring.config import DriftRule, MonitorConfig, QualityRule, Reaction
from tests.integration.monitoring_kit import DAY, START, make_rows, reference_of, rig, stream

WEEK = 7 * DAY
CONFIG = MonitorConfig(
    window="7d",
    lateness="1d",
    drift=DriftRule(min_rows=300, persist=1),
    quality=QualityRule(min_labels=300, persist=1),
    on_alert=Reaction(retrain="flights", cool_down_windows=1),
)


async def test_the_whole_way(address: str, home: Path):
    keel = Keel.open(Settings(home, database=address))
    made, rng = await rig(keel), np.random.default_rng(1)
    made.references.known["flights", 1] = reference_of(make_rows(rng, 5_000, START))
    made.references.known["flights", 2] = reference_of(make_rows(rng, 5_000, START, shift=1.0))
    await made.monitoring.put_monitor(made.principal, "flights", CONFIG)
    ids = await made.log(make_rows(rng, 600, START, shift=1.0))
    await made.log(make_rows(rng, 600, START + WEEK, shift=1.0))
    await made.settle()
    (alert,) = await made.monitoring.alerts(made.principal, status="active")
    assert (alert.kind, alert.feature) == ("drift", "y")
    await made.monitoring.reader.acknowledge(made.principal, alert.id, "")
    ((_, _, reason),) = made.launches.asked
    made.launches.ends[f"run-{reason['action']}"] = "finished"
    for week in (2, 3, 4):
        await made.log(make_rows(rng, 600, START + week * WEEK, shift=1.0), stream("r2", version=2))
    await made.settle()
    (incident,) = await made.monitoring.incidents(made.principal)
    whole = await made.monitoring.reader.incident(made.principal, incident.id)
    assert whole.closed is not None
    assert [action.status for action in whole.actions] == ["finished"]
    assert (await made.monitoring.prediction(made.principal, ids[0])).label is not None
    windows = await made.monitoring.windows(made.principal, "flights")
    assert [w.rows for w in windows] == [600] * 5
    traffic = await made.monitoring.traffic(made.principal, "flights", None, 10)
    assert sum(t.rows for t in traffic.series) == 3_000
    await made.monitoring.put_monitor(made.principal, "flights", MonitorConfig(window="14d"))
    await made.settle()
    assert sum(w.rows for w in await made.monitoring.windows(made.principal, "flights")) == 3_000
    await made.monitoring.monitors.delete(made.principal, "flights")
    keel.close()
