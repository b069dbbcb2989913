"""The guard of aliases is asked on every way to change what an alias means."""

from collections.abc import Awaitable, Callable

import pytest

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.errors import Conflict, KeelError, Refused
from modelkeel.registry.models import AliasChange
from modelkeel.storage.transaction import Tx
from tests.unit.registry.conftest import Registered
from tests.unit.tracking.conftest import Entries


class Guard:
    """Protects `champion`: refuses, or admits with a ticket, and remembers what it was asked."""

    def __init__(self, *, open_: bool = False, current: bool = True) -> None:
        self.open = open_
        self.current = current
        self.asked: list[AliasChange] = []
        self.confirmed: list[tuple[AliasChange, str]] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def admit(self, _principal: Principal, change: AliasChange) -> str | None:
        self.asked.append(change)
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            await act()
        if change.alias != "champion":
            return None
        if not self.open:
            raise Refused("champion is protected.", reasons=["auc is too low"])
        return f"ticket-{len(self.asked)}"

    def protected_alias(self, _tx: Tx, _principal: Principal, _name: str, _alias: str) -> str | None:
        return None

    def confirm(self, _tx: Tx, _principal: Principal, change: AliasChange, ticket: str) -> None:
        if not self.current:
            raise Conflict("The evidence is stale.")
        self.confirmed.append((change, ticket))


def ways(keel: Keel, person: Principal) -> dict[str, Callable[[], Awaitable[object]]]:
    registry = keel.registry
    return {
        "move": lambda: registry.set_alias(person, "flights", "champion", 2),
        "remove": lambda: registry.delete_alias(person, "flights", "champion"),
        "rename": lambda: registry.rename_model(person, "flights", "delays"),
        "delete the model": lambda: registry.delete_model(person, "flights"),
        "delete the version": lambda: registry.delete_version(person, "flights", 1),
    }


WAYS = ["move", "remove", "rename", "delete the model", "delete the version"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_refusal_leaves_everything_as_it_was(
    keel: Keel, person: Principal, flights: Registered, fresh: Entries, way: str
) -> None:
    guard = keel.registry.promotion = Guard()
    await fresh()
    with pytest.raises(Refused) as refused:
        await ways(keel, person)[way]()
    assert refused.value.reasons == ("auc is too low",)
    assert await fresh() == []
    assert (await keel.registry.aliases(person, "flights")) == {"champion": 1}
    assert guard.asked[0].model_id == flights.one.model_id
    assert guard.asked[0].current == 1


@pytest.mark.parametrize("way", WAYS)
async def test_stale_evidence_leaves_everything_as_it_was(
    keel: Keel, person: Principal, flights: Registered, fresh: Entries, way: str
) -> None:
    keel.registry.promotion = Guard(open_=True, current=False)
    await fresh()
    with pytest.raises(Conflict, match="stale"):
        await ways(keel, person)[way]()
    assert await fresh() == []
    assert (await keel.registry.aliases(person, "flights")) == {"champion": 1}


@pytest.mark.parametrize("way", WAYS)
async def test_an_alias_that_moved_while_the_guard_judged_is_a_conflict(
    keel: Keel, person: Principal, flights: Registered, way: str
) -> None:
    guard = Guard(open_=True)

    async def somebody_else() -> None:
        keel.registry.promotion = None
        await keel.registry.set_alias(person, "flights", "champion", 2)
        keel.registry.promotion = guard

    guard.meanwhile = somebody_else
    keel.registry.promotion = guard
    with pytest.raises(Conflict, match="meanwhile"):
        await ways(keel, person)[way]()
    assert (await keel.registry.aliases(person, "flights")) == {"champion": 2}
    assert guard.confirmed == []


@pytest.mark.parametrize("way", ["rename", "delete the model", "delete the version"])
async def test_an_alias_that_appeared_while_the_guard_judged_others_is_not_swept_along(
    keel: Keel, person: Principal, flights: Registered, way: str
) -> None:
    await keel.registry.delete_alias(person, "flights", "champion")
    await keel.registry.set_alias(person, "flights", "other", 1)
    guard = Guard(open_=True)

    async def somebody_else() -> None:
        keel.registry.promotion = None
        await keel.registry.set_alias(person, "flights", "champion", 1)
        keel.registry.promotion = guard

    guard.meanwhile = somebody_else
    keel.registry.promotion = guard
    with pytest.raises(Conflict, match="meanwhile"):
        await ways(keel, person)[way]()
    assert (await keel.registry.aliases(person, "flights")) == {"champion": 1, "other": 1}


async def test_an_admitted_move_is_confirmed_in_its_transaction(
    keel: Keel, person: Principal, flights: Registered, fresh: Entries
) -> None:
    guard = keel.registry.promotion = Guard(open_=True)
    await fresh()
    await keel.registry.set_alias(person, "flights", "champion", 2)
    change = AliasChange(flights.one.model_id, "flights", "champion", 2, 1)
    assert guard.confirmed == [(change, "ticket-1")]
    assert await fresh() == ["alias.moved"]
    await keel.registry.set_alias(person, "flights", "champion", 2)  # nothing changes: nobody is asked
    assert len(guard.asked) == 1


async def test_a_rename_is_judged_under_both_names(keel: Keel, person: Principal, flights: Registered) -> None:
    guard = keel.registry.promotion = Guard(open_=True)
    await keel.registry.rename_model(person, "flights", "delays")
    identity = flights.one.model_id
    assert [change for change, _ in guard.confirmed] == [
        AliasChange(identity, "flights", "champion", None, 1),
        AliasChange(identity, "delays", "champion", 1, None),
    ]


async def test_a_deleted_and_recreated_model_is_judged_again(
    keel: Keel, person: Principal, flights: Registered
) -> None:
    guard = keel.registry.promotion = Guard(open_=True)
    await keel.registry.delete_model(person, "flights")
    await keel.registry.create_model(person, "flights")
    await keel.registry.create_version(person, "flights", f"runs:/{flights.run.id}/model")
    guard.open = False
    with pytest.raises(Refused):
        await keel.registry.set_alias(person, "flights", "champion", 1)


async def test_other_aliases_and_versions_are_free(keel: Keel, person: Principal, flights: Registered) -> None:
    keel.registry.promotion = Guard()
    await keel.registry.set_alias(person, "flights", "challenger", 2)
    await keel.registry.delete_alias(person, "flights", "challenger")
    await keel.registry.delete_version(person, "flights", 2)
    with pytest.raises(KeelError):
        await keel.registry.delete_version(person, "flights", 1)
