"""Blobs over HTTP: streamed in and out, and the question which of them need not be sent."""

from functools import partial
from typing import Any

from litestar import Request, Router, post, put, route
from litestar.response.base import ASGIResponse

from modelkeel.core.access import Principal
from modelkeel.http.files import file_answer
from modelkeel.pipelines.content import Content
from modelkeel.wire.pipelines import Blob, Held


def router(content: Content) -> Router:
    """`/api/v1/blobs`."""

    @put("/", summary="Store content", opt={"writes": "nothing"}, request_max_body_size=None)
    async def put_blob(principal: Principal, request: Request[Any, Any, Any], repair: bool = False) -> Blob:
        return await content.put(principal, request.stream(), repair=repair)

    @route(
        "/{digest:str}",
        http_method=["GET", "HEAD"],
        summary="Stored content, or a range of it",
        media_type="application/octet-stream",
    )
    async def get_blob(request: Request[Any, Any, Any], principal: Principal, digest: str) -> ASGIResponse:
        ref = await content.find(principal, digest)
        return await file_answer(request, digest, digest, ref.size, partial(content.stream, digest))

    @post("/held", summary="Which of these does the workspace hold?", opt={"writes": "nothing"}, status_code=200)
    async def held(principal: Principal, data: Held) -> Held:
        return Held(await content.held(principal, data.digests))

    return Router("/api/v1/blobs", route_handlers=[put_blob, get_blob, held], tags=["pipelines"])
