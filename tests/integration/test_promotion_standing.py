"""Candidates that the server makes by itself: a standing approval admits them within its limits, nothing else does."""

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Role
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import InvalidInput, PermissionDenied, Refused
from modelkeel.governance.standing import StandingRequest
from modelkeel.identity.models import NewToken, NewUser
from tests.integration.promotion_kit import MODEL, People, catch_up, gates, made_by_pipeline, people, run_of, types


async def champion(keel: Keel) -> People:
    """Version 1, made by Ann's pipeline, approved by Vera."""
    who = await people(keel)
    await gates(keel, who.olga)
    number = await made_by_pipeline(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion")
    assert (await keel.governance.approve(who.vera, asked.id)).status == "committed"
    await catch_up(keel)
    return who


async def retrained(keel: Keel, who: People, source: int = 1, **fields) -> int:
    """A version that the server made by itself, with the files of another version's run."""
    return await made_by_pipeline(keel, who.robot, source=await run_of(keel, who.olga, source), **fields)


def word(**fields) -> StandingRequest:
    return StandingRequest(**{"model": MODEL, "metric": "auc", "min": 0.65, "like": 1, **fields})


async def statuses(keel: Keel, who: People) -> dict[int, str]:
    return {p.version: p.status for p in await keel.governance.promotions.all(who.olga)}


async def test_without_a_word_in_advance_it_waits(keel: Keel):
    who = await champion(keel)
    await retrained(keel, who)
    await catch_up(keel)
    assert await statuses(keel, who) == {1: "committed", 2: "waiting_approval"}
    waiting = (await keel.governance.promotions.all(who.olga, version=2))[0]
    assert waiting.authors == [who.robot.id]
    assert (await keel.governance.approve(who.vera, waiting.id)).status == "committed"


async def test_a_standing_approval_admits_as_many_as_it_says(keel: Keel):
    who = await champion(keel)
    given = await keel.governance.standing.give(who.vera, word())
    assert (given.left, given.name) == (1, "vera")
    await retrained(keel, who)
    await catch_up(keel)
    assert (await keel.registry.aliases(who.olga, MODEL)) == {"champion": 2}
    admitted = (await keel.governance.promotions.all(who.olga, version=2))[0]
    assert admitted.standing_approval == given.id
    assert "vera" in admitted.gates[-1].sentence
    assert (await keel.governance.standing.get(who.olga, given.id)).left == 0
    await retrained(keel, who)
    await catch_up(keel)
    assert await statuses(keel, who) == {1: "committed", 2: "committed", 3: "waiting_approval"}
    await keel.governance.standing.give(who.vera, word())
    again = await keel.governance.promote(who.olga, MODEL, 3, "champion")
    assert again.status == "committed"
    assert await types(keel, who.olga, "standing_approval.given") == ["standing_approval.given"] * 2


@pytest.mark.parametrize(
    ("word_fields", "source_fields", "run_fields"),
    [
        ({}, {}, {"auc": 0.64}),
        ({"metric": "f1"}, {}, {}),
        ({"like": None, "code": "d" * 64}, {}, {}),
        ({}, {"files": "evil()"}, {}),
        ({}, {"files": "evil()"}, {"files": "train()"}),  # the worker says that it ran other files than it was given
        ({}, {"target": "p.py:evil"}, {}),
    ],
)
async def test_outside_its_limits_it_does_not_hold(
    keel: Keel, word_fields: dict, source_fields: dict, run_fields: dict
):
    who = await champion(keel)
    await keel.governance.standing.give(who.vera, word(**word_fields))
    source = await made_by_pipeline(keel, who.ann, **source_fields)
    await retrained(keel, who, source, **run_fields)
    await catch_up(keel)
    assert (await statuses(keel, who))[3] == "waiting_approval"


async def test_it_follows_launches_back_to_the_run_that_a_person_started(keel: Keel):
    who = await champion(keel)
    await keel.governance.standing.give(who.vera, word(promotions=2))
    second = await retrained(keel, who)
    await catch_up(keel)
    await retrained(keel, who, second)
    await catch_up(keel)
    assert (await keel.registry.aliases(who.olga, MODEL)) == {"champion": 3}


async def test_it_never_covers_what_a_person_made(keel: Keel):
    who = await champion(keel)
    await keel.governance.standing.give(who.vera, word())
    number = await made_by_pipeline(keel, who.ann)
    assert (await keel.governance.promote(who.olga, MODEL, number, "champion")).status == "waiting_approval"


async def test_it_ends_with_its_policy_its_time_and_its_giver_s_will(keel: Keel):
    who = await champion(keel)
    revoked = await keel.governance.standing.give(who.vera, word(promotions=5))
    assert (await keel.governance.standing.revoke(who.vera, revoked.id)).revoked
    await keel.governance.standing.give(who.vera, word(days=1e-9))
    await keel.governance.standing.give(who.vera, word())
    await gates(keel, who.olga, metrics=[{"metric": "auc", "min": 0.61}])
    await retrained(keel, who)
    await catch_up(keel)
    assert (await statuses(keel, who))[2] == "waiting_approval"


async def test_revoked_after_the_gates_but_before_the_commit(keel: Keel):
    who = await champion(keel)
    given = await keel.governance.standing.give(who.vera, word())
    number = await retrained(keel, who)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion", automatic=False)
    assert asked.status == "approved"
    await keel.governance.standing.revoke(who.vera, given.id)
    with pytest.raises(Exception, match="revoked"):
        await keel.governance.commit(who.olga, asked.id)
    assert (await keel.registry.aliases(who.olga, MODEL)) == {"champion": 1}
    assert (await statuses(keel, who))[2] == "voided"


async def test_who_may_give_one(keel: Keel):
    who = await champion(keel)
    with pytest.raises(PermissionDenied):
        await keel.governance.standing.give(who.olga, word())
    with pytest.raises(InvalidInput, match="code"):
        await keel.governance.standing.give(who.vera, word(like=None))
    owner = await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))
    await keel.identity.create_user(owner, NewUser("machine", [Role.APPROVER], "service"))
    token = await keel.identity.tokens.mint(owner, NewToken("machine"))
    machine = await keel.identity.authenticate(Credential(Shown.TOKEN, token.secret))
    with pytest.raises(Refused, match="people"):
        await keel.governance.standing.give(machine, word())


async def test_a_run_that_a_person_started_asks_for_nothing(keel: Keel):
    who = await champion(keel)
    await made_by_pipeline(keel, who.robot)
    await catch_up(keel)
    assert await statuses(keel, who) == {1: "committed"}
