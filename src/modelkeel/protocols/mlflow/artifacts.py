"""The `mlflow-artifacts` proxy: files by address, streamed both ways.

The one place where an address becomes an owner: `EXPERIMENT/RUN/artifacts/PATH` or
`EXPERIMENT/models/m-…/artifacts/PATH`.
"""

import re
from functools import partial
from typing import Any
from urllib.parse import unquote

from litestar import Request, Response, delete, put, route
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.core.paths import clean
from modelkeel.http.auth import current_principal
from modelkeel.http.files import file_answer
from modelkeel.protocols.mlflow import answers
from modelkeel.protocols.mlflow import messages as m
from modelkeel.protocols.mlflow.endpoint import endpoint
from modelkeel.tracking.models import ArtifactOwner, OwnerKind
from modelkeel.tracking.service import Tracking

_ROOT = re.compile(r"([^/]+)/(?:models/(m-[0-9a-f]{32})|([0-9a-f]{32}))/artifacts(?:/(.*))?")
SMALL = 1 << 20
_AT = [f"/{root}/2.0/mlflow-artifacts/artifacts/{{path:path}}" for root in ("api", "ajax-api")]


def artifact_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow-artifacts/artifacts…`."""

    async def listing(principal: Principal, asked: m.Path) -> answers.ManyFiles:
        owner, folder = _owner(asked.path)
        return answers.files(await tracking.list_folder(principal, owner, folder), names_only=True)

    @put(_AT, status_code=200, include_in_schema=False, request_max_body_size=None, opt={"writes": "record"})
    async def upload(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        principal, address = current_principal(request), _address(request)
        owner, path = _owner(address)
        # what is small is read before anything is asked of the database: that saves one of two ways there
        small = _length(request) <= SMALL
        await tracking.put_file(principal, owner, path, await request.body() if small else request.stream())
        return Response({}, media_type="application/json", status_code=200)

    @route(_AT, http_method=["GET", "HEAD"], include_in_schema=False)
    async def download(request: Request[Any, Any, Any]) -> ASGIResponse:
        principal, address = current_principal(request), _address(request)
        owner, path = _owner(address)
        file = await tracking.file(principal, owner, path)
        return await file_answer(request, path, file.digest, file.size, partial(tracking.stream, file))

    @delete(_AT, status_code=200, include_in_schema=False, opt={"writes": "record"})
    async def remove(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        principal, address = current_principal(request), _address(request)
        owner, path = _owner(address)
        await tracking.delete_files(principal, owner, path)
        return Response({}, media_type="application/json", status_code=200)

    return [endpoint("GET", "/mlflow-artifacts/artifacts", m.Path, listing), upload, download, remove]


def _length(request: Request[Any, Any, Any]) -> int:
    """Bytes that the request says it carries; more than any file where it does not say."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isdecimal() and len(told) < 19 else 1 << 62


def _address(request: Request[Any, Any, Any]) -> str:
    # not the router's path parameter: that has lost doubled slashes, which are to be refused
    path = unquote(request.scope["raw_path"].decode("latin-1"))
    return path.partition("/mlflow-artifacts/artifacts/")[2]


def _owner(address: str) -> tuple[ArtifactOwner, str]:
    match = _ROOT.fullmatch(clean(address))
    if match is None:
        raise InvalidInput(
            f"Invalid path: {address[:200]!r}",
            hint="Artifacts live under EXPERIMENT/RUN/artifacts or EXPERIMENT/models/MODEL/artifacts.",
        )
    experiment, model, run, path = match.groups()
    kind = OwnerKind.MODEL if model else OwnerKind.RUN
    return ArtifactOwner(kind, model or run, experiment), path or ""
