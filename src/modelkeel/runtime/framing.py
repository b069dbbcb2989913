"""Messages over a Unix socket: length (u32, little endian), then MessagePack."""

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.errors import InvalidInput, Unavailable

_HEAD = struct.Struct("<I")
LARGEST = 256 * 1024 * 1024
_LONGEST_ADDRESS = 100
_encode = msgspec.msgpack.Encoder().encode


def pack(message: Any) -> bytes:
    """A message's bytes."""
    payload = _encode(message)
    return _HEAD.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next payload; None when the other side is gone."""
    try:
        (length,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        return await reader.readexactly(length) if length <= LARGEST else None
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive_frame(connection: socket.socket) -> bytes:
    """The next payload of a blocking socket.

    Raises:
        Unavailable: the other side is gone, or didn't answer in time.
    """
    (length,) = _HEAD.unpack(_exactly(connection, _HEAD.size))
    return _exactly(connection, length)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        try:
            part = connection.recv(size - len(parts))
        except OSError as error:
            raise Unavailable("The serving supervisor did not answer.", hint=str(error)) from error
        if not part:
            raise Unavailable("The serving supervisor closed the connection.")
        parts += part
    return bytes(parts)


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for a Unix socket at `path`, also where the path is longer than the 107 bytes that sockets allow.

    Raises:
        InvalidInput: the path is too long and this system has no `/proc`.
    """
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield str(path)
        return
    if sys.platform != "linux":
        raise InvalidInput(f"{path} is too long for a socket's name.", hint="Choose a home with a shorter path.")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
