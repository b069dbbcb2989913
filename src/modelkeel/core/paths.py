"""The one place where a path that comes from outside is judged: from a client, an archive, a stored document."""

import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from modelkeel.core.errors import InvalidInput

LONGEST = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")


def clean(text: str, *, empty: bool = False) -> str:
    """A path below some root as a name: relative, plain, and the same however often it is unquoted.

    Args:
        text: as it came, unquoted once where it came by HTTP.
        empty: whether the root itself may be meant.

    Raises:
        InvalidInput: it is absolute, climbs, names a drive, or hides any of this by encoding it again.
    """
    trimmed = text.strip("/") if empty else text.rstrip("/")
    if empty and not trimmed:
        return ""
    if len(trimmed) <= LONGEST:
        forms = [trimmed]
        while (plain := unquote(forms[-1])) != forms[-1]:
            forms.append(plain)
        if not any(_unsafe(form) for form in forms) and forms[-1].count("/") == trimmed.count("/"):
            return trimmed
    raise InvalidInput(f"Invalid path: {text[:200]!r}", hint="Use a relative path without '..' or backslashes.")


def resolve(root: Path, text: str) -> Path:
    """The place of `text` below `root`, links followed.

    Args:
        root: a folder of ours.
        text: as it came.

    Raises:
        InvalidInput: `clean` refuses it, or a link on the way leads out of the root.
    """
    name = clean(text)
    base = root.resolve()
    place = (base / name).resolve()
    if place == base or not place.is_relative_to(base):
        raise InvalidInput(f"{text[:200]!r} leads out of its folder.", hint="A link on the way points elsewhere.")
    return place


def unpack(archive: BinaryIO, folder: Path, *, largest: int, members: int = 100_000) -> None:
    """Lays the files of a tar archive into a new or empty folder; nothing else than files and folders may be in it.

    Args:
        archive: a tar that is not compressed, so that it can't grow.
        folder: is made where it is not there.
        largest: bytes that all files may have together.
        members: how many there may be.

    Raises:
        InvalidInput: a name leads elsewhere, something in it is no file, or it is too large. Files laid before the
            fault was found stay in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            for number, member in enumerate(tar):
                largest -= member.size
                if number >= members or largest < 0:
                    raise InvalidInput("The archive is larger than it may be.")
                _lay(tar, member, folder)
    except tarfile.TarError as error:
        raise InvalidInput(f"This is no whole tar archive: {error}.") from error


def _lay(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = member.name.removeprefix("./")
    if member.isdir():
        if name not in {"", "."}:
            resolve(folder, name).mkdir(parents=True, exist_ok=True)
        return
    if not member.isfile():  # links, devices, pipes
        raise InvalidInput(f"The archive holds something that is no file: {member.name[:200]!r}.")
    place = resolve(folder, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    # Exclusive, and not through a link: a member can't write twice, or to where an earlier one points.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(place, flags, 0o755 if member.mode & 0o100 else 0o644)
    except FileExistsError:
        raise InvalidInput(f"The archive holds {member.name[:200]!r} twice, or it is there already.") from None
    with os.fdopen(handle, "wb") as target:
        if source is not None:
            shutil.copyfileobj(source, target)


def _unsafe(path: str) -> bool:
    return (
        "\\" in path
        or "\ufffd" in path  # stands for bytes that were no UTF-8: an overlong dot, or a name that others share
        or _CONTROL.search(path) is not None
        or any(part in {"", ".", ".."} for part in path.split("/"))
        or _DRIVE.match(path) is not None
    )
