"""The spellings of protobuf's JSON form beside the usual one: camel case for snake case, `null` for unset.

Stock servers read both (protobuf, "JSON mapping"), and clients in other languages send them. The quick way through a
prepared decoder knows neither, so a body that shows one of them takes this way.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

M = TypeVar("M", bound=msgspec.Struct)


class Spelling:
    """What a message's fields are called otherwise.

    Args:
        message: the request's type.
    """

    def __init__(self, message: type[msgspec.Struct]) -> None:
        self._message = message
        names = {name for name in _fields(inspect.type_info(message)) if "_" in name}
        self._snake = {re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name): name for name in names}
        self._shown = [f'"{camel}"'.encode() for camel in self._snake]

    def is_other(self, body: bytes) -> bool:
        """Whether a body names a field in camel case."""
        return any(camel in body for camel in self._shown)

    def read(self, body: bytes) -> Any:
        """The message of a body that spells otherwise.

        Raises:
            msgspec.MsgspecError: it is no JSON, or none of this message.
        """
        return msgspec.convert(self._plain(msgspec.json.decode(body)), self._message, strict=False)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: item for key, item in value.items() if item is not None}
            return {self._snake.get(key, key): self._plain(item) for key, item in kept.items()}
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        return value


def _fields(kind: inspect.Type) -> Iterator[str]:
    """The names of a type's fields, and of those of the types within it."""
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield field.encode_name
            yield from _fields(field.type)
    elif isinstance(kind, inspect.ListType):
        yield from _fields(kind.item_type)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _fields(each)
