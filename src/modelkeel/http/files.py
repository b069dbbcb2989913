"""Files as answers: streamed, in whole or in part, never interpreted by a browser."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from mimetypes import guess_type
from typing import Any
from urllib.parse import quote

from litestar import Request
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from modelkeel.http.ranges import Part, wanted

Read = Callable[[int, int], AsyncGenerator[bytes, None]]


class FileAnswer(ASGIResponse):
    """A file to be saved.

    It answers `Range` with one range, `If-Range`, `If-None-Match` and HEAD. The first piece is read before the answer
    begins, so damage found there is an error and no torn file.

    Args:
        part: what of it is sent.
        headers: of the answer.
        pieces: the content after the first piece; None: nothing is sent.
        first: its first piece.
    """

    def __init__(
        self, part: Part, headers: dict[str, str], pieces: AsyncGenerator[bytes, None] | None, first: bytes
    ) -> None:
        super().__init__(status_code=part.status)
        self._raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._pieces = pieces
        self._first = first

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it, unless whoever asked hangs up."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self._raw})
        if self._pieces is not None:
            listening = asyncio.create_task(_hung_up(receive))
            try:
                await send({"type": "http.response.body", "body": self._first, "more_body": True})
                async for piece in self._pieces:
                    if listening.done():
                        return
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                listening.cancel()
                await self._pieces.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hung_up(receive: Receive) -> None:
    """Returns when nobody listens any more."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def file_answer(request: Request[Any, Any, Any], path: str, digest: str, size: int, read: Read) -> FileAnswer:
    """A file to be saved, or the part of it that was asked for.

    Args:
        request: it may ask for a range.
        path: its last part becomes the file's name.
        digest: of the content; it is the entity tag, so a part always belongs to the rest.
        size: in bytes.
        read: gives the bytes from the first number to before the second.
    """
    name, etag = path.rpartition("/")[2], f'"{digest}"'
    part = wanted(dict(request.headers), size, etag)
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",  # an HTML artifact opened here runs nothing
        "content-type": guess_type(name)[0] or "application/octet-stream",
    }
    if part.status == 416:
        headers["content-range"] = f"bytes */{size}"
    if part.status == 206:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    if part.status != 304:
        headers["content-length"] = str(part.length)
    if request.method == "HEAD" or not part.length:
        return FileAnswer(part, headers, None, b"")
    pieces = read(part.start, part.stop)
    return FileAnswer(part, headers, pieces, await anext(pieces))
