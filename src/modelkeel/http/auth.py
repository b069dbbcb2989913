"""Finds out who asks, once a request, and hands the principal to the route."""

import base64
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from modelkeel.core.access import Principal
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import KeelError, NotFound, PermissionDenied, Unauthenticated

Authenticate = Callable[[Credential, str | None], Awaitable[Principal]]
COOKIE = "modelkeel_session"
CSRF_COOKIE = "modelkeel_csrf"
WORKSPACE_COOKIE = "modelkeel_workspace"
CSRF_HEADER = b"x-modelkeel-csrf"
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN_PREFIX = "mk_"  # noqa: S105 - a prefix, no secret


class Authentication:
    """ASGI middleware: a bearer token, HTTP basic (a name with its password, or a token as password), or a session.

    A session's cookie alone changes nothing: a request that is not a GET or HEAD also has to carry the header
    `x-modelkeel-csrf` with the value of the readable cookie `modelkeel_csrf`.

    Args:
        app: what comes next.
        authenticate: turns a credential and a workspace's name into a principal.
        csrf: what that header has to carry, for a session's secret.
        anonymous: the principal of a tokenless caller, or None to refuse such.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticate: Authenticate,
        csrf: Callable[[str], str],
        anonymous: Callable[[], Principal] | None,
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._csrf = csrf
        self._anonymous = anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            state: Any = scope.setdefault("state", {})
            try:
                state["keel_principal"] = await self._principal(scope)
            except KeelError as error:
                state["keel_principal"] = error
        await self._app(scope, receive, send)

    async def _principal(self, scope: Any) -> Principal:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        workspace = (headers.get(b"x-mlflow-workspace") or headers.get(b"x-modelkeel-workspace") or b"").decode(
            "latin-1"
        )
        shown = _authorization(headers.get(b"authorization", b"").decode("latin-1"), client_address(scope))
        if shown is not None:
            return await self._authenticate(shown, workspace or None)
        cookies = _cookies(headers.get(b"cookie", b"").decode("latin-1"))
        if COOKIE in cookies:
            return await self._session(scope["method"], headers, cookies, workspace)
        if self._anonymous is not None and not _FORWARDED & headers.keys():  # what a proxy passes on is not local
            return self._anonymous()
        raise Unauthenticated("This server wants a token.", hint="Set MODELKEEL_TOKEN (or MLFLOW_TRACKING_TOKEN).")

    async def _session(
        self, method: str, headers: dict[bytes, bytes], cookies: dict[str, str], workspace: str
    ) -> Principal:
        secret = cookies[COOKIE]
        shown = headers.get(CSRF_HEADER, b"")
        if method not in _READING and not hmac.compare_digest(shown, self._csrf(secret).encode()):
            raise PermissionDenied(
                "This change came with the page's cookie, but without the header that shows that the page sent it.",
                hint=f"Send the cookie {CSRF_COOKIE} back as {CSRF_HEADER.decode()}, or use a token.",
            )
        credential = Credential(Shown.SESSION, secret)
        if workspace:
            return await self._authenticate(credential, workspace)
        try:
            return await self._authenticate(credential, cookies.get(WORKSPACE_COOKIE) or None)
        except NotFound:  # the page's last choice, from which somebody took the role
            return await self._authenticate(credential, None)


def current_principal(request: Request[Any, Any, Any]) -> Principal:
    """The dependency `principal` of every route.

    Raises:
        Unauthenticated: the request carried no valid token, and one is needed.
    """
    found: Principal | KeelError = request.scope["state"]["keel_principal"]
    if isinstance(found, KeelError):
        raise found
    return found


def signed_in(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route: only one that declares `opt={"open": True}` answers whoever has not signed in.

    It runs before anything of the request is read, so a stranger's body or parameters are never parsed.

    Raises:
        Unauthenticated: the request carried no valid token, and one is needed.
    """
    found: Principal | KeelError = connection.scope["state"]["keel_principal"]
    if isinstance(found, KeelError) and not handler.opt.get("open"):
        raise found


def client_address(scope: Any) -> str:
    """From which network address a request comes."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _authorization(header: str, address: str) -> Credential | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return Credential(Shown.TOKEN, value.strip())
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:  # not base64, or no text in it
        raise Unauthenticated("The Authorization header is malformed.") from None
    if secret.startswith(_TOKEN_PREFIX):
        return Credential(Shown.TOKEN, secret)
    return Credential(Shown.PASSWORD, secret, name, address)


def _cookies(header: str) -> dict[str, str]:
    """Cookies by name. Other programs on this host set cookies too, and some have malformed names."""
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return {name: value.strip('"') for name, _, value in pairs}
