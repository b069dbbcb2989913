"""The ASGI application of a runtime: addresses and HTTP in and out, nothing else."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from modelkeel.core.clock import now_ms
from modelkeel.core.errors import KeelError, NotFound, PermissionDenied, Unauthenticated, Unavailable
from modelkeel.runtime.access import check_browser
from modelkeel.runtime.metrics import Snapshot, exposition
from modelkeel.runtime.oip import metadata
from modelkeel.runtime.predict import Answered, Predictor
from modelkeel.runtime.routing import LiveEndpoint, Target
from modelkeel.runtime.state import State
from modelkeel.version import __version__

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
MAX_BODY = 16 * 1024 * 1024
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_POST = frozenset({"infer", "invoke"})
_SERVER = {"name": "modelkeel", "version": __version__, "extensions": []}
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


@dataclass(slots=True)  # not frozen, like `Answered`
class Reply:
    """An answer before it is sent."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)


@dataclass(slots=True)
class Asked:
    """The headers of a request that matter here."""

    host: bytes | None = None
    origin: bytes | None = None
    authorization: bytes | None = None
    length: int = 0
    binary: bool = False
    encoded: bool = False


@dataclass(frozen=True)
class Application:
    """The prediction protocols over a `State`.

    Attributes:
        state: what is served.
        gather: gets the counters of all runtime processes.
        local: whether only this machine can reach us.
        max_body: bytes of a request's body at most.
        allowed_hosts: names that Host may have besides loopback's.
    """

    state: State
    gather: Callable[[], Awaitable[list[Snapshot]]]
    local: bool
    max_body: int = MAX_BODY
    allowed_hosts: frozenset[str] = frozenset()
    predictor: Predictor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "predictor", Predictor(self.state))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answered: Answered | None = None
        try:
            target = self._target(scope["path"])
            if target is not None and target.kind in _POST and scope["method"] == "POST":
                reply_or_answered = await self._predict(target, scope, receive)
                if reply_or_answered is None:
                    return  # the caller hung up
                if isinstance(reply_or_answered, Answered):
                    answered = reply_or_answered
                    reply = Reply(200, answered.body, (_JSON, (b"modelkeel-prediction-id", answered.id)))
                else:
                    reply = reply_or_answered
            else:
                reply = await self._plain(target, scope)
        except KeelError as error:
            reply = _refusal(error)
        except Exception:  # noqa: BLE001 - whatever happens, the caller gets an answer
            _log.exception("a request failed")
            reply = _failure(500, "The prediction server failed.", ())
        headers = [*reply.headers, (b"content-length", str(len(reply.body)).encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})
        if answered is not None:
            self.predictor.after(answered)

    def _target(self, path: str) -> Target | None:
        live = self.state.live
        return None if live is None else live.targets.get(path)

    async def _predict(self, target: Target, scope: Scope, receive: Receive) -> Answered | Reply | None:
        asked = _headers(scope["headers"])
        check_browser(asked.host, asked.origin, local=self.local, allowed=self.allowed_hosts)
        now = now_ms()
        target.live.guard.check(asked.authorization, now)
        if asked.length > self.max_body:
            return self._too_large(target.live)
        if asked.binary or asked.encoded:
            target.live.refused.failed(400)
            return _failure(400, "The body must be plain JSON: no binary tensors, no content encoding.", ())
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            body = part if not body else body + part
            if len(body) > self.max_body:
                return self._too_large(target.live)
            if not message.get("more_body"):
                break
        current = self._target(scope["path"])  # the table may have been replaced while the body came in
        if current is None:
            raise NotFound("This endpoint was removed.")
        try:
            if target.kind == "infer":
                return await self.predictor.infer(current, body, now)
            return await self.predictor.invoke(current, body, now)
        except KeelError as error:
            current.live.refused.failed(error.status)
            raise

    def _too_large(self, live: LiveEndpoint) -> Reply:
        live.refused.failed(413)
        return _failure(413, f"The body is larger than {self.max_body} bytes.", ((b"connection", b"close"),))

    async def _plain(self, target: Target | None, scope: Scope) -> Reply:
        method, path = scope["method"], scope["path"]
        asked = _headers(scope["headers"])
        check_browser(asked.host, asked.origin, local=self.local, allowed=self.allowed_hosts)
        if target is not None:
            allow = "POST" if target.kind in _POST else "GET"
            if method != allow:
                return _failure(405, f"{method} is not possible here.", ((b"allow", allow.encode()),))
            if target.kind in ("ready", "metadata"):
                target.live.guard.check(asked.authorization, now_ms())
            return self._about(target)
        common = _COMMON.get(path)
        if common is None and path != "/metrics":
            raise NotFound(
                f"There is no {path!r} here.", hint="Addresses are /v2/models/{endpoint} and /{workspace}/{endpoint}/…"
            )
        if method != "GET":
            return _failure(405, f"{method} is not possible here.", ((b"allow", b"GET"),))
        if common is not None:
            return common(self.state.live is not None)
        if not self.local:
            self._check_any_key(asked.authorization)
        return Reply(200, exposition(await self.gather()).encode(), (_TEXT,))

    def _check_any_key(self, authorization: bytes | None) -> None:
        for live in self.state.live.endpoints if self.state.live else ():
            try:
                live.guard.check(authorization, now_ms())
            except (Unauthenticated, PermissionDenied):
                continue
            return
        raise Unauthenticated("The metrics need an endpoint's key.")

    def _about(self, target: Target) -> Reply:
        live = target.live
        name = live.endpoint.name
        if target.kind == "metadata":
            if not live.paths:
                raise Unavailable(f"Nothing is deployed at {name!r} yet.")
            path = live.paths[0] if target.version is None else live.versioned(target.version)
            versions = [path.revision.version] if target.version else [p.revision.version for p in live.paths]
            platform = "onnxruntime_onnx" if path.revision.kind == "onnx" else "mlflow"
            return Reply(200, _encode(metadata(name, versions, platform, path.revision.schema)))
        if target.kind == "ready":
            ready = live.ready if target.version is None else live.versioned(target.version).loaded is not None
            return Reply(200 if ready else 503, _encode({"name": name, "ready": ready}))
        return _SHORT[target.kind](live.ready)


