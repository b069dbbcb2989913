"""Prices and the bill over what was really stored; its arithmetic is checked beside `costs.bill`."""

import pytest

from modelkeel.app import Keel
from modelkeel.core.errors import PermissionDenied
from modelkeel.costs import store
from modelkeel.costs.models import Prices
from modelkeel.tracking.models import RunStatus
from tests.integration.promotion_kit import made_by_pipeline, people, types


async def test_prices_usage_and_the_bill(keel: Keel):
    who = await people(keel)
    assert (await keel.costs.prices(who.ann)).default
    assert (await keel.costs.set_prices(who.olga, Prices("EUR", 36.0, 3.6, 0.02))).changed
    assert not (await keel.costs.set_prices(who.olga, Prices("EUR", 36.0, 3.6, 0.02))).changed
    assert await types(keel, who.olga, "price.set") == ["price.set"]
    with pytest.raises(PermissionDenied):
        await keel.costs.set_prices(who.ann, Prices())
    await made_by_pipeline(keel, who.ann)
    for _ in range(2):
        await keel.database.write(lambda tx: store.add_usage(tx, who.ann.workspace, "churn", 0, 1.5, 100.0, 5.0))
    bill = await keel.costs.bill(who.ann)
    assert bill.currency == "EUR"
    assert [(line.name, line.cpu_seconds, line.seconds) for line in bill.endpoints] == [("churn", 3.0, 10.0)]
    assert bill.endpoints[0].amount == pytest.approx(3.0 * 0.01 + 200.0 * 0.001)
    assert [line.name for line in bill.pipelines] == ["train"]
    assert bill.storage.count > 0


async def test_only_what_this_server_saw_is_billed(keel: Keel):
    """An imported run, or a client's wrong clock, would else cost years; a run that is on costs when it has ended."""
    who = await people(keel)
    imported = await keel.tracking.create_run(who.ann, "0", started=0)
    await keel.tracking.update_run(who.ann, imported.id, status=RunStatus.FINISHED, ended=1_000_000)
    odd = await keel.tracking.create_run(who.ann, "0", started=0)
    await keel.tracking.end_run(who.ann, odd.id)
    await keel.tracking.create_run(who.ann, "0", started=0)
    bill = await keel.costs.bill(who.ann)
    assert bill.other_runs.count == 2
    assert bill.other_runs.seconds < 60
