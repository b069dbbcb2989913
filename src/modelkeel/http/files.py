"""Files as answers: streamed, never interpreted by a browser."""

from collections.abc import AsyncIterator
from mimetypes import guess_type
from urllib.parse import quote

from litestar.response import Stream


def attachment(path: str, size: int, content: AsyncIterator[bytes]) -> Stream:
    """A file to be saved.

    Args:
        path: its last part becomes the file's name.
        size: in bytes.
        content: in pieces.
    """
    name = path.rpartition("/")[2]
    headers = {
        "content-length": str(size),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",  # an HTML artifact opened here runs nothing
    }
    return Stream(content, headers=headers, media_type=guess_type(name)[0] or "application/octet-stream")
