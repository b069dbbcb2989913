"""The one HTTP client for requests that the server sends out: it can't be led into the operator's own network.

Server-side request forgery has three forms that a check of the address as written misses: a name that resolves to a
private address, a redirect to one, and a name that resolves anew between check and use (rebinding). So the check sits
where the connection is made: the name is resolved once, every address it has must be public, and the socket goes to one
of just those. TLS still verifies the name. Redirects come through the same door.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from modelkeel.core.errors import InvalidInput, Unavailable

SECONDS = 10.0
LARGEST = 4 * 1024 * 1024
REDIRECTS = 3
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_EACH_SECONDS = 3.0
"""How long one of several addresses may take before the next is tried."""
_FOR_ANYBODY = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]


def is_public(address: Address) -> bool:
    """Whether an address lies in the public internet, the IPv4 address inside an IPv6 one included (RFC 6890)."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inside is None and address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(inside)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


class Outgoing:
    """Sends requests to the outside.

    Args:
        allow_hosts: names that the operator allowed although they lie in a private network.
        resolver: gives a name's addresses.
        verify: what TLS trusts; None: the system's authorities.
        seconds: how long a request may take in all.
    """

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        *,
        resolver: Resolve = resolve,
        verify: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._seconds = seconds
        self._transport = _Transport(_Checked(frozenset(h.lower() for h in allow_hosts), resolver), verify)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        """Sends one request and reads the whole answer.

        A GET or HEAD follows up to three redirects, but none from https to http. What was given for the first origin
        (headers beyond what is accepted, a body) does not go to another. Another method's redirect is the answer.

        Raises:
            InvalidInput: the address, or one it leads to, is not one that this server may call.
            Unavailable: no answer in time, too large an answer, or too many redirects.
        """
        try:
            async with (
                asyncio.timeout(self._seconds),
                httpx.AsyncClient(transport=self._transport, trust_env=False) as client,
            ):
                return await self._follow(
                    client, method, url, {"accept-encoding": "identity", **(headers or {})}, content
                )
        except TimeoutError:
            raise Unavailable(f"{_host(url)} did not answer within {self._seconds:g} s.") from None
        except (
            httpx.HTTPError,
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            OSError,
        ) as error:
            raise Unavailable(f"{_host(url)} can't be reached ({type(error).__name__}).") from error

    async def _follow(
        self, client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], content: bytes | None
    ) -> httpx.Response:
        for _ in range(REDIRECTS + 1):
            _check(url)
            request = client.build_request(method, url, headers=headers, content=content)
            answer = await client.send(request, stream=True, follow_redirects=False)
            try:
                body = await _limited(answer.aiter_raw(), url)
            finally:
                await answer.aclose()
            if answer.next_request is None or method not in {"GET", "HEAD"}:
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise Unavailable(f"{_host(url)} sent a compressed answer, which was not asked for.")
                return httpx.Response(answer.status_code, headers=answer.headers.raw, content=body, request=request)
            onward = str(answer.next_request.url)
            if urlsplit(url).scheme == "https" and urlsplit(onward).scheme == "http":
                raise InvalidInput(f"{_host(url)} redirects from https to http, which is not followed.")
            if _origin(onward) != _origin(url):
                headers = {name: value for name, value in headers.items() if name.lower() in _FOR_ANYBODY}
                content = None
            url = onward
        raise Unavailable(f"{_host(url)} redirects too often.")


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to no other."""

    def __init__(self, allowed: frozenset[str], resolver: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._resolve(host, port)
        if host.lower().rstrip(".") not in self._allowed and not (found and all(map(_public, found))):
            raise InvalidInput(
                f"{host} lies in a private network, where this server sends nothing.",
                hint="The server's operator can allow single hosts.",
            )
        if not found:
            raise httpcore.ConnectError(f"{host} has no address")
        *several, last = found
        for address in several:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, _EACH_SECONDS, local_address, socket_options)
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise InvalidInput("Local sockets are not called.")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Transport(httpx.AsyncBaseTransport):
    """httpx on a pool whose connections are checked; without keep-alive, so that each request is."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, verify: ssl.SSLContext | None) -> None:
        self._backend = backend
        self._verify = verify

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        verify = self._verify or ssl.create_default_context()
        pool = httpcore.AsyncConnectionPool(verify, max_keepalive_connections=0, network_backend=self._backend)
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        sent = httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream)
        answer = await pool.handle_async_request(sent)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer, pool))


class _Body(httpx.AsyncByteStream):
    """An answer's body, whose pool ends with it."""

    def __init__(self, answer: httpcore.Response, pool: httpcore.AsyncConnectionPool) -> None:
        self._answer = answer
        self._pool = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.aiter_stream():
            yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()
        await self._pool.aclose()


def _check(url: str) -> None:
    """Returns if the address is one that may be tried at all."""
    try:
        parts = urlsplit(url)
        httpx.URL(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except (ValueError, httpx.InvalidURL):
        fine, parts = False, urlsplit("")
    if not fine or not url.isprintable() or "\\" in url:
        raise InvalidInput(f"{url[:200]!r} is not an http(s) address.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("An address with a name or password in it is not called.", hint="Send a header instead.")


def _public(text: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(text))
    except ValueError:
        return False


async def _limited(pieces: AsyncIterator[bytes], url: str) -> bytes:
    """The whole body, as sent; we ask for no compression, so nothing is unpacked."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > LARGEST:
            raise Unavailable(f"{_host(url)} answered with more than {LARGEST >> 20} MiB.")
    return bytes(body)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "The address"
    except ValueError:
        return "The address"
