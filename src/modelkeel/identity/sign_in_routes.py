"""Signing in at the page over HTTP: what is possible, the first run's set-up, sessions."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import Cookie

from modelkeel.core.access import Principal
from modelkeel.core.errors import InvalidInput
from modelkeel.http.auth import COOKIE, CSRF_COOKIE, WORKSPACE_COOKIE, client_address
from modelkeel.identity.models import Session, Setup, SignIn, SignInWays
from modelkeel.identity.service import Identity
from modelkeel.identity.sessions import NewSession


class Opened(msgspec.Struct, frozen=True):
    """A session was opened; its secret is in the cookies only. `seconds` until it ends at the latest."""

    seconds: int


class PageCode(msgspec.Struct, frozen=True):
    """Opens the page once, within ten minutes, as whoever asked for it."""

    code: str


def router(identity: Identity, *, oidc: str | None, anonymous: bool, secure: bool) -> Router:
    """`/api/v1/sign-in`, `/setup`, `/sessions`.

    Args:
        identity: the service.
        oidc: name of the sign-in provider; None without one.
        anonymous: whether tokenless callers on this machine may track.
        secure: whether browsers reach the server by https only, so that cookies may say so.
    """

    @get("/sign-in", summary="How can one sign in?", opt={"open": True})
    async def ways() -> SignInWays:
        return await identity.ways(oidc, anonymous=anonymous)

    @post("/setup", summary="Make the owner's account", opt={"open": True, "writes": "record"})
    async def set_up(data: Setup) -> None:
        owner = identity.sessions.holder(data.code, use=False)
        await identity.accounts.set_up(owner, data.name, data.password)
        identity.sessions.holder(data.code, use=True)

    @post("/sessions", summary="Sign in", opt={"open": True, "writes": "record"})
    async def sign_in(request: Request[Any, Any, Any], data: SignIn) -> Response[Opened]:
        if bool(data.code) == bool(data.name):
            raise InvalidInput("One signs in with a name and a password, or with a code.")
        if data.code:
            person, method = identity.sessions.holder(data.code, use=True), "code"
        else:
            address = client_address(request.scope)
            person, method = await identity.accounts.check(data.name, data.password, address), "password"
        opened = await identity.sessions.start(person, method)
        return Response(Opened(opened.seconds), cookies=cookies(opened, secure=secure))

    @get("/sessions", summary="One's own sessions")
    async def sessions(principal: Principal) -> list[Session]:
        return await identity.sessions.list(principal)

    @delete("/sessions/current", summary="Sign out", opt={"open": True, "writes": "record"}, status_code=200)
    async def sign_out(request: Request[Any, Any, Any]) -> Response[None]:
        found = request.scope["state"]["keel_principal"]
        if isinstance(found, Principal) and found.session:
            await identity.sessions.end(found, found.session)
        gone = [Cookie(key=name, value="", max_age=0, path="/") for name in (COOKIE, CSRF_COOKIE, WORKSPACE_COOKIE)]
        return Response(None, cookies=gone)

    @delete("/sessions/{session:str}", summary="End one of one's own sessions", opt={"writes": "record"})
    async def end(principal: Principal, session: str) -> None:
        await identity.sessions.end(principal, session)

    @post("/page-codes", summary="A one-time code that opens the page", opt={"writes": "nothing"})
    async def page_code(principal: Principal) -> PageCode:
        return PageCode(identity.sessions.code(principal))

    handlers = [ways, set_up, sign_in, sessions, sign_out, end, page_code]
    return Router("/api/v1", route_handlers=handlers, tags=["signing in"])


def cookies(opened: NewSession, *, secure: bool) -> Sequence[Cookie]:
    """The session's two cookies: one that only the server reads, one that the page sends back as a header."""
    common: dict[str, Any] = {"max_age": opened.seconds, "path": "/", "samesite": "strict", "secure": secure}
    return [
        Cookie(key=COOKIE, value=opened.secret, httponly=True, **common),
        Cookie(key=CSRF_COOKIE, value=opened.csrf, **common),
    ]
