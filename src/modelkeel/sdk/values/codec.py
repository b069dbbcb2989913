"""Values to content and back: leaves by their handlers, containers item by item, paths as files."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.errors import Corrupt, InvalidInput
from modelkeel.core.hashing import digest_of, sha256, sha256_file
from modelkeel.core.paths import resolve
from modelkeel.sdk.values.handlers import handler_for, handler_of
from modelkeel.wire.values import Value

INLINE = 2048
Content = bytes | Path
Fetch = Callable[[str], bytes]
Known = Callable[[Any], Value | None]


@dataclass(slots=True)
class Encoded:
    """A value's description and the content behind it, by digest."""

    value: Value
    content: dict[str, Content] = field(default_factory=dict)


def encode(value: Any, known: Known | None = None) -> Encoded:
    """Describes a value by its content.

    Args:
        value: what a step took or returned.
        known: gives the description of a value that a step of this run made, if it still holds.

    Raises:
        InvalidInput: its type can't be stored.
    """
    content: dict[str, Content] = {}
    return Encoded(_encode(value, content, known or (lambda _: None)), content)


def decode(value: Value, fetch: Fetch, folder: Path) -> Any:
    """The value again.

    Args:
        value: its description.
        fetch: gives a blob's content.
        folder: where files and folders are laid.

    Raises:
        Corrupt: a blob does not match its digest.
    """
    if value.kind in {"tuple", "list"}:
        items = [decode(item, fetch, folder) for item in value.items]
        return tuple(items) if value.kind == "tuple" else items
    if value.kind == "dict":
        return {name: decode(item, fetch, folder) for name, item in zip(value.names, value.items, strict=True)}
    if value.kind in {"file", "folder"}:
        return _lay(value, fetch, folder)
    if value.inline is not None:
        return json.loads(value.inline)
    if value.items:
        return handler_of(value.kind).load([fetched(fetch, part.digest) for part in value.items])
    content = fetched(fetch, value.digest)
    return json.loads(content) if value.kind == "json" else handler_of(value.kind).load(content)


def fetched(fetch: Fetch, digest: str) -> bytes:
    """A blob's content, checked.

    Raises:
        Corrupt: it does not match its digest.
    """
    content = fetch(digest)
    if sha256(content) != digest:
        raise Corrupt(f"The blob {digest} does not match its digest.")
    return content


def is_steady(value: Any) -> bool:
    """Whether a value can't be changed in place, so that its digest holds as long as the object lives."""
    if isinstance(value, str | int | float | bytes | Path) or value is None:
        return not isinstance(value, Path)
    if isinstance(value, tuple):
        return all(is_steady(item) for item in value)
    if isinstance(value, list | dict):
        return False
    return handler_for(value).steady


def _encode(value: Any, content: dict[str, Content], known: Known) -> Value:
    found = known(value)
    if found is not None:
        return found
    if isinstance(value, Path):
        return _path(value, content)
    if _is_json(value):
        return _json(value, content)
    if type(value) in {tuple, list}:
        kind = type(value).__name__
        return _container(kind, [], [_encode(item, content, known) for item in value])
    if type(value) is dict:
        if not all(type(name) is str for name in value):
            raise InvalidInput("A step can't hand on a dictionary whose keys are not texts.")
        return _container("dict", list(value), [_encode(item, content, known) for item in value.values()])
    return _leaf(value, content)


def _json(value: Any, content: dict[str, Content]) -> Value:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    stored = text.encode()
    digest = sha256(stored)
    if len(stored) <= INLINE:
        return Value("json", digest, len(stored), text)
    content[digest] = stored
    return Value("json", digest, len(stored))


def _leaf(value: Any, content: dict[str, Content]) -> Value:
    handler = handler_for(value)
    stored = handler.save(value)
    if isinstance(stored, list):
        digests = [sha256(part) for part in stored]
        content |= dict(zip(digests, stored, strict=True))
        parts = [Value("part", digest, len(part)) for digest, part in zip(digests, stored, strict=True)]
        return msgspec.structs.replace(_container(handler.kind, [], parts), note=handler.note)
    digest = sha256(stored)
    content[digest] = stored
    return Value(handler.kind, digest, len(stored), note=handler.note)


def _container(kind: str, names: list[str], items: list[Value]) -> Value:
    digest = digest_of([kind, names, [[item.kind, item.digest] for item in items]])
    return Value(kind, digest, sum(item.size for item in items), items=items, names=names)


def _is_json(value: Any) -> bool:
    kind = type(value)
    if kind in {str, int, float, bool} or value is None:
        return True
    if kind is list:
        return all(_is_json(item) for item in value)
    return kind is dict and all(type(name) is str and _is_json(item) for name, item in value.items())


def _path(path: Path, content: dict[str, Content]) -> Value:
    if path.is_file():
        digest = sha256_file(path)
        content[digest] = path
        return Value("file", digest, path.stat().st_size, names=[path.name])
    if path.is_dir():
        files = sorted(_files(path))
        items = [_path(path / name, content) for name in files]
        return _container("folder", files, items)
    raise InvalidInput(f"There is no file or folder {path}.", hint="A step may return a path only to what it wrote.")


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _lay(value: Value, fetch: Fetch, folder: Path) -> Path:
    """Writes a file or a folder under a place named by its content, whole or not at all."""
    if value.kind == "file":
        target = _place(folder / value.digest[:16], value.names[0])
        _write(target, fetched(fetch, value.digest))
        return target
    target = folder / value.digest[:16]
    target.mkdir(parents=True, exist_ok=True)
    for name, item in zip(value.names, value.items, strict=True):
        _write(_place(target, name), fetched(fetch, item.digest))
    return target


def _place(folder: Path, name: str) -> Path:
    try:
        return resolve(folder, name)
    except InvalidInput as error:
        raise Corrupt(f"The stored value names a file outside its folder: {name!r}.") from error


def _write(target: Path, content: bytes) -> None:
    if target.is_file() and target.stat().st_size == len(content):
        held = hashlib.sha256(target.read_bytes()).digest()
        if held == hashlib.sha256(content).digest():
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.part")
    scratch.write_bytes(content)
    scratch.replace(target)
