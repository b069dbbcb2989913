"""No way around the gates: every route that changes what a protected alias means, for everybody who may call it."""

import asyncio

import pytest
from litestar.testing import AsyncTestClient

from modelkeel.app import Keel, create_app
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import Conflict, KeelError, Refused
from modelkeel.identity.models import NewToken
from modelkeel.registry.models import AliasChange
from tests.integration.promotion_kit import MODEL, gates, people, types, version

BASE = "/api/2.0/mlflow"
WAYS = [
    ("POST", "registered-models/alias", {"name": MODEL, "alias": "champion", "version": "2"}),
    ("DELETE", "registered-models/alias", {"name": MODEL, "alias": "champion"}),
    ("POST", "registered-models/rename", {"name": MODEL, "new_name": "moved"}),
    ("DELETE", "registered-models/delete", {"name": MODEL}),
    ("DELETE", "model-versions/delete", {"name": MODEL, "version": "1"}),
    ("POST", "registered-models/rename", {"name": "shadow", "new_name": "guarded"}),
]


async def test_every_way_of_the_mlflow_protocol_is_refused(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    first = await version(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, first, "champion")
    await keel.governance.approve(who.vera, asked.id)
    await version(keel, who.ann, auc=0.5)
    # another model that already has the alias must not slip under a guarded name
    await keel.governance.policies.put(
        who.olga, "guarded", (await keel.governance.policies.get(who.olga, MODEL)).policy
    )
    await version(keel, who.ann, model="shadow")
    await keel.registry.set_alias(who.ann, "shadow", "champion", 1)
    owner = await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))
    tokens = {n: (await keel.identity.tokens.mint(owner, NewToken(n))).secret for n in ("ann", "olga", "walt", "owner")}
    async with AsyncTestClient(create_app(keel), base_url="http://localhost") as client:
        for name in [*tokens, None]:
            headers = {"Authorization": f"Bearer {tokens[name]}"} if name else {}
            for method, path, body in WAYS:
                answer = await client.request(method, f"{BASE}/{path}", json=body, headers=headers)
                assert answer.status_code == 403, (name, path, answer.text)
                assert answer.json()["error_code"] == "PERMISSION_DENIED"
        said = (await client.post(f"{BASE}/registered-models/alias", json=WAYS[0][2], headers=headers)).json()
        assert "promote" in said["message"]
        headers = {"Authorization": f"Bearer {tokens['owner']}"}
        said = (await client.post(f"{BASE}/registered-models/alias", json=WAYS[0][2], headers=headers)).json()
        assert "auc 0.5 is not at least 0.6." in said["message"]
        assert "Waits for 1 approver" in said["message"]
        assert (await keel.registry.aliases(who.ann, MODEL)) == {"champion": 1}
        assert (await keel.registry.aliases(who.ann, "shadow")) == {"champion": 1}


async def test_a_stage_is_judged_like_the_alias_named_after_it(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga, alias="production")
    first, second = await version(keel, who.ann), await version(keel, who.ann)
    for by in (who.ann, who.olga):
        with pytest.raises(Refused):
            await keel.registry.transition(by, MODEL, second, "PRODUCTION", archive=True)
    assert (await keel.registry.version_info(who.ann, MODEL, second)).stage == "None"
    await keel.registry.transition(who.ann, MODEL, second, "Staging")  # not protected
    for number in (first, second):
        asked = await keel.governance.promote(who.olga, MODEL, number, "production")
        approved = await keel.governance.approve(who.vera, asked.id)
        assert approved.id == asked.id
        await keel.registry.transition(who.olga, MODEL, number, "Production", archive=True)
        assert await keel.registry.aliases(who.ann, MODEL) == {"production": number}
    stages = {one.version: str(one.stage) for one in await keel.registry.list_versions(who.ann, MODEL)}
    assert stages == {first: "Archived", second: "Production"}
    for stage in ("Archived", "None"):
        with pytest.raises(Refused):
            await keel.registry.transition(who.olga, MODEL, second, stage)
    with pytest.raises(Refused):
        await keel.registry.transition(who.olga, MODEL, first, "Production")
    assert await types(keel, who.olga, "version.staged") == ["version.staged"] * 4


async def test_a_model_with_a_stage_does_not_slip_under_a_guarded_name(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga, alias="production")
    await version(keel, who.ann, model="shadow")
    await keel.registry.transition(who.ann, "shadow", 1, "Production")
    with pytest.raises(Refused):
        await keel.registry.rename_model(who.ann, "shadow", MODEL)


