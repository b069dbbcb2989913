"""The HTTP client of a Modelkeel server: one connection pool, JSON both ways, errors as our own classes."""

import json
import os
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import httpx
import msgspec

from modelkeel.core import errors
from modelkeel.core.errors import KeelError, Refused, Unavailable

T = TypeVar("T")
Body = Any
Query = Mapping[str, Any] | None
_KINDS: dict[str, type[KeelError]] = {
    kind.code: kind
    for kind in (
        errors.InvalidInput,
        errors.NotFound,
        errors.Conflict,
        errors.AlreadyExists,
        errors.Unauthenticated,
        errors.PermissionDenied,
        errors.Unavailable,
        errors.Corrupt,
    )
}
_BY_STATUS: dict[int, type[KeelError]] = {
    400: errors.InvalidInput,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.Conflict,
    422: errors.InvalidInput,
    503: errors.Unavailable,
}


def home_folder() -> Path:
    """`MODELKEEL_HOME`, or `.modelkeel` in the user's home."""
    named = os.environ.get("MODELKEEL_HOME")
    return Path(named).expanduser() if named else Path.home() / ".modelkeel"


class Api:
    """Talks to one server.

    Args:
        url: where its control plane answers, e.g. `http://127.0.0.1:5757`.
        token: sent as a bearer token; none: as a tokenless caller on loopback.
        timeout: seconds to wait for an answer.
        workspace: name of the workspace to ask in; none: the token's own, or the first that is open to it.
    """

    def __init__(
        self, url: str, token: str | None = None, *, timeout: float = 60.0, workspace: str | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token or None
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if workspace:
            headers["X-Modelkeel-Workspace"] = workspace
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    @classmethod
    def from_environment(cls, home: Path | None = None, *, timeout: float = 60.0) -> Self:
        """The server that the environment names: `MODELKEEL_URL` and `MODELKEEL_TOKEN`, else the home's own.

        `MODELKEEL_WORKSPACE` names the workspace, for a token that is good in several.

        Args:
            home: the folder of a server on this machine; `MODELKEEL_HOME`, or ~/.modelkeel by default. A home
                named here wins over `MODELKEEL_URL`.
            timeout: seconds to wait for an answer.

        Raises:
            Unavailable: no server is named and none runs on the home.
        """
        url, token = os.environ.get("MODELKEEL_URL"), os.environ.get("MODELKEEL_TOKEN")
        if home is not None or not url:
            found_url, found_token = _home_server(home or home_folder())
            url = found_url
            token = found_token if home is not None else token or found_token
        return cls(url, token, timeout=timeout, workspace=os.environ.get("MODELKEEL_WORKSPACE"))

    @overload
    def get(self, path: str, params: Query = None) -> Any: ...
    @overload
    def get(self, path: str, params: Query = None, *, type: type[T]) -> T: ...
    def get(self, path: str, params: Query = None, *, type: type[T] | None = None) -> Any:  # noqa: A002 - as msgspec names it
        """The answer to a GET, as plain JSON values or, with `type`, decoded into it.

        Raises:
            KeelError: what the server answered, as the class of that mistake; Unavailable if it did not.
        """
        return self._call("GET", path, params, None, type)

    @overload
    def post(self, path: str, body: Body = None, params: Query = None) -> Any: ...
    @overload
    def post(self, path: str, body: Body = None, params: Query = None, *, type: type[T]) -> T: ...
    def post(self, path: str, body: Body = None, params: Query = None, *, type: type[T] | None = None) -> Any:  # noqa: A002
        """Posts a JSON body (plain values or a msgspec struct); answers and raises like `get`."""
        return self._call("POST", path, params, body, type)

    @overload
    def put(self, path: str, body: Body = None, params: Query = None) -> Any: ...
    @overload
    def put(self, path: str, body: Body = None, params: Query = None, *, type: type[T]) -> T: ...
    def put(self, path: str, body: Body = None, params: Query = None, *, type: type[T] | None = None) -> Any:  # noqa: A002
        """Puts a JSON body; answers and raises like `get`."""
        return self._call("PUT", path, params, body, type)

    def delete(self, path: str, params: Query = None) -> Any:
        """Deletes; answers and raises like `get`."""
        return self._call("DELETE", path, params, None, None)

    def put_bytes(self, path: str, content: bytes | Iterable[bytes], params: Query = None) -> Any:
        """Puts raw content, streamed where it is an iterable of pieces."""
        return self._decode(self._send("PUT", path, params=params, content=content), None)

    def post_bytes(self, path: str, body: Body = None) -> bytes:
        """The raw content that a POST answers with."""
        return self._send("POST", path, content=msgspec.json.encode(body)).content

    def get_bytes(self, path: str, params: Query = None) -> bytes:
        """The raw content behind a path."""
        return self._send("GET", path, params=params).content

    @contextmanager
    def stream(self, path: str, params: Query = None) -> Iterator[Iterator[bytes]]:
        """The raw content behind a path, piece by piece."""
        try:
            with self._client.stream("GET", path, params=_query(params)) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                yield answer.iter_bytes()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: str, path: str, params: Query, body: Body, into: type[T] | None) -> Any:
        if body is None:
            return self._decode(self._send(method, path, params=params), into)
        content = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        return self._decode(self._send(method, path, params=params, content=content, headers=headers), into)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Query = None,
        content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, path, params=_query(params), content=content, headers=headers)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise _error(answer)
        return answer

    def _decode(self, answer: httpx.Response, into: type[T] | None) -> Any:
        if not answer.content:
            return None
        if into is not None:
            return msgspec.json.decode(answer.content, type=into)
        return msgspec.json.decode(answer.content)

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"The server at {self.url} does not answer: {error}.",
            hint="Start one with `modelkeel up`, or check the address.",
        )


def _query(params: Query) -> dict[str, Any] | None:
    return None if params is None else {key: value for key, value in params.items() if value is not None}


def _error(answer: httpx.Response) -> KeelError:
    try:
        problem = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    message = str(problem.get("detail") or problem.get("message") or f"The server answered {answer.status_code}.")
    hint = str(problem.get("hint", ""))
    reasons = problem.get("reasons")
    if answer.status_code == Refused.status and reasons:
        return Refused(message, reasons=[str(reason) for reason in reasons], hint=hint)
    code = str(problem.get("code") or problem.get("error_code") or "")
    kind = _KINDS.get(code) or _BY_STATUS.get(answer.status_code, KeelError)
    return kind(message, hint=hint)


def _home_server(home: Path) -> tuple[str, str | None]:
    state, token = home / "server.json", home / "owner.token"
    if not state.exists():
        raise Unavailable(
            f"No server runs on {home}, and MODELKEEL_URL is not set.",
            hint="Start one with `modelkeel up`, or set MODELKEEL_URL and MODELKEEL_TOKEN.",
        )
    url = str(json.loads(state.read_text())["url"])
    return url, token.read_text().strip() if token.exists() else None
