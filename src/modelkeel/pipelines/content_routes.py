"""Blobs over HTTP: streamed in and out, and the question which of them need not be sent."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, Response, Router, get, post, put
from litestar.response import Stream

from modelkeel.core.access import Principal
from modelkeel.pipelines.content import Content
from modelkeel.wire.pipelines import Blob, Held


def router(content: Content) -> Router:
    """`/api/v1/blobs`."""

    @put("/", summary="Store content", opt={"writes": "nothing"}, request_max_body_size=None)
    async def put_blob(principal: Principal, request: Request[Any, Any, Any], repair: bool = False) -> Blob:
        return await content.put(principal, request.stream(), repair=repair)

    @get("/{digest:str}", summary="Stored content", media_type="application/octet-stream")
    async def get_blob(principal: Principal, digest: str) -> Response[Any]:
        ref, pieces = await content.open(principal, digest)
        first = await anext(pieces)  # a damaged blob is an error here, not a torn answer
        headers = {"Content-Length": str(ref.size), "Content-Type": "application/octet-stream"}
        return Stream(_from(first, pieces), headers=headers)

    @post("/held", summary="Which of these does the workspace hold?", opt={"writes": "nothing"}, status_code=200)
    async def held(principal: Principal, data: Held) -> Held:
        return Held(await content.held(principal, data.digests))

    return Router("/api/v1/blobs", route_handlers=[put_blob, get_blob, held], tags=["pipelines"])


async def _from(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
