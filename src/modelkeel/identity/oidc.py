"""Signing in by an OpenID Connect provider: authorization code with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636)."""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from cryptography.fernet import Fernet, InvalidToken
from httpx import HTTPError, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from modelkeel.core.errors import KeelError, Unauthenticated, Unavailable
from modelkeel.identity.models import OidcSettings

FLOW_SECONDS = 600
LEEWAY_SECONDS = 60
_KEPT_SECONDS = 3600.0
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Public-key signatures only: with a shared secret, or none, anybody who knows the client could sign."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What the provider says of somebody, verified."""

    subject: str
    name: str
    groups: tuple[str, ...]


class Fetch(Protocol):
    """Sends a request to the outside; refuses addresses that the operator did not allow."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Response: ...


class Oidc:
    """One provider's client.

    Args:
        settings: the provider.
        redirect: our callback's address, as it is registered there.
        fetch: sends requests to it.
    """

    def __init__(self, settings: OidcSettings, redirect: str, fetch: Fetch) -> None:
        self.settings = settings
        self._redirect = redirect
        self._fetch = fetch
        self._seal = Fernet(Fernet.generate_key())  # of this process: a restart ends sign-ins under way
        self._found: tuple[float, dict[str, Any]] | None = None
        self._keys: KeySet | None = None

    async def start(self, after: str) -> tuple[str, str]:
        """Begins a sign-in.

        Args:
            after: the page's address to go on to; anything but a path of ours becomes the first page.

        Returns:
            The provider's address to send the browser to, and the sealed state for its cookie.

        Raises:
            Unavailable: the provider does not answer.
        """
        place = await self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        address = prepare_grant_uri(
            place["authorization_endpoint"],
            self.settings.client_id,
            "code",
            redirect_uri=self._redirect,
            scope="openid profile email",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        flow = {"state": state, "nonce": nonce, "verifier": verifier, "after": local_path(after)}
        return str(address), self._seal.encrypt(json.dumps(flow).encode()).decode()

    async def finish(self, sealed: str, answer: Mapping[str, str]) -> tuple[Claimed, str]:
        """Ends a sign-in: who it was, and the page's address to go on to.

        Args:
            sealed: the cookie that `start` gave.
            answer: the query with which the provider sent the browser back.

        Raises:
            Unauthenticated: the answer belongs to no sign-in of this browser, or the provider refused, or what it
                says does not verify.
            Unavailable: the provider does not answer.
        """
        flow = self._opened(sealed)
        if not hmac.compare_digest(flow["state"], answer.get("state", "")):
            raise Unauthenticated("This answer belongs to no sign-in of this browser.", hint="Start again.")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:  # RFC 9207: another provider's answer
            raise Unauthenticated("This answer comes from another provider.")
        if "code" not in answer:
            raise Unauthenticated(f"{self.settings.name} refused the sign-in ({answer.get('error', 'no code')[:60]}).")
        tokens = await self._exchange(answer["code"], flow["verifier"])
        claims = await self._verified(
            str(tokens.get("id_token", "")), flow["nonce"], str(tokens.get("access_token", ""))
        )
        if self.settings.groups_claim not in claims or "preferred_username" not in claims:
            claims = {**await self._user_info(str(tokens.get("access_token", "")), claims["sub"]), **claims}
        groups = claims.get(self.settings.groups_claim, [])
        names = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        name = next((str(claims[one]) for one in ("preferred_username", "email", "name", "sub") if claims.get(one)), "")
        return Claimed(str(claims["sub"]), name, tuple(str(one) for one in names if one)), str(flow["after"])

    def _opened(self, sealed: str) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._seal.decrypt(sealed.encode(), ttl=FLOW_SECONDS))
        except InvalidToken:
            raise Unauthenticated(
                "This sign-in took too long, or another browser began it.", hint="Start again."
            ) from None
        return found

    async def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        place = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if self.settings.client_secret:
            headers["authorization"] = _basic(self.settings.client_id, self.settings.client_secret)
        else:
            form["client_id"] = self.settings.client_id
        return await self._json("POST", place["token_endpoint"], headers, urlencode(form).encode())

    async def _verified(self, token: str, nonce: str, access_token: str) -> dict[str, Any]:
        """The claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7)."""
        place = await self._discover()
        allowed = [one for one in _ALGORITHMS if one in place.get("id_token_signing_alg_values_supported", ["RS256"])]
        try:
            try:
                decoded = jwt.decode(token, await self._key_set(), algorithms=allowed)
            except (JoseError, ValueError):  # keys may have been rotated since
                decoded = jwt.decode(token, await self._key_set(anew=True), algorithms=allowed)
            options = {
                "iss": {"essential": True, "value": self.settings.issuer},
                "aud": {"essential": True, "value": self.settings.client_id},
                "nonce": {"essential": True, "value": nonce},
                "sub": {"essential": True},
            }
            params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": access_token}
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        except KeelError:
            raise
        except Exception as error:  # whatever is wrong with a token: it does not verify
            raise Unauthenticated(
                f"What {self.settings.name} says of you does not verify ({type(error).__name__})."
            ) from error
        return dict(decoded.claims)

    async def _user_info(self, access_token: str, subject: str) -> dict[str, Any]:
        place = await self._discover()
        if "userinfo_endpoint" not in place or not access_token:
            return {}
        headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
        found = await self._json("GET", place["userinfo_endpoint"], headers, None)
        if found.get("sub") != subject:  # OpenID Connect Core 1.0, 5.3.2
            raise Unauthenticated(f"{self.settings.name} speaks of somebody else.")
        return found

    async def _discover(self) -> dict[str, Any]:
        """The provider's own description (OpenID Connect Discovery 1.0), kept for an hour."""
        if self._found is not None and self._found[0] > time.monotonic():
            return self._found[1]
        address = f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        place = await self._json("GET", address, {"accept": "application/json"}, None)
        if place.get("issuer") != self.settings.issuer:
            raise Unavailable(
                f"The provider calls itself {str(place.get('issuer'))[:200]!r}.",
                hint="Give --oidc-issuer exactly as the provider says it.",
            )
        if not all(isinstance(place.get(one), str) for one in ("authorization_endpoint", "token_endpoint", "jwks_uri")):
            raise Unavailable("The provider's discovery document lacks an address.")
        self._found = (time.monotonic() + _KEPT_SECONDS, place)
        return place

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        if self._keys is None or anew:
            place = await self._discover()
            found = await self._json("GET", place["jwks_uri"], {"accept": "application/json"}, None)
            self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]  # checked by the library
        return self._keys

    async def _json(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> dict[str, Any]:
        try:
            answer = await self._fetch.request(method, url, headers=headers, content=content)
            found = answer.json()
        except (HTTPError, ValueError) as error:
            raise Unavailable(
                f"{self.settings.name} does not answer.", hint="Try again, or ask who keeps it."
            ) from error
        if answer.status_code != 200 or not isinstance(found, dict):
            said = found.get("error", "") if isinstance(found, dict) else ""
            raise Unauthenticated(f"{self.settings.name} answered {answer.status_code} {str(said)[:60]}.")
        return found


def local_path(address: str) -> str:
    """`address` if it is a path of our page, else `/`: nobody is sent to another site after signing in."""
    parts = urlsplit(address) if address.isprintable() and "\\" not in address else None
    fine = parts is not None and not parts.scheme and not parts.netloc and address.startswith("/")
    return address if fine and not address.startswith("//") else "/"


def _basic(client: str, secret: str) -> str:
    """HTTP basic for a client (RFC 6749, 2.3.1: both parts are form-encoded before they are joined)."""
    return "Basic " + base64.b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()
