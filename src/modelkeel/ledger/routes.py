"""The trail over HTTP: entries, proofs, checkpoints."""

import asyncio
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.params import Parameter
from litestar.response import Stream

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


def router(ledger: Ledger, scratch: Path) -> Router:
    """`/api/v1/ledger/…`; exports are put together in `scratch`."""

    @get("/entries", summary="Entries of the workspace, newest first")
    async def entries(
        principal: Principal,
        before: int | None = None,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
        types: Annotated[str, Parameter(description="comma-separated entry types")] = "",
        about: Annotated[str, Parameter(description="kind:id of a subject")] = "",
        installation: Annotated[bool, Parameter(description="of every workspace")] = False,
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
            installation=installation,
        )
        more = found[-1].index if len(found) == limit and found[-1].index > 0 else None
        return EntryPage(found, await ledger.size(), more)

    @get("/entries/{index:int}/proof", summary="An entry's inclusion proof")
    async def proof(principal: Principal, index: int) -> Proof:
        return await ledger.proof(principal, index)

    @get("/checkpoint", summary="The latest signed checkpoint")
    async def checkpoint(principal: Principal) -> Checkpoint:
        return Checkpoint(await ledger.checkpoint(principal), ledger.vkey)

    @post(
        "/export",
        summary="A bundle that checks itself, as a tar archive",
        opt={"writes": "record"},
        media_type="application/x-tar",
    )
    async def export(principal: Principal, installation: bool = False) -> Stream:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=scratch))
        try:
            await ledger.export(principal, folder / "bundle", installation=installation)
            await asyncio.to_thread(_archive, folder)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        return Stream(_read_and_remove(folder), media_type="application/x-tar")

    return Router("/api/v1/ledger", route_handlers=[entries, proof, checkpoint, export], tags=["ledger"])


def _archive(folder: Path) -> None:
    with tarfile.open(folder / "bundle.tar", "w") as archive:
        archive.add(folder / "bundle", arcname=".")


async def _read_and_remove(folder: Path) -> AsyncIterator[bytes]:
    try:
        with (folder / "bundle.tar").open("rb") as file:
            while piece := await asyncio.to_thread(file.read, 1 << 20):
                yield piece
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
