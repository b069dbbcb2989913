"""One way to make every JSON route of the protocol: raw body or query in, a prepared decoder, a service call, JSON out.

A typed `data` argument would cost a third of the rate on the hot routes, so none uses it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.http.auth import current_principal
from modelkeel.protocols.mlflow.spelling import Spelling
from modelkeel.tracking.rules import missing

M = TypeVar("M", bound=msgspec.Struct)
_ENCODER = msgspec.json.Encoder()
_EMPTY = b"{}"
LARGEST = 64 << 20


class Nothing(msgspec.Struct):
    """A message without fields."""


def endpoint(
    method: str,
    path: str,
    message: type[M],
    call: Callable[[Principal, M], Awaitable[msgspec.Struct | None]],
    *,
    writes: str = "",
    versions: Sequence[str] = ("2.0",),
    largest: int = LARGEST,
) -> HTTPRouteHandler:
    """A route under `/api/…` and `/ajax-api/…`.

    Args:
        method: HTTP method.
        path: below `/api/2.0`; a `{name}` in it fills the message's field of that name.
        message: the request's type; unknown fields are ignored, int64 may be numbers or strings.
        call: answers; None answers `{}`.
        writes: `record`, `measurement`, or empty for a route that only reads.
        versions: protocol versions under which it answers.
        largest: size of a body in bytes from which it is refused.
    """
    decoder = msgspec.json.Decoder(message, strict=False)
    spelling = Spelling(message)
    lists = frozenset(f.name for f in msgspec.structs.fields(message) if _is_list(f.type))
    from_path = "{" in path

    def read(body: bytes) -> M:
        if spelling.is_other(body):
            return cast("M", spelling.read(body))
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            if b"null" not in body:
                raise
            return cast("M", spelling.read(body))

    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal = current_principal(request)
        body = await request.body()
        if len(body) > largest:
            raise InvalidInput(f"Requests must be at most {largest} bytes, got a request of size {len(body)}.")
        asked = read(body) if body else _from_query(request, message, lists)
        if from_path:
            asked = msgspec.structs.replace(asked, **request.path_params)
        answer = await call(principal, asked)
        content = _EMPTY if answer is None else _ENCODER.encode(answer)
        return Response(content, media_type="application/json", status_code=200)

    typed = path.replace("}", ":str}")
    return HTTPRouteHandler(
        path=[f"/{root}/{version}{typed}" for root in ("api", "ajax-api") for version in versions],
        http_method=method,  # type: ignore[arg-type]
        status_code=200,
        include_in_schema=False,
        request_max_body_size=LARGEST,
        opt={"writes": writes} if writes else {},
    )(handle)


def require(**values: Any) -> None:
    """Refuses a request in which one of these is absent or empty."""
    for name, value in values.items():
        if value is None or value == "":
            raise missing(name)


def _from_query(request: Request[Any, Any, Any], message: type[M], lists: frozenset[str]) -> M:
    given = request.query_params
    values: dict[str, Any] = {name: given.getall(name) if name in lists else given.get(name) for name in given}
    return msgspec.convert(values, message, strict=False)


def _is_list(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) is list
