"""Who may call: keys, and which browsers' requests are refused."""

import hashlib
import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from modelkeel.core.errors import PermissionDenied, Unauthenticated
from modelkeel.wire.serving import Endpoint

DAY_MS = 86_400_000
_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})


class Uses:
    """On which day each key was used last; days count from 1970."""

    __slots__ = ("_days", "_fresh")

    def __init__(self) -> None:
        self._days: dict[str, int] = {}
        self._fresh: dict[str, int] = {}

    def note(self, digest: str, now: int) -> None:
        """A key was used, at `now` in ms since 1970."""
        day = now // DAY_MS
        if self._days.get(digest) != day:
            self._days[digest] = self._fresh[digest] = day

    def take(self) -> dict[str, int]:
        """What was not yet taken: days by the key's hash."""
        fresh, self._fresh = self._fresh, {}
        return fresh


class Guard:
    """The keys of one endpoint.

    Args:
        endpoint: whose keys.
        known: when keys that are good somewhere end, by hash.
        uses: hears of each key that opened.
    """

    __slots__ = ("_anonymous", "_keys", "_known", "_uses")

    def __init__(self, endpoint: Endpoint, known: Mapping[str, int | None], uses: Uses) -> None:
        self._uses = uses
        self._anonymous = endpoint.anonymous
        self._known = known
        self._keys = {key.hash: key.expires for key in endpoint.keys}

    def check(self, authorization: bytes | None, now: int) -> None:
        """Returns if the caller may predict.

        Args:
            authorization: the request's header.
            now: milliseconds since 1970.

        Raises:
            Unauthenticated: there is no key, or it is unknown or expired.
            PermissionDenied: the key is good elsewhere, but not here.
        """
        if self._anonymous:
            return
        if authorization is None or authorization[:7].lower() != b"bearer ":
            raise Unauthenticated("This endpoint needs a key.", hint="Send it as `Authorization: Bearer …`.")
        digest = hashlib.sha256(authorization[7:].strip()).hexdigest()
        expires = self._keys.get(digest, 0)
        if expires is None or expires > now:
            self._uses.note(digest, now)
            return
        elsewhere = self._known.get(digest, 0)
        if elsewhere is None or elsewhere > now:
            raise PermissionDenied("This key does not open this endpoint.", hint="Ask its owner for one that does.")
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
