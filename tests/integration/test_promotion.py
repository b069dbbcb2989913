"""A promotion's life: gates, evidence, approvals by other people, commit, and what voids it."""

import pytest

from modelkeel.app import Keel
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import Conflict, InvalidInput, PermissionDenied, Refused
from modelkeel.tracking.models import Metric
from tests.integration.promotion_kit import MODEL, gates, people, types, version


async def test_a_version_is_promoted_by_two_people(keel: Keel):
    who = await people(keel)
    digest = await gates(keel, who.olga)
    number = await version(keel, who.ann)

    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert asked.status == "waiting_approval"
    assert {g.gate: g.verdict for g in asked.gates} == {
        "metric:auc": "passed",
        "schema": "passed",
        "approvals": "waiting",
    }
    assert asked.policy == digest
    assert asked.authors == [who.ann.id]
    assert await keel.registry.aliases(who.olga, MODEL) == {}

    done = await keel.governance.approve(who.vera, asked.id, "looks right")
    assert done.status == "committed"
    assert [(a.name, a.verdict, a.reason) for a in done.approvals] == [("vera", "approved", "looks right")]
    assert await keel.registry.aliases(who.olga, MODEL) == {"champion": number}
    order = ["policy.set", "promotion.evaluated", "approval.requested", "approval.given", "promotion.committed"]
    assert await types(keel, who.olga, *order, "alias.moved") == [*order, "alias.moved"]


