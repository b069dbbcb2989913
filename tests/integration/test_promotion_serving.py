"""Where an endpoint serves the model, traffic moves first and the alias follows; what may serve at all."""

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import Refused
from modelkeel.ledger.service import SYSTEM
from modelkeel.serving.models import Deploy, RevisionState, RolloutState
from modelkeel.serving.store import set_revision
from tests.integration.promotion_kit import MODEL, People, catch_up, gates, people, version


async def finish(keel: Keel, by: Principal, state: RolloutState, note: str = "") -> None:
    """Does to the open rollout what the controller does: its processes do not run in this test."""
    rollout = (await keel.serving.endpoint(by, MODEL)).rollout
    assert rollout is not None
    assert rollout.state.is_open
    if state is RolloutState.COMPLETED and rollout.ticket is not None:
        owner = await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))
        await keel.governance.promotions.commit(owner, rollout.ticket)

    def work(tx) -> None:
        set_revision(tx, rollout.candidate, {"state": RevisionState.READY})
        keel.serving.move(tx, Principal(SYSTEM.id, "", "service", by.workspace, frozenset()), rollout, state, 0, note)

    await keel.database.write(work)


async def served(keel: Keel) -> People:
    """Version 1 is the champion and has all the traffic; version 2 is there."""
    who = await people(keel)
    await gates(keel, who.olga)
    first = await version(keel, who.ann)
    with pytest.raises(Refused, match="Waits for 1 approver"):
        await keel.serving.deploy(who.olga, MODEL, Deploy(f"{MODEL}/{first}"))
    asked = await keel.governance.promote(who.olga, MODEL, first, "champion")
    await keel.governance.approve(who.vera, asked.id)
    await keel.serving.deploy(who.olga, MODEL, Deploy(f"{MODEL}@champion"))
    await finish(keel, who.olga, RolloutState.COMPLETED)
    await version(keel, who.ann, auc=0.8)
    return who


async def test_the_alias_moves_when_the_rollout_is_complete(keel: Keel):
    who = await served(keel)
    with pytest.raises(Refused, match="may not serve"):
        await keel.serving.deploy(who.olga, MODEL, Deploy(f"{MODEL}/2"))
    asked = await keel.governance.promote(who.olga, MODEL, 2, "champion")
    approved = await keel.governance.approve(who.vera, asked.id)
    assert approved.status == "approved"
    rollout = (await keel.serving.endpoint(who.olga, MODEL)).rollout
    assert rollout is not None
    assert rollout.ticket == asked.id
    assert await keel.registry.aliases(who.olga, MODEL) == {"champion": 1}
    await catch_up(keel)  # the same decision from the ledger starts nothing more
    assert len((await keel.serving.endpoint(who.olga, MODEL)).revisions) == 2
    before = now_ms()
    await finish(keel, who.olga, RolloutState.COMPLETED)
    assert await keel.registry.aliases(who.olga, MODEL) == {"champion": 2}
    now = await keel.governance.tracing.served_at(who.olga, MODEL, server_time=now_ms() + 1)
    assert [(s.version, s.weight, s.approved_by, s.promotion) for s in now.served] == [(2, 100, ["vera"], asked.id)]
    then = await keel.governance.tracing.served_at(who.olga, MODEL, server_time=before - 1)
    assert [(s.version, s.weight) for s in then.served] == [(1, 100)]
    assert then.clock == "server"
    never = await keel.governance.tracing.served_at(who.olga, MODEL, server_time=1)
    assert never.served == []


async def test_a_rollout_that_fails_ends_its_promotion(keel: Keel):
    who = await served(keel)
    asked = await keel.governance.promote(who.olga, MODEL, 2, "champion")
    await keel.governance.approve(who.vera, asked.id)
    await finish(keel, who.olga, RolloutState.ABORTED, "5 % of its answers were errors")
    await catch_up(keel)
    ended = await keel.governance.promotions.get(who.olga, asked.id)
    assert ended.status == "voided"
    assert "5 % of its answers were errors" in ended.reasons[0]
    assert await keel.registry.aliases(who.olga, MODEL) == {"champion": 1}


async def test_the_way_back_is_open_under_the_same_policy(keel: Keel):
    who = await served(keel)
    asked = await keel.governance.promote(who.olga, MODEL, 2, "champion")
    await keel.governance.approve(who.vera, asked.id)
    await finish(keel, who.olga, RolloutState.COMPLETED)
    back = await keel.serving.rollback(who.olga, MODEL)
    assert [r.version for r in back.revisions if r.id == back.routes[0].revision] == [1]
    await keel.serving.deploy(who.olga, MODEL, Deploy(f"{MODEL}/2"))
    await finish(keel, who.olga, RolloutState.COMPLETED)
    await gates(keel, who.olga, metrics=[{"metric": "auc", "min": 0.75}])
    with pytest.raises(Refused, match=r"not at least 0\.75"):
        await keel.serving.rollback(who.olga, MODEL)


async def test_a_trace_of_a_version_names_its_uses_and_its_approver(keel: Keel):
    who = await served(keel)
    found = await keel.governance.tracing.trace_version(who.olga, MODEL, 1)
    assert [(use.endpoint, use.state, use.rows) for use in found.uses] == [(MODEL, "ready", 0)]
    assert found.origin.approved_by == ["vera"]
    assert found.origin.run is not None
    assert found.origin.run.by == "ann"
    assert found.origin.run.metrics == {"auc": 0.7}
    assert found.origin.pipeline is None
    kinds = {e.index: e.type for e in await keel.ledger.entries(who.olga, limit=1000)}
    assert [kinds[i] for i in found.origin.version.entries] == ["version.created"]
    assert kinds[found.origin.promotions[0].entries["committed"]] == "promotion.committed"


async def test_what_was_approved_during_another_rollout_follows_when_that_fails(keel: Keel):
    who = await served(keel)
    third = await version(keel, who.ann, auc=0.9)
    for number in (2, third):
        asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
        await keel.governance.approve(who.vera, asked.id)
    rollout = (await keel.serving.endpoint(who.olga, MODEL)).rollout
    assert rollout is not None
    assert rollout.ticket != asked.id
    await finish(keel, who.olga, RolloutState.ABORTED, "too slow")
    await catch_up(keel)
    await finish(keel, who.olga, RolloutState.COMPLETED)
    assert await keel.registry.aliases(who.olga, MODEL) == {"champion": third}
    statuses = {p.version: p.status for p in await keel.governance.promotions.all(who.olga)}
    assert statuses == {1: "committed", 2: "voided", third: "committed"}
