"""Who may call: keys, and which browsers' requests are refused."""

import hashlib
import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from modelkeel.core.errors import PermissionDenied, Unauthenticated
from modelkeel.wire.serving import Endpoint

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})


class Guard:
    """The keys of one endpoint.

    Args:
        endpoint: whose keys.
    """

    __slots__ = ("_anonymous", "_keys")

    def __init__(self, endpoint: Endpoint) -> None:
        self._anonymous = endpoint.anonymous
        self._keys = {key.hash: key.expires for key in endpoint.keys}

    def check(self, authorization: bytes | None, now: int) -> None:
        """Returns if the caller may predict.

        Args:
            authorization: the request's header.
            now: milliseconds since 1970.

        Raises:
            Unauthenticated: there is no key, or it is unknown or expired.
        """
        if self._anonymous:
            return
        if authorization is None or authorization[:7].lower() != b"bearer ":
            raise Unauthenticated("This endpoint needs a key.", hint="Send it as `Authorization: Bearer …`.")
        digest = hashlib.sha256(authorization[7:].strip()).hexdigest()
        expires = self._keys.get(digest, 0)
        if expires is not None and expires <= now:
            raise Unauthenticated("The key is unknown or expired.", hint="Ask the endpoint's owner for a new one.")


def check_browser(
    host: bytes | None, origin: bytes | None, *, local: bool, allowed: frozenset[str] = frozenset()
) -> None:
    """Refuses what a foreign page in a browser might send.

    Args:
        host: the request's Host header.
        origin: its Origin header.
        local: whether the server listens on loopback only; then Host must be a loopback name (against DNS rebinding).
        allowed: further names that Host may have.

    Raises:
        PermissionDenied: the Host is foreign, or the Origin is another one.
    """
    refusal = _browser_refusal(host, origin, local, allowed)
    if refusal:
        raise PermissionDenied(refusal, hint="Call the server by its own address, from its own pages or no page.")


@lru_cache(maxsize=1024)  # the same few hosts call again and again
def _browser_refusal(
    host: bytes | None,
    origin: bytes | None,
    local: bool,
    allowed: frozenset[str],
) -> str:
    name = (host or b"").decode("latin-1").lower()
    if origin is not None and _origin_host(origin) != name:
        return "Requests from pages of another origin are refused."
    if local and host is not None:
        bare = name.rsplit(":", 1)[0] if not name.endswith("]") else name
        if not is_loopback(bare) and bare not in allowed:
            return f"Host {name!r} is not this machine."
    return ""


def _origin_host(origin: bytes) -> str:
    try:
        return urlsplit(origin.decode("latin-1").lower()).netloc
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a host name or address means this machine only."""
    if name in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
