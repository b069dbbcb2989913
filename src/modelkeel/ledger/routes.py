"""The trail over HTTP: entries, proofs, checkpoints."""

from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.ledger.models import Entry, Proof
from modelkeel.ledger.service import Ledger


class EntryPage(msgspec.Struct, frozen=True):
    """Some entries, and where the next page starts."""

    entries: list[Entry]
    size: int
    next: int | None


class Checkpoint(msgspec.Struct, frozen=True):
    """The signed tree head, and the key that checks it."""

    note: str
    vkey: str


def router(ledger: Ledger) -> Router:
    """`/api/v1/ledger/…`."""

    @get("/entries", summary="Entries of the workspace, newest first")
    async def entries(
        principal: Principal,
        before: int | None = None,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
        types: Annotated[str, Parameter(description="comma-separated entry types")] = "",
        about: Annotated[str, Parameter(description="kind:id of a subject")] = "",
    ) -> EntryPage:
        kind, _, identity = about.partition(":")
        if about and not identity:
            raise InvalidInput(f"{about!r} names no subject.", hint="Write kind:id, for example run:4f2a….")
        found = await ledger.entries(
            principal,
            before=before,
            limit=limit,
            types=[t for t in types.split(",") if t],
            about=(kind, identity) if about else None,
            newest_first=True,
        )
        more = found[-1].index if len(found) == limit and found[-1].index > 0 else None
        return EntryPage(found, await ledger.size(), more)

    @get("/entries/{index:int}/proof", summary="An entry's inclusion proof")
    async def proof(principal: Principal, index: int) -> Proof:
        return await ledger.proof(principal, index)

    @get("/checkpoint", summary="The latest signed checkpoint")
    async def checkpoint(principal: Principal) -> Checkpoint:
        return Checkpoint(await ledger.checkpoint(principal), ledger.vkey)

    return Router("/api/v1/ledger", route_handlers=[entries, proof, checkpoint], tags=["ledger"])