def _about_server(ready: bool) -> Reply:  # noqa: ARG001 - one form for all common answers
    return Reply(200, _encode(_SERVER))


def _live(ready: bool) -> Reply:  # noqa: ARG001
    return Reply(200, b'{"live":true}')


def _ready(ready: bool) -> Reply:
    return Reply(200 if ready else 503, _encode({"ready": ready, "live": True}))


def _ping(ready: bool) -> Reply:
    return Reply(200 if ready else 503, b"\n", (_TEXT,))


def _version(ready: bool) -> Reply:  # noqa: ARG001
    return Reply(200, __version__.encode(), (_TEXT,))


_SHORT: dict[str, Callable[[bool], Reply]] = {
    "server": _about_server,
    "live": _live,
    "server-ready": _ready,
    "ping": _ping,
    "version": _version,
}
_COMMON: dict[str, Callable[[bool], Reply]] = {
    "/v2": _about_server,
    "/v2/": _about_server,
    "/v2/health/live": _live,
    "/v2/health/ready": _ready,
    "/ping": _ping,
    "/health": _ping,
    "/version": _version,
}


def _headers(headers: list[tuple[bytes, bytes]]) -> Asked:
    asked = Asked()
    for name, value in headers:
        match name:
            case b"host":
                asked.host = value if asked.host is None else b"?"  # two names: whoever reads the other is deceived
            case b"content-length":
                asked.length = int(value) if value.isdigit() else 0
            case b"authorization":
                asked.authorization = value
            case b"origin":
                asked.origin = value if asked.origin is None else b"?"
            case b"inference-header-content-length":
                asked.binary = True
            case b"content-encoding":
                asked.encoded = value.lower() != b"identity"
            case _:
                pass
    return asked


def _refusal(error: KeelError) -> Reply:
    extra: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, Unauthenticated):
        extra = ((b"www-authenticate", b"Bearer"),)
    elif isinstance(error, Unavailable):
        extra = ((b"retry-after", b"1"),)
    elif not isinstance(error, PermissionDenied) and error.status >= 500:
        _log.error("a request failed: %s", error)
    return _failure(error.status, str(error), extra)


def _failure(status: int, text: str, headers: tuple[tuple[bytes, bytes], ...]) -> Reply:
    body = _encode({"error": text.encode("utf-8", "replace").decode()})
    return Reply(status, body, (_JSON, *headers))
