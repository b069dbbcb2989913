"""The home folder of an installation: one place for everything a person runs, held by one server."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from modelkeel.core.errors import Unavailable


def default_home() -> Path:
    """`MODELKEEL_HOME`, or `.modelkeel` in the current folder's user's home."""
    named = os.environ.get("MODELKEEL_HOME")
    return Path(named).expanduser() if named else Path.home() / ".modelkeel"


class Home:
    """A folder that only its owner can read, locked by the server that uses it.

    Raises:
        Unavailable: another server holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        self._lock = os.open(self.path / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 32, 0).decode() or "unknown"
            os.close(self._lock)
            raise Unavailable(
                f"Another server (process {holder}) already uses the home {self.path}.",
                hint="Stop it with `modelkeel down`, or name another home with --home.",
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def folder(self, name: str) -> Path:
        """A folder of the home, made on first use and closed to others."""
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def close(self) -> None:
        """Gives the home free."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read: a whole one or none, durable on return."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    scratch.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path | str) -> None:
    """Makes renames inside a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
