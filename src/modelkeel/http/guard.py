"""Stops a browser from being used against a local server.

DNS rebinding (a foreign name that resolves to us) shows in `Host`; a foreign page that posts to us shows in
`Origin`, which browsers attach also to the "simple" content types that need no preflight, and in `Sec-Fetch-Site`.
A header that comes twice, or that a strict reader and a lenient one would read differently, is refused.
"""

import re

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_ORIGIN = re.compile(rb"https?://(.+)")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN = frozenset({b"cross-site", b"same-site"})  # another port of this machine is of the same site


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
        hosts: list[bytes] = []
        origins: list[bytes] = []
        site = b""
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
            elif name == b"sec-fetch-site":
                site = value
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            await _refuse(send, 421, "This server does not answer to that host name. Start it with --allow-host NAME.")
            return
        foreign = site in _FOREIGN and scope["method"] not in _READING
        if foreign or (origins and (len(origins) > 1 or not _same(origins[0], hosts[0]))):
            await _refuse(send, 403, "Requests from pages of another origin are refused.")
            return
        await self._app(scope, receive, send)

    def _is_ours(self, host: bytes) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        return "*" in self._hosts or found[1].decode().strip("[]").lower() in self._hosts


def _same(origin: bytes, host: bytes) -> bool:
    """Whether a page of this origin was loaded from this host; the scheme is a proxy's business."""
    found = _ORIGIN.fullmatch(origin)
    return found is not None and found[1].lower() == host.lower()


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = b'{"type":"about:blank","status":%d,"detail":"%s"}' % (status, detail.encode())
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
