"""The code behind runs of plain scripts, handed in by what captured it."""

from litestar import Router, put

from modelkeel.core.access import Principal
from modelkeel.tracking.service import Tracking
from modelkeel.wire.code import Code, HandedIn


def router(tracking: Tracking) -> Router:
    """`/api/v1/captures`."""

    @put("/{word:str}", summary="Hand in the code behind runs", opt={"writes": "record"})
    async def hand_in(principal: Principal, word: str, data: Code) -> HandedIn:
        return HandedIn(await tracking.hand_in_code(principal, word, data))

    return Router("/api/v1/captures", route_handlers=[hand_in], tags=["tracking"])
