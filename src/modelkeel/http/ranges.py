"""Ranges of a file, as RFC 9110 (section 14) has them: one range of bytes; of several, the whole file is sent."""

import re
from dataclasses import dataclass

DIGITS = 19
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be sent of a file.

    Attributes:
        status: 200, 206, 304 or 416.
        start: first byte.
        stop: byte after the last.
    """

    status: int
    start: int
    stop: int

    @property
    def length(self) -> int:
        """In bytes."""
        return self.stop - self.start


def wanted(headers: dict[str, str], size: int, etag: str) -> Part:
    """Which part of a file a request asks for.

    Args:
        headers: of the request, names in lower case.
        size: of the file in bytes.
        etag: the file's entity tag, quoted.
    """
    known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Part(304, 0, 0)
    asked = _RANGE.fullmatch(headers.get("range", "").strip())
    # A date in If-Range never matches: files here have no date that a client could know.
    if asked is None or headers.get("if-range", etag).strip() != etag:
        return Part(200, 0, size)
    return _part(asked[1][:DIGITS], asked[2][:DIGITS], size)


def _part(first: str, last: str, size: int) -> Part:
    if first:
        start, stop = int(first), int(last) + 1 if last else size
    else:
        start, stop = size - int(last or 0), size
    if (first and last and int(last) < start) or not (first or last):
        return Part(200, 0, size)  # no valid range, so it is as if none had been asked for
    start, stop = max(start, 0), min(stop, size)
    return Part(206, start, stop) if start < stop else Part(416, 0, 0)
