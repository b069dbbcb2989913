"""What a step prints: passed on, and kept up to a limit."""

import io
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

MOST_KEPT = 1 << 20
"""Characters kept of one step's output: the last ones."""


class Printed:
    """The end of what was printed.

    Args:
        tell: hears of each piece.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self._pieces: deque[str] = deque()
        self._size = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """Keeps a piece."""
        self._pieces.append(text)
        self._size += len(text)
        while self._size > MOST_KEPT and len(self._pieces) > 1:
            gone = len(self._pieces.popleft())
            self._size -= gone
            self._dropped += gone
        if self._tell is not None:
            self._tell(text)

    def text(self) -> str:
        """All that is kept."""
        kept = "".join(self._pieces)
        if len(kept) > MOST_KEPT:
            self._dropped += len(kept) - MOST_KEPT
            kept = kept[-MOST_KEPT:]
        return f"[{self._dropped} characters before this were not kept]\n{kept}" if self._dropped else kept


class _Tee(io.TextIOBase):
    def __init__(self, inner: TextIO, printed: Printed) -> None:
        self._inner = inner
        self._printed = printed

    def write(self, text: str) -> int:
        self._printed.add(text)
        return self._inner.write(text)

    def flush(self) -> None:
        self._inner.flush()

    def fileno(self) -> int:
        return self._inner.fileno()

    def isatty(self) -> bool:
        return self._inner.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute above
        return self._inner.encoding


@contextmanager
def listened(printed: Printed) -> Iterator[None]:
    """Keeps what this process prints by Python meanwhile."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Tee(before[0], printed), _Tee(before[1], printed)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