async def test_other_aliases_move_freely(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    number = await version(keel, who.ann, auc=0.1)
    await keel.registry.set_alias(who.ann, MODEL, "challenger", number)
    await keel.registry.delete_alias(who.ann, MODEL, "challenger")
    assert await keel.registry.aliases(who.ann, MODEL) == {}


async def test_an_approved_promotion_opens_the_protocol_too(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    number = await version(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, number, "champion", automatic=False)
    with pytest.raises(Refused, match="Waits for 1 approver"):
        await keel.registry.set_alias(who.olga, MODEL, "champion", number)
    await keel.governance.approve(who.vera, asked.id)
    with pytest.raises(Refused, match="promote"):
        await keel.registry.set_alias(who.ann, MODEL, "champion", number)
    await keel.registry.set_alias(who.olga, MODEL, "champion", number)
    assert (await keel.governance.promotions.get(who.olga, asked.id)).status == "committed"


async def test_fifty_promotions_race_and_one_wins_with_current_evidence(keel: Keel):
    who = await people(keel)
    await gates(keel, who.olga)
    numbers = [await version(keel, who.ann) for _ in range(50)]
    asked = await asyncio.gather(
        *(keel.governance.promote(who.olga, MODEL, n, "champion", automatic=False) for n in numbers)
    )
    approved = await asyncio.gather(*(keel.governance.approve(who.vera, one.id) for one in asked))
    assert {one.status for one in approved} == {"approved"}

    async def commit(identity: str) -> str:
        try:
            return (await keel.governance.commit(who.olga, identity)).status
        except (Conflict, Refused) as error:
            return type(error).__name__

    outcomes = await asyncio.gather(*(commit(one.id) for one in asked))
    assert outcomes.count("committed") == 1
    assert set(outcomes) <= {"committed", "Conflict", "Refused"}
    after = {p.id: p for p in await keel.governance.promotions.all(who.olga, limit=100)}
    winner = [p for p in after.values() if p.status == "committed"]
    assert len(winner) == 1
    assert [p.status for p in after.values()].count("voided") == 49
    assert await keel.registry.aliases(who.olga, MODEL) == {"champion": winner[0].version}
    assert winner[0].champion is None
    assert await types(keel, who.olga, "alias.moved", "promotion.committed") == ["promotion.committed", "alias.moved"]


async def test_a_ticket_is_worth_nothing_for_something_else(keel: Keel):
    """`confirm` compares in the transaction what `admit` judged before it."""
    who = await people(keel)
    await gates(keel, who.olga)
    first, second = await version(keel, who.ann), await version(keel, who.ann)
    asked = await keel.governance.promote(who.olga, MODEL, first, "champion", automatic=False)
    await keel.governance.approve(who.vera, asked.id)
    guard = keel.registry.promotion
    assert guard is not None
    right = AliasChange(asked.model_id, MODEL, "champion", first, None)
    wrong = [
        AliasChange(asked.model_id, MODEL, "champion", second, None),
        AliasChange(asked.model_id, MODEL, "other", first, None),
        AliasChange(asked.model_id, "renamed", "champion", first, None),
        AliasChange("another", MODEL, "champion", first, None),
        AliasChange(asked.model_id, MODEL, "champion", first, second),
    ]
    for change in wrong:
        with pytest.raises(KeelError):
            await keel.database.write(lambda tx, change=change: guard.confirm(tx, who.olga, change, asked.id))
    await keel.database.write(lambda tx: guard.confirm(tx, who.olga, right, asked.id))
    with pytest.raises(Conflict, match="not approved any more"):
        await keel.database.write(lambda tx: guard.confirm(tx, who.olga, right, asked.id))


async def test_a_policy_set_between_judging_and_moving_still_guards(keel: Keel):
    who = await people(keel)
    number = await version(keel, who.ann)
    guard = keel.registry.promotion
    assert guard is not None
    model = await keel.registry.model(who.ann, MODEL)
    change = AliasChange(model.id, MODEL, "champion", number, None)
    ticket = await guard.admit(who.ann, change)
    assert ticket is not None
    await gates(keel, who.olga)
    with pytest.raises(Conflict, match="policy"):
        await keel.database.write(lambda tx: guard.confirm(tx, who.ann, change, ticket))
