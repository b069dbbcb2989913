"""The `mlflow-artifacts` proxy: files by address, streamed both ways."""

from functools import partial
from typing import Any

from litestar import Request, Response, delete, put, route
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from modelkeel.core.access import Principal
from modelkeel.http.auth import current_principal
from modelkeel.http.files import file_answer
from modelkeel.protocols.mlflow import answers
from modelkeel.protocols.mlflow import messages as m
from modelkeel.protocols.mlflow.addresses import address, owner_at, under
from modelkeel.protocols.mlflow.endpoint import endpoint
from modelkeel.tracking.service import Tracking

SMALL = 1 << 20
_AT = under("/artifacts")


def artifact_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow-artifacts/artifacts…`."""

    async def listing(principal: Principal, asked: m.Path) -> answers.ManyFiles:
        owner, folder = owner_at(asked.path)
        return answers.files(await tracking.list_folder(principal, owner, folder), names_only=True)

    @put(_AT, status_code=200, include_in_schema=False, request_max_body_size=None, opt={"writes": "record"})
    async def upload(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        principal, at = current_principal(request), address(request, "/artifacts")
        owner, path = owner_at(at)
        # what is small is read before anything is asked of the database: that saves one of two ways there
        small = _length(request) <= SMALL
        await tracking.put_file(principal, owner, path, await request.body() if small else request.stream())
        return Response({}, media_type="application/json", status_code=200)

    @route(_AT, http_method=["GET", "HEAD"], include_in_schema=False)
    async def download(request: Request[Any, Any, Any]) -> ASGIResponse:
        principal, at = current_principal(request), address(request, "/artifacts")
        owner, path = owner_at(at)
        file = await tracking.file(principal, owner, path)
        return await file_answer(request, path, file.digest, file.size, partial(tracking.stream, file))

    @delete(_AT, status_code=200, include_in_schema=False, opt={"writes": "record"})
    async def remove(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        principal, at = current_principal(request), address(request, "/artifacts")
        owner, path = owner_at(at)
        await tracking.delete_files(principal, owner, path)
        return Response({}, media_type="application/json", status_code=200)

    return [endpoint("GET", "/mlflow-artifacts/artifacts", m.Path, listing), upload, download, remove]


def _length(request: Request[Any, Any, Any]) -> int:
    """Bytes that the request says it carries; more than any file where it does not say."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isdecimal() and len(told) < 19 else 1 << 62