async def test_a_gate_refuses_with_its_reason(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    number = await version(keel, who.ann, auc=0.55, schema=False)
    found = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert found.status == "refused"
    assert found.reasons[0] == "auc 0.55 is not at least 0.6."
    assert "signature" in found.reasons[1]
    with pytest.raises(Conflict):
        await keel.governance.approve(who.vera, found.id)
    with pytest.raises(Refused):
        await keel.governance.commit(who.olga, found.id)


async def test_asked_again_with_the_same_evidence_nothing_is_recorded_twice(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    number = await version(keel, who.ann)
    first = await keel.governance.promote(who.olga, MODEL, number, "champion")
    again = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert again == first
    assert await types(keel, who.olga, "promotion.evaluated") == ["promotion.evaluated"]


async def test_who_may_not_approve(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    mine = await version(keel, who.walt)
    asked = await keel.governance.promote(who.olga, MODEL, mine, "champion")
    with pytest.raises(Refused, match="author"):
        await keel.governance.approve(who.walt, asked.id)
    with pytest.raises(PermissionDenied, match="approve"):
        await keel.governance.approve(who.olga, asked.id)
    with pytest.raises(PermissionDenied, match="without a token"):
        await keel.governance.approve(keel.identity.anonymous(), asked.id)
    theirs = await version(keel, who.ann)
    asked = await keel.governance.promote(who.walt, MODEL, theirs, "champion")
    with pytest.raises(Refused, match="asks for a promotion"):
        await keel.governance.approve(who.walt, asked.id)
    with pytest.raises(InvalidInput, match="reason"):
        await keel.governance.decisions.reject(who.vera, asked.id, " ")


async def test_an_author_stays_one_under_another_name(keel: Keel):
    """The client's user name is only a word; the ledger knows whose token it was."""
    who = await people(keel)
    await gates(keel, who.olga)
    run = await keel.tracking.create_run(who.walt, "0", user="somebody else")
    number = await version(keel, who.ann, run_id=run.id)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert set(asked.authors) == {who.ann.id, who.walt.id}
    with pytest.raises(Refused, match="author"):
        await keel.governance.approve(who.walt, asked.id)


async def test_metrics_of_another_run_prove_nothing(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    good = (await keel.tracking.create_run(who.ann, "0")).id
    await keel.tracking.log_batch(who.ann, good, [Metric("auc", 0.99, 1)])
    bad = await version(keel, who.ann, auc=0.1)
    source = (await keel.registry.model_version(who.ann, MODEL, bad)).source
    forged = await keel.registry.create_version(who.ann, MODEL, source, run_id=good)
    assert forged.run_id == good
    found = await keel.governance.promote(who.olga, MODEL, forged.version, "champion")
    assert found.reasons == ["auc 0.1 is not at least 0.6.", "Waits for 1 approver other than its author."]


async def test_a_rejection_ends_it_and_a_new_request_asks_anew(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    number = await version(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    ended = await keel.governance.decisions.reject(who.vera, asked.id, "no data sheet")
    assert ended.status == "refused"
    assert ended.reasons == ["vera rejected it: no data sheet"]
    again = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert (again.status, again.id != asked.id) == ("waiting_approval", True)


async def test_changed_evidence_voids_an_approval(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga, approvals=2)
    run = (await keel.tracking.create_run(who.ann, "0")).id
    number = await version(keel, who.ann, run_id=run)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    half = await keel.governance.approve(who.vera, asked.id)
    assert half.status == "waiting_approval"
    await keel.tracking.log_batch(who.ann, run, [Metric("auc", 0.95, 1_800_000_000_000)])
    with pytest.raises(Conflict, match="changed"):
        await keel.governance.approve(who.walt, asked.id)
    assert (await keel.governance.promotions.get(who.olga, asked.id)).status == "voided"
    again = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert (again.status, again.approvals) == ("waiting_approval", [])
    assert await types(keel, who.olga, "approval.voided") == ["approval.voided"]


async def test_evidence_that_changes_after_the_last_approval_is_caught_at_the_commit(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    run = (await keel.tracking.create_run(who.ann, "0")).id
    number = await version(keel, who.ann, run_id=run)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion", automatic=False)
    approved = await keel.governance.approve(who.vera, asked.id)
    assert approved.status == "approved"
    await keel.tracking.log_batch(who.ann, run, [Metric("auc", 0.3, 1_800_000_000_000)])
    with pytest.raises(Refused):
        await keel.governance.commit(who.olga, asked.id)
    assert await keel.registry.aliases(who.olga, MODEL) == {}
    assert (await keel.governance.promotions.get(who.olga, asked.id)).status == "voided"


async def test_a_changed_policy_voids_what_waits(keel: Keel):
    who = await people(keel)
    first = await gates(keel, who.olga)
    number = await version(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert await gates(keel, who.olga) == first
    assert (await keel.governance.promotions.get(who.olga, asked.id)).status == "waiting_approval"
    await gates(keel, who.olga, approvals=2)
    assert (await keel.governance.promotions.get(who.olga, asked.id)).status == "voided"
    assert await types(keel, who.olga, "policy.set") == ["policy.set", "policy.set"]
    with pytest.raises(Conflict):
        await keel.governance.approve(who.vera, asked.id)


async def test_only_the_roles_that_the_policy_names_count(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga, approvals={"count": 1, "roles": ["admin"]})
    number = await version(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    with pytest.raises(Refused, match="admin"):
        await keel.governance.approve(who.vera, asked.id)
    owner = await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))
    assert (await keel.governance.approve(owner, asked.id)).status == "committed"


async def test_a_challenger_must_beat_the_champion_that_is_there(keel: Keel):
    who = await people(keel)
    rule = {"metric": "auc", "evidence": "challenge", "min_gain": 0.01}
    await gates(keel, who.olga, approvals=0, better_than_champion=rule)
    first = await version(keel, who.ann)
    assert (await keel.governance.promote(who.olga, MODEL, first, "champion")).status == "committed"

    def shown(new: float, low: float, champion: int) -> dict:
        metrics = {"challenge_auc": new, "challenge_champion_auc": 0.70, "challenge_auc_diff_low": low}
        return {"metrics": metrics, "params": {"challenge_champion": f"{MODEL}/{champion}"}, "data": "d1g3st"}

    silent = await version(keel, who.ann)
    found = await keel.governance.promote(who.olga, MODEL, silent, "champion")
    assert found.status == "refused"
    assert "no comparison with version 1" in found.reasons[0]
    chance = await version(keel, who.ann, **shown(0.73, -0.002, first))
    assert "within chance" in (await keel.governance.promote(who.olga, MODEL, chance, "champion")).reasons[0]
    small = await version(keel, who.ann, **shown(0.705, 0.001, first))
    assert "gain of at least 0.01" in (await keel.governance.promote(who.olga, MODEL, small, "champion")).reasons[0]
    better = await version(keel, who.ann, **shown(0.75, 0.02, first))
    done = await keel.governance.promote(who.olga, MODEL, better, "champion")
    assert done.status == "committed"
    assert {g.gate: g.facts for g in done.gates}["better_than_champion"]["data"] == ["d1g3st"]
    late = await version(keel, who.ann, **shown(0.80, 0.05, first))
    found = await keel.governance.promote(who.olga, MODEL, late, "champion")
    assert found.reasons == [f"The run compared itself with flights/1, but version {better} holds @champion."]
