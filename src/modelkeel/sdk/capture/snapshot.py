"""The project's files as they are: one tar whose bytes depend on names, modes and content alone."""

import io
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

from modelkeel.core import paths
from modelkeel.core.errors import Corrupt, InvalidInput, Unavailable
from modelkeel.core.hashing import digest_of, sha256
from modelkeel.sdk.capture import cache
from modelkeel.wire.captures import LeftOut, Snapshot

LARGE = 10 << 20
MOST_FILES = 20_000
_IGNORED = {"__pycache__", "node_modules", "mlruns", "mlartifacts", "site-packages"}
_SECRET_NAME = re.compile(
    r"(\.env(\..*)?|.*\.(pem|key|p12|pfx|jks|keystore|kdbx)|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pypirc|\.pgpass|\.htpasswd"
    r"|\.git-credentials|(.*[-_.])?(credentials?|secrets?|token)(\.(json|ya?ml|toml|ini|cfg|txt))?)",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}\b|\bmk_[A-Za-z0-9_-]{40,}")


class Captured:
    """A snapshot and its content; the content is read again only where the server lacks it."""

    def __init__(self, root: Path, names: list[str], snapshot: Snapshot, content: bytes | None, diff: bytes) -> None:
        self._root = root
        self._names = names
        self._content = content
        self.snapshot = snapshot
        self.diff = diff

    def content(self) -> bytes:
        """The tar.

        Raises:
            Unavailable: the files changed since the capture.
        """
        if self._content is None:
            self._content, _ = _tar(self._root, self._names)
        if sha256(self._content) != self.snapshot.digest:
            raise Unavailable("The project's files changed while they were captured.", hint="Run it again.")
        return self._content


_HOME_LOCK = "server.lock"


def capture(root: Path, *, largest: int | None = None) -> Captured:
    """Takes a snapshot of a project's folder.

    Files that git ignores, files over 10 MB and files that look like secrets are left out; the latter two are named.

    Args:
        root: the folder.
        largest: bytes that all files may have together.

    Raises:
        Unavailable: they have more, or are too many.
    """
    tracked = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", ".")
    listed = _walk(root) if tracked is None else [name for name in tracked.decode().split("\0") if name]
    names, left_out, marks = _choose(root, _without_homes(root, sorted(set(listed))))
    if largest is not None and sum(int(str(mark[1])) for mark in marks) > largest:
        raise Unavailable(f"The project folder {root} holds more than {largest} bytes.", hint="Ignore data with git.")
    commit, dirty, diff = (
        _changes(root, [item.path for item in left_out]) if tracked is not None else (None, False, b"")
    )
    key = digest_of([str(root), marks])
    known = cache.read_json("snapshots", key)
    content: bytes | None = None
    if known is None:
        content, unsafe = _tar(root, names)
        left_out += [LeftOut(name, "secret") for name in unsafe]
        names = [name for name in names if name not in set(unsafe)]
        known = {"digest": sha256(content), "size": len(content), "secret": unsafe}
        if _settled(marks):
            cache.write("snapshots", key, json.dumps(known).encode())
    else:
        left_out += [LeftOut(name, "secret") for name in known["secret"]]
        names = [name for name in names if name not in set(known["secret"])]
    snapshot = Snapshot(
        digest=known["digest"],
        files=len(names),
        size=known["size"],
        commit=commit,
        dirty=dirty,
        diff=sha256(diff) if diff else None,
        left_out=left_out,
    )
    return Captured(root, names, snapshot, content, diff)


def branch(root: Path) -> str | None:
    """Git's branch, if the folder is in a repository and on one."""
    found = _git(root, "rev-parse", "--abbrev-ref", "HEAD")
    name = "" if found is None else found.decode(errors="replace").strip()
    return name if name not in {"", "HEAD"} else None


def unpack(content: bytes, folder: Path) -> None:
    """Lays a snapshot's files into a folder.

    Raises:
        Corrupt: a name in it leads elsewhere.
    """
    try:
        paths.unpack(io.BytesIO(content), folder, largest=len(content))
    except InvalidInput as error:
        raise Corrupt(f"The snapshot is not what a capture writes: {error}") from error


def _walk(root: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _is_passed_over(Path(folder, name))]
        found += [Path(folder, name).relative_to(root).as_posix() for name in files if not name.endswith(".pyc")]
        if len(found) > MOST_FILES:
            raise Unavailable(
                f"The project folder {root} holds more than {MOST_FILES} files.",
                hint="Put a modelkeel.toml into the project's own folder, or ignore what is no code with git.",
            )
    return found


def _is_passed_over(folder: Path) -> bool:
    return folder.name in _IGNORED or folder.name.startswith(".") or (folder / "pyvenv.cfg").exists()


def _without_homes(root: Path, listed: list[str]) -> list[str]:
    """The files without those of a server's home that lies in the project: it holds every snapshot before this one."""
    locks = [Path(name).parent for name in listed if name.endswith(f"/{_HOME_LOCK}")]
    homes = tuple(f"{folder.as_posix()}/" for folder in locks if (root / folder / "blobs").is_dir())
    return [name for name in listed if not name.startswith(homes)] if homes else listed


def _choose(root: Path, listed: list[str]) -> tuple[list[str], list[LeftOut], list[list[object]]]:
    """What goes in, what stays out and why, and marks by which an unchanged file is known again."""
    names: list[str] = []
    left_out: list[LeftOut] = []
    marks: list[list[object]] = []
    for name in listed:
        path = root / name
        try:
            stat = path.stat()
        except OSError:
            continue  # deleted in the working folder, or a link to nowhere
        if not path.is_file() or not path.resolve().is_relative_to(root):
            continue
        if not _is_plain(name):
            left_out.append(LeftOut(name, "name"))
        elif _SECRET_NAME.fullmatch(path.name) and path.suffix != ".py":
            left_out.append(LeftOut(name, "secret"))
        elif stat.st_size > LARGE:
            left_out.append(LeftOut(name, "large"))
        else:
            names.append(name)
            marks.append([name, stat.st_size, str(stat.st_mtime_ns), str(stat.st_ctime_ns), stat.st_mode & 0o100])
    return names, left_out, marks


def _is_plain(name: str) -> bool:
    """Whether the file's name can be laid into a folder again."""
    try:
        return paths.clean(name) == name
    except InvalidInput:
        return False


def _settled(marks: list[list[object]]) -> bool:
    """Whether every file is older than a clock tick, so that an equal mark means equal content."""
    newest = max((int(str(mark[3])) for mark in marks), default=0)
    return time.time_ns() - newest > 2_000_000_000


def _tar(root: Path, names: Iterable[str]) -> tuple[bytes, list[str]]:
    """The tar of some files, and those of them that hold a private key or a token and were left out."""
    buffer = io.BytesIO()
    unsafe = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            path = root / name
            content = path.read_bytes()
            if _SECRET_TEXT.search(content):
                unsafe.append(name)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue(), unsafe


def _changes(root: Path, left_out: list[str]) -> tuple[str | None, bool, bytes]:
    """The commit, whether files differ from it, and the difference as a patch without what was left out."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, True, b""
    status = _git(root, "status", "--porcelain", "--untracked-files=normal", ".")
    diff = b""
    if status:
        without = [f":(exclude){name}" for name in left_out]
        diff = _git(root, "diff", "--binary", "--no-ext-diff", "HEAD", "--", ".", *without) or b""
        if _SECRET_TEXT.search(diff) or len(diff) > LARGE:
            diff = b""
    return commit.decode().strip(), bool(status), diff


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git says, or None where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            check=False,
            timeout=30,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
