"""`keel.secret`: a secret's value in the step that names it. Nothing that leaves this process may hold it."""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO
from urllib.parse import urlsplit

from modelkeel.core import secrets
from modelkeel.core.errors import InvalidInput
from modelkeel.sdk.api import home_folder

SHORTEST = 6
"""Shorter values are not looked for: they stand in too much by chance."""
_HIDDEN = "[secret]"
_STEP: ContextVar[tuple[str, frozenset[str]] | None] = ContextVar("keel_secrets", default=None)
_LOCAL = frozenset({"localhost", "::1"})
_seen: dict[str, str] = {}
_guarded: set[tuple[str, int | None]] = set()
_watching = False


def secret(name: str) -> str:
    """The value of a secret on this host.

    In a step of a run, the step has to name it: `@keel.step(secrets=["NAME"])`. Neither the value nor a digest of it
    is part of the cache key. A result that holds the value is refused; error messages and what a pipeline that the
    server started prints have it blotted out. What `mlflow` would send to the server with the value in it (a
    parameter, a tag, a metric, a file) is refused.

    Args:
        name: of the secret. It is looked for as the variable `MODELKEEL_SECRET_NAME`, as the file `NAME` in the folder
            `MODELKEEL_SECRETS` (or `secrets` in the home), and as the variable `NAME`.

    Raises:
        NotFound: it is not on this host.
        InvalidInput: the step does not name it, or others can read its file.
    """
    here = _STEP.get()
    if here is not None and name not in here[1]:
        raise InvalidInput(
            f"The step {here[0]} does not name the secret {name}.", hint=f'Write @keel.step(secrets=["{name}"]).'
        )
    value = secrets.resolve(name, os.environ, home_folder() / "secrets")
    if len(value) >= SHORTEST:
        _seen[value] = name
        _watch()
    return value


def guard(url: str) -> None:
    """Keeps values from the server at `url`: what would be sent there with one in it is refused."""
    parts = urlsplit(url)
    _guarded.add(_address(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)))


@contextmanager
def within(step: str, names: frozenset[str]) -> Iterator[None]:
    """What this code may ask for while a step runs."""
    token = _STEP.set((step, names))
    try:
        yield
    finally:
        _STEP.reset(token)


def redact(text: str) -> str:
    """The text without the values of secrets that this process looked up."""
    for value in sorted(_seen, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return text


def looked_up() -> bool:
    """Whether this process knows any secret's value."""
    return bool(_seen)


def held_in(content: bytes) -> str | None:
    """The name of a secret whose value stands in some bytes, as it is or as JSON writes it; or None."""
    forms = ((form, name) for value, name in tuple(_seen.items()) for form in (value, json.dumps(value)[1:-1]))
    return next((name for form, name in forms if form.encode() in content), None)


def _watch() -> None:
    """Looks at what this process sends by `http.client`, on which the mlflow client stands, once it knows a secret."""
    global _watching  # noqa: PLW0603 - an audit hook is the process's own, and stays
    if not _watching:
        _watching = True
        sys.addaudithook(_look_at)


def _look_at(event: str, arguments: tuple[Any, ...]) -> None:
    # https://docs.python.org/3/library/audit_events.html: raising here ends the call before anything is sent.
    if event != "http.client.send":
        return
    connection, data = arguments
    if _address(connection.host, connection.port) not in _guarded or not isinstance(data, bytes | bytearray):
        return
    name = held_in(_without_headers(bytes(data)))
    if name is not None:
        raise InvalidInput(
            f"What would be logged holds the value of the secret {name}.", hint="Log what it opens, not the key."
        )


def _without_headers(data: bytes) -> bytes:
    """Of a request's head only its first line: credentials belong into headers."""
    first = data.partition(b"\r\n")[0]
    return first if first.endswith(b" HTTP/1.1") else data


def _address(host: str, port: int | None) -> tuple[str, int | None]:
    plain = host.lower().strip("[]")
    return "127.0.0.1" if plain in _LOCAL else plain, port


def blot_output() -> None:
    """From now on, what this process prints has its secrets blotted out, line by line."""
    sys.stdout, sys.stderr = _Blotting(sys.stdout), _Blotting(sys.stderr)


class _Blotting(io.TextIOBase):
    """A text stream that passes whole lines on, without secrets."""

    def __init__(self, inner: TextIO) -> None:
        self._inner = inner
        self._rest = ""

    def write(self, text: str) -> int:
        lines = (self._rest + text).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith(("\n", "\r")) else ""
        for line in lines:
            self._inner.write(redact(line))
        return len(text)

    def flush(self) -> None:
        self._inner.write(redact(self._rest))
        self._rest = ""
        self._inner.flush()

    def fileno(self) -> int:
        return self._inner.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True
