"""The two addresses of signing in by a provider. Both are GET by protocol: a browser is sent from site to site."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Router, get
from litestar.datastructures import Cookie
from litestar.response import Redirect

from modelkeel.core.errors import KeelError
from modelkeel.http.auth import client_address
from modelkeel.identity.oidc import FLOW_SECONDS, Oidc
from modelkeel.identity.provided import Provided
from modelkeel.identity.service import Identity
from modelkeel.identity.sign_in_routes import cookies

FLOW_COOKIE = "modelkeel_oidc"
PATH = "/api/v1/oidc"


def router(identity: Identity, oidc: Oidc, provided: Provided, *, secure: bool) -> Router:
    """`/api/v1/oidc/start` and `/callback`.

    Args:
        identity: opens the session.
        oidc: the provider's client.
        provided: knows who its subjects are here.
        secure: whether browsers reach the server by https only.
    """

    @get("/start", summary="Sign in by the provider", status_code=302)
    async def start(after: str = "/") -> Redirect:
        try:
            address, sealed = await oidc.start(after)
        except KeelError as error:
            return _refused(error)
        # Lax, because the browser comes back from another site.
        common: dict[str, Any] = {"path": PATH, "samesite": "lax", "secure": secure, "httponly": True}
        return Redirect(address, cookies=[Cookie(key=FLOW_COOKIE, value=sealed, max_age=FLOW_SECONDS, **common)])

    @get("/callback", summary="Where the provider sends the browser back", status_code=302, opt={"writes": "record"})
    async def callback(request: Request[Any, Any, Any]) -> Redirect:
        address = client_address(request.scope)
        try:
            await provided.check(address)
            try:
                answer = dict(request.query_params.items())
                who, after = await oidc.finish(request.cookies.get(FLOW_COOKIE, ""), answer)
                person = await provided.welcome(oidc.settings.issuer, who)
            except KeelError:
                await provided.failed(address)
                raise
        except KeelError as error:
            return _refused(error)
        opened = await identity.sessions.start(person, "oidc")
        gone = Cookie(key=FLOW_COOKIE, value="", max_age=0, path=PATH)
        return Redirect(after, cookies=[*cookies(opened, secure=secure), gone])

    return Router(PATH, route_handlers=[start, callback], tags=["signing in"], opt={"open": True})


def _refused(error: KeelError) -> Redirect:
    """Back to the page, which shows what was wrong."""
    return Redirect(f"/login?{urlencode({'error': str(error)})}")
