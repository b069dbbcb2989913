"""Legal holds and collections over HTTP."""

from litestar import Router, delete, get, post

from modelkeel.core.access import Principal
from modelkeel.keeping.models import (
    GRACE_SECONDS,
    OLDER_THAN_DAYS,
    Collect,
    Collection,
    PlaceHold,
)
from modelkeel.keeping.service import Keeping
from modelkeel.tracking.holds import Hold


def router(keeping: Keeping) -> Router:
    """`/api/v1/holds`, `/api/v1/gc`."""

    @get("/holds", summary="Legal holds in force")
    async def holds(principal: Principal) -> list[Hold]:
        return await keeping.holds(principal)

    @post("/holds", summary="Place a legal hold", opt={"writes": "record"})
    async def place(principal: Principal, data: PlaceHold) -> Hold:
        return await keeping.place_hold(principal, data)

    @delete("/holds/{hold:str}", summary="Release a legal hold", opt={"writes": "record"})
    async def release(principal: Principal, hold: str) -> None:
        await keeping.release_hold(principal, hold)

    @get("/gc", summary="What a collection would remove now")
    async def look(
        principal: Principal,
        older_than_days: float = OLDER_THAN_DAYS,
        grace_seconds: float = GRACE_SECONDS,
        runs: list[str] | None = None,
        experiments: list[str] | None = None,
    ) -> Collection:
        asked = Collect(older_than_days, grace_seconds, runs or [], experiments or [])
        return await keeping.look(principal, asked)

    @post("/gc", summary="Remove for good what was deleted", status_code=200, opt={"writes": "record"})
    async def collect(principal: Principal, data: Collect) -> Collection:
        return await keeping.collect(principal, data)

    return Router("/api/v1", route_handlers=[holds, place, release, look, collect], tags=["keeping"])
