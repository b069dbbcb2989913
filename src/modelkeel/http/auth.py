"""Finds out who asks, once a request, and hands the principal to the route."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from modelkeel.core.access import Principal
from modelkeel.core.errors import KeelError, Unauthenticated

Authenticate = Callable[[str, str | None], Awaitable[Principal]]
COOKIE = "modelkeel_session"


class Authentication:
    """ASGI middleware: a bearer token, HTTP basic (its password is the token) or the page's cookie.

    Args:
        app: what comes next.
        authenticate: turns a token and a workspace's name into a principal.
        anonymous: the principal of a tokenless caller, or None to refuse such.
    """

    def __init__(self, app: ASGIApp, authenticate: Authenticate, anonymous: Callable[[], Principal] | None) -> None:
        self._app = app
        self._authenticate = authenticate
        self._anonymous = anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            state: Any = scope.setdefault("state", {})
            try:
                state["keel_principal"] = await self._principal(dict(scope["headers"]))
            except KeelError as error:
                state["keel_principal"] = error
        await self._app(scope, receive, send)

    async def _principal(self, headers: dict[bytes, bytes]) -> Principal:
        secret = _token(headers)
        workspace = headers.get(b"x-mlflow-workspace", b"").decode("latin-1") or None
        if secret is not None:
            return await self._authenticate(secret, workspace)
        if self._anonymous is not None:
            return self._anonymous()
        raise Unauthenticated("This server wants a token.", hint="Set MODELKEEL_TOKEN (or MLFLOW_TRACKING_TOKEN).")


def current_principal(request: Request[Any, Any, Any]) -> Principal:
    """The dependency `principal` of every route.

    Raises:
        Unauthenticated: the request carried no valid token, and one is needed.
    """
    found: Principal | KeelError = request.scope["state"]["keel_principal"]
    if isinstance(found, KeelError):
        raise found
    return found


def _token(headers: dict[bytes, bytes]) -> str | None:
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthenticated("The Authorization header is malformed.") from None
    return _cookie(headers.get(b"cookie", b"").decode("latin-1"))


def _cookie(header: str) -> str | None:
    """Our cookie of a `Cookie` header. Other programs on this host set cookies too, and some have malformed names."""
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value.strip('"')
    return None
