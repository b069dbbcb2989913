"""Small files that spare work next time: locks, wheels, digests. Losing them costs time, nothing else."""

import json
import os
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """`cache` in MODELKEEL_HOME, or `modelkeel` in the user's cache folder."""
    home = os.environ.get("MODELKEEL_HOME")
    if home:
        return Path(home).expanduser() / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelkeel"


def read(kind: str, key: str) -> bytes | None:
    """What was kept under a key, or None."""
    try:
        return (cache_folder() / kind / key).read_bytes()
    except OSError:
        return None


def write(kind: str, key: str, content: bytes) -> None:
    """Keeps something under a key; a cache that can't be written is not missed."""
    target = cache_folder() / kind / key
    scratch = target.with_name(f".{key}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        scratch.replace(target)
    except OSError:
        return


def read_json(kind: str, key: str) -> Any:
    """Plain JSON values kept under a key, or None."""
    content = read(kind, key)
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None
