"""The outgoing client against real servers on this machine, with names that a resolver of ours answers."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from modelkeel.core.errors import InvalidInput, Unavailable
from modelkeel.http.outgoing import LARGEST, Outgoing, is_public

PRIVATE = """
    127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
    100.64.0.1 192.0.2.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fc00::1
    fd12::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1::
    2002:a9fe:a9fe:: 2001:db8::1 fec0::1
    """.split()  # noqa: SIM905 - a list to read
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_not_public(address: str):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str):
    assert is_public(ipaddress.ip_address(address))


@dataclass
class Site:
    """A plain HTTP server that notes what it was asked and answers as told."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass

    def redirect(self, address: str) -> None:
        self.answer = f"HTTP/1.1 302 Found\r\nLocation: {address}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@dataclass
class Names:
    """A resolver: each name's answers in turn, the last for ever."""

    answers: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        left = self.answers[host]
        return left.pop(0) if len(left) > 1 else left[0]


LOCAL = {"friend.test": [["127.0.0.1"]], "rebound.test": [["127.0.0.1"]], "127.0.0.1": [["127.0.0.1"]]}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
    ],
)
async def test_this_machine_is_not_called_whatever_it_is_called(site: Site, host: str):
    with pytest.raises((InvalidInput, Unavailable)):
        await Outgoing().request("GET", f"http://{host}:{site.port}/")
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://example.com/",
        "http://",
        "http:///x",
        "http://a@b.example/",
        "http://user:word@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://exa\nmple.com/",
        "http://[::1/",
        "http://example.com:99999/",
        "",
    ],
)
async def test_not_an_address_to_call(url: str):
    with pytest.raises(InvalidInput):
        await Outgoing().request("GET", url)


async def test_a_name_that_resolves_to_a_private_address_is_refused(site: Site):
    with pytest.raises(InvalidInput, match="private network"):
        await Outgoing(resolver=Names(LOCAL)).request("GET", f"http://rebound.test:{site.port}/")
    mixed = Names({"mixed.test": [["8.8.8.8", "127.0.0.1"]]})
    with pytest.raises(InvalidInput, match="private network"):
        await Outgoing(resolver=mixed).request("GET", f"http://mixed.test:{site.port}/")
    assert site.asked == []


async def test_a_name_that_resolves_anew_after_the_check_gains_nothing(site: Site):
    names = Names({"rebound.test": [["198.41.0.4"], ["127.0.0.1"]]})
    with pytest.raises((Unavailable, InvalidInput)):
        await Outgoing(resolver=names, seconds=1).request("GET", f"http://rebound.test:{site.port}/")
    assert names.asked == ["rebound.test"]  # asked once: the address checked is the address called
    assert site.asked == []


async def test_an_allowed_name_may_be_private(site: Site):
    found = await Outgoing(frozenset({"friend.test"}), resolver=Names(LOCAL)).request(
        "POST", f"http://friend.test:{site.port}/hook?a=1", headers={"x-signature": "s"}, content=b"{}"
    )
    assert (found.status_code, found.content) == (200, b"hi")
    assert site.asked[0].startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
    assert b"friend.test" in site.asked[0]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/secret", "http://rebound.test:{port}/", "file:///etc/passwd"]
)
async def test_a_redirect_into_a_private_network_is_refused(site: Site, target: str):
    site.redirect(target.format(port=site.port))
    with pytest.raises(InvalidInput):
        await Outgoing(frozenset({"friend.test"}), resolver=Names(LOCAL)).request(
            "GET", f"http://friend.test:{site.port}/"
        )
    assert len(site.asked) == 1


async def test_redirects_end(site: Site):
    site.redirect(f"http://friend.test:{site.port}/again")
    outgoing = Outgoing(frozenset({"friend.test"}), resolver=Names(LOCAL))
    with pytest.raises(Unavailable, match="too often"):
        await outgoing.request("GET", f"http://friend.test:{site.port}/")
    assert len(site.asked) == 4
    assert (await outgoing.request("POST", f"http://friend.test:{site.port}/")).status_code == 302


async def test_credentials_stay_with_the_first_origin(site: Site):
    site.redirect(f"http://other.test:{site.port}/")
    names = Names({"friend.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]})
    with pytest.raises(Unavailable):
        await Outgoing(frozenset({"friend.test", "other.test"}), resolver=names).request(
            "GET",
            f"http://friend.test:{site.port}/",
            headers={"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Accept": "text/plain"},
            content=b"",
        )
    assert len(site.asked) > 1
    assert all(b"text/plain" in asked for asked in site.asked)
    assert b"s3cret" in site.asked[0]
    assert all(b"s3cret" not in asked for asked in site.asked[1:])


async def test_an_address_that_does_not_answer_is_passed_over(site: Site):
    names = Names({"friend.test": [["127.0.0.2", "127.0.0.1"]]})  # the site listens at the second only
    found = await Outgoing(frozenset({"friend.test"}), resolver=names).request(
        "GET", f"http://friend.test:{site.port}/"
    )
    assert found.content == b"hi"
    nowhere = Outgoing(frozenset({"friend.test"}), resolver=Names({"friend.test": [[]]}))
    with pytest.raises(Unavailable):
        await nowhere.request("GET", f"http://friend.test:{site.port}/")


async def test_size_and_time_are_limited(site: Site):
    outgoing = Outgoing(frozenset({"friend.test"}), resolver=Names(LOCAL), seconds=0.5)
    site.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LARGEST + 100_000)
    with pytest.raises(Unavailable, match="more than 4 MiB"):
        await outgoing.request("GET", f"http://friend.test:{site.port}/")
    async with await asyncio.start_server(lambda _r, _w: asyncio.sleep(5), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable, match=r"within 0\.5 s"):
            await outgoing.request("GET", f"http://friend.test:{port}/")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A self-signed certificate for friend.test, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "friend.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("friend.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "friend.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_tls_verifies_the_name_though_the_address_is_called(site: Site, authority: Path):
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(authority)
    trusted = ssl.create_default_context(cafile=authority)
    names = Names({"friend.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]})
    outgoing = Outgoing(frozenset({"friend.test", "other.test"}), resolver=names, verify=trusted)
    async with await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=served) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await outgoing.request("GET", f"https://friend.test:{port}/")).content == b"hi"
        with pytest.raises(Unavailable, match="ConnectError"):
            await outgoing.request("GET", f"https://other.test:{port}/")
        untrusting = Outgoing(frozenset({"friend.test"}), resolver=names)
        with pytest.raises(Unavailable, match="ConnectError"):
            await untrusting.request("GET", f"https://friend.test:{port}/")


async def test_no_redirect_from_https_to_http(site: Site, authority: Path):
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(authority)
    site.redirect(f"http://friend.test:{site.port}/")
    outgoing = Outgoing(
        frozenset({"friend.test"}), resolver=Names(LOCAL), verify=ssl.create_default_context(cafile=authority)
    )
    async with await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=served) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidInput, match="from https to http"):
            await outgoing.request("GET", f"https://friend.test:{port}/")
    assert len(site.asked) == 1
