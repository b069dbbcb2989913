"""SHA-256 in the forms used here: hexadecimal, lower case, 64 digits."""

import hashlib
import re
from pathlib import Path
from typing import Any

from modelkeel.core.canonical import canonical

DIGEST = re.compile(r"[0-9a-f]{64}")


def sha256(data: bytes) -> str:
    """The digest of some bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """The digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Any) -> str:
    """The digest of a value's canonical JSON."""
    return sha256(canonical(value))


def is_digest(text: str) -> bool:
    """Whether `text` has the form of a digest."""
    return DIGEST.fullmatch(text) is not None
