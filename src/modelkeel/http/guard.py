"""Stops a browser from being used against a local server.

DNS rebinding (a foreign name that resolves to us) shows in `Host`; a foreign page that posts to us shows in
`Origin`, which browsers attach also to the "simple" content types that need no preflight.
"""

from urllib.parse import SplitResult, urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """ASGI middleware: refuses unknown hosts and foreign origins.

    Args:
        app: what is guarded.
        hosts: names under which the server may be addressed, without ports; `*` allows any.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = LOCAL) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = _split("//" + headers.get(b"host", b"").decode("latin-1"))
        if host is None or ("*" not in self._hosts and (host.hostname or "") not in self._hosts):
            await _refuse(send, 421, "This server does not answer to that host name. Start it with --allow-host NAME.")
            return
        origin = headers.get(b"origin")
        page = None if origin is None else _split(origin.decode("latin-1"))
        if origin is not None and (page is None or page.netloc.lower() != host.netloc.lower()):
            await _refuse(send, 403, "Requests from pages of another origin are refused.")
            return
        await self._app(scope, receive, send)


def _split(address: str) -> SplitResult | None:
    """The parts of an address; None where it is malformed, such as `//[`."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = b'{"type":"about:blank","status":%d,"detail":"%s"}' % (status, detail.encode())
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
