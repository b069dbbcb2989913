"""Uploads in parts and addresses that stand for themselves, as the `mlflow` client asks for them.

Parts and signed fetches come without the caller's token: the address itself is the permission, for one thing and a
short time.
"""

from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response, get, post, put, route
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.http.auth import current_principal
from modelkeel.http.files import file_answer
from modelkeel.protocols.mlflow.addresses import address, owner_at, under
from modelkeel.protocols.mlflow.endpoint import endpoint, require
from modelkeel.tracking.service import Tracking

_SENT = [f"/{root}/2.0/mlflow-artifacts/mpu/part/{{ticket:str}}" for root in ("api", "ajax-api")]
_FETCHED = [f"/{root}/2.0/mlflow-artifacts/fetch/{{ticket:str}}" for root in ("api", "ajax-api")]
_HEADERS = {"x-ms-blob-type": "BlockBlob"}  # Azure wants it; who else gets it passes over it
_LARGEST = 4 << 20


class Create(msgspec.Struct):
    """Asks for an upload; `path` is where the file lies at the client."""

    path: str = ""
    num_parts: int = 1


class Part(msgspec.Struct):
    """A part that was sent."""

    part_number: int = 0
    etag: str | None = None


class End(msgspec.Struct):
    """Completes or aborts an upload."""

    path: str = ""
    upload_id: str = ""
    parts: list[Part] = []


class Credential(msgspec.Struct):
    """Where a part goes."""

    url: str
    part_number: int
    headers: dict[str, str]


class Created(msgspec.Struct):
    """An upload that waits for its parts."""

    upload_id: str
    credentials: list[Credential]


class Presigned(msgspec.Struct):
    """An address by which a file can be fetched, in ranges."""

    url: str
    headers: dict[str, str]
    file_size: int


class AskSigned(msgspec.Struct):
    """Asks for an address of a run's or a logged model's file."""

    run_id: str = ""
    model_id: str = ""
    path: str = ""


_CREATE = msgspec.json.Decoder(Create, strict=False)
_END = msgspec.json.Decoder(End, strict=False)


def transfer_routes(tracking: Tracking) -> list[HTTPRouteHandler]:
    """`/mlflow-artifacts/mpu/…`, `/presigned/…`, `/fetch/…`."""

    @post(under("/mpu/create"), status_code=200, include_in_schema=False, opt={"writes": "nothing"})
    async def create(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal, (owner, folder) = current_principal(request), owner_at(address(request, "/mpu/create"))
        asked = _CREATE.decode(await _body(request))
        require(path=asked.path)
        begun = await tracking.begin_upload(principal, owner, folder, asked.path, asked.num_parts)
        base = f"{_origin(request)}/api/2.0/mlflow-artifacts/mpu/part"
        places = [
            Credential(place.url or f"{base}/{place.ticket}", place.number, _HEADERS if place.url else {})
            for place in begun.parts
        ]
        return _json(Created(begun.id, places))

    @put(
        _SENT,
        status_code=200,
        include_in_schema=False,
        request_max_body_size=None,
        opt={"writes": "nothing", "open": True},
    )
    async def part(request: Request[Any, Any, Any], ticket: str) -> Response[bytes]:
        tag = await tracking.put_part(ticket, request.stream())
        return Response(b"", status_code=200, headers={"ETag": f'"{tag}"'})

    @post(under("/mpu/complete"), status_code=200, include_in_schema=False, opt={"writes": "record"})
    async def complete(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal, (owner, folder) = current_principal(request), owner_at(address(request, "/mpu/complete"))
        asked = _END.decode(await _body(request))
        require(path=asked.path, upload_id=asked.upload_id)
        tags = {part.part_number: part.etag or "" for part in asked.parts}
        if len(tags) != len(asked.parts):
            raise InvalidInput("A part is named twice.")
        await tracking.complete_upload(principal, owner, folder, asked.path, asked.upload_id, tags)
        return _json(None)

    @post(under("/mpu/abort"), status_code=200, include_in_schema=False, opt={"writes": "nothing"})
    async def abort(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal, (owner, folder) = current_principal(request), owner_at(address(request, "/mpu/abort"))
        asked = _END.decode(await _body(request))
        require(path=asked.path, upload_id=asked.upload_id)
        await tracking.abort_upload(principal, owner, folder, asked.path, asked.upload_id)
        return _json(None)

    @get(under("/presigned"), include_in_schema=False)
    async def presigned(request: Request[Any, Any, Any]) -> Response[bytes]:
        owner, path = owner_at(address(request, "/presigned"))
        word, file = await tracking.fetch_ticket(current_principal(request), owner, path)
        url = f"{_origin(request)}/api/2.0/mlflow-artifacts/fetch/{word}"
        return _json(Presigned(url, {}, file.size))

    @route(_FETCHED, http_method=["GET", "HEAD"], include_in_schema=False, opt={"open": True})
    async def fetch(request: Request[Any, Any, Any], ticket: str) -> ASGIResponse:
        file = await tracking.ticket_file(ticket)
        return await file_answer(request, file.path, file.digest, file.size, partial(tracking.stream, file))

    async def direct(_principal: Principal, asked: AskSigned) -> None:
        require(path=asked.path)
        raise InvalidInput(
            "Presigned transfer is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts). "
            "This endpoint requires a direct cloud storage artifact URI."
        )

    return [
        create,
        part,
        complete,
        abort,
        presigned,
        fetch,
        endpoint("POST", "/mlflow/artifacts/presigned-upload-url", AskSigned, direct, writes="nothing"),
        endpoint("POST", "/mlflow/artifacts/presigned-download-url", AskSigned, direct, writes="nothing"),
    ]


async def _body(request: Request[Any, Any, Any]) -> bytes:
    body = await request.body()
    if len(body) > _LARGEST:
        raise InvalidInput(f"The request has {len(body)} bytes; at most {_LARGEST} are read.")
    return body or b"{}"


def _json(answer: msgspec.Struct | None) -> Response[bytes]:
    content = b"{}" if answer is None else msgspec.json.encode(answer)
    return Response(content, media_type="application/json", status_code=200)


def _origin(request: Request[Any, Any, Any]) -> str:
    """The server as the caller names it: its `Host` was judged before, and behind a proxy that tells the scheme."""
    scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else request.scope["scheme"]
    return f"{scheme}://{request.headers['host']}"
