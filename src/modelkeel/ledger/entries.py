"""What an entry is: how a draft becomes the bytes of a leaf.

An entry never holds free text, because nothing can be taken out of the log again. Names and texts become *commitments*:
SHA-256(salt || UTF-8 text) with a fresh 256-bit salt. Salt and text are stored beside the log and can be erased there;
what stays tells nothing about them. See docs/formats/ledger.md.
"""

import builtins
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from modelkeel.core.canonical import canonical
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import InvalidInput
from modelkeel.ledger.types import TYPES

MAX_TEXT = 128
SALT_BYTES = 32
_SAFE = 2**53 - 1
_FAST = msgspec.json.Encoder(order="sorted")
_PLAIN = re.compile(r"[A-Za-z0-9._:@/+-]*")
_HASH = re.compile(r"[0-9a-f]{64}")
_HINT = "Entries hold ids, enums, numbers and digests only; put names and texts into `commits`."


@dataclass(frozen=True, slots=True)
class Draft:
    """A record as a slice hands it in, before it has a place in the log.

    Attributes:
        type: one of `TYPES`.
        workspace: id of the workspace that it belongs to; empty for the installation itself.
        actor: id of the user or service account who did it.
        subject: ids of what it is about, such as `{"run": "…", "experiment": "…"}`.
        data: what happened, as ids, enums, numbers, booleans, digests, and lists and dicts of these.
        commits: name → plain text; only a salted commitment of the text goes into the entry.
    """

    type: str
    workspace: str
    actor: str
    subject: Mapping[str, str | int] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    commits: Mapping[str, str] = field(default_factory=dict)


class Sealed(NamedTuple):
    """An entry ready for the log.

    Attributes:
        bytes: the leaf: canonical JSON, on one line. Stored as it is and never written anew.
        salts: name → (salt as hex, text) for each commitment, to be stored beside the log.
    """

    bytes: builtins.bytes
    salts: dict[str, tuple[str, str]]


def fresh_salt() -> bytes:
    """256 random bits."""
    return secrets.token_bytes(SALT_BYTES)


def commitment(salt: bytes, text: str) -> str:
    """SHA-256(salt || UTF-8 text), as hex.

    Raises:
        InvalidInput: `text` holds half of a surrogate pair, so it has no UTF-8 form.
    """
    try:
        return sha256(salt + text.encode()).hexdigest()
    except UnicodeEncodeError as error:
        raise InvalidInput("A text is not valid Unicode.", hint="Remove the unpaired surrogate.") from error


def seal(draft: Draft, *, time_ms: int, wseq: int, wprev: str, new_salt: Callable[[], bytes] = fresh_salt) -> Sealed:
    """Turn a draft into the bytes of a leaf.

    Args:
        draft: the record.
        time_ms: the server's clock, milliseconds since 1970.
        wseq: how many entries its workspace has had before: 0 for the first.
        wprev: leaf hash (hex) of the previous entry of its workspace; empty for the first.
        new_salt: gives the salt of each commitment; random unless a test fixes it.

    Raises:
        InvalidInput: the type is unknown, a value is not allowed in an entry, or `wprev` does not fit `wseq`.
    """
    version = TYPES.get(draft.type)
    if version is None:
        raise InvalidInput(f"{draft.type!r} is not a type of entry.", hint="Add it to modelkeel.ledger.types.")
    if not draft.actor:
        raise InvalidInput("The entry's actor is empty.", hint="Give the id of who did it.")
    _check(draft.workspace, "workspace")
    _check(draft.actor, "actor")
    for key, part in draft.subject.items():
        if isinstance(part, bool) or not isinstance(part, str | int):
            raise InvalidInput(f"`subject.{key}` is neither an id nor a number.", hint=_HINT)
    subject, data = dict(draft.subject), dict(draft.data)
    special = _check(subject, "subject") | _check(data, "data")
    if wseq < 0 or not (wprev == "" if wseq == 0 else _HASH.fullmatch(wprev)):
        raise InvalidInput(f"wprev {wprev!r} does not fit wseq {wseq}.", hint="Only the first entry has none.")
    salts = {name: (new_salt(), text) for name, text in draft.commits.items()}
    commits = {name: commitment(salt, text) for name, (salt, text) in salts.items()}
    _check(commits, "commits")
    entry = {
        "v": version,
        "type": draft.type,
        "time": rfc3339(time_ms),
        "workspace": draft.workspace,
        "wseq": wseq,
        "wprev": wprev,
        "actor": draft.actor,
        "subject": subject,
        "data": data,
        "commits": commits,
    }
    # Without special numbers, and with ASCII throughout, sorted compact JSON *is* RFC 8785, 70 times faster.
    leaf = canonical(entry) if special else _FAST.encode(entry)
    return Sealed(leaf, {name: (salt.hex(), text) for name, (salt, text) in salts.items()})


def _check(value: Any, key: str) -> bool:
    """Refuse whatever could carry free text; the error names the key.

    Returns:
        Whether `value` holds a number that RFC 8785 writes in a way of its own: a float, or an integer beyond 2⁵³.
    """
    if isinstance(value, str):
        if len(value) > MAX_TEXT or _PLAIN.fullmatch(value) is None:
            raise InvalidInput(f"`{key}` of an entry holds text that is not an id.", hint=_HINT)
        return False
    if isinstance(value, dict):
        special = False
        for name, part in value.items():
            if not isinstance(name, str) or not name or len(name) > MAX_TEXT or _PLAIN.fullmatch(name) is None:
                raise InvalidInput(f"`{key}` of an entry has a key that is not an id.", hint=_HINT)
            special |= _check(part, f"{key}.{name}")
        return special
    if isinstance(value, list | tuple):
        special = False
        for position, part in enumerate(value):
            special |= _check(part, f"{key}[{position}]")
        return special
    if value is None or isinstance(value, bool):
        return False
    if isinstance(value, int):
        return not -_SAFE <= value <= _SAFE
    if isinstance(value, float):
        return True
    raise InvalidInput(f"`{key}` of an entry is a {type(value).__name__}.", hint=_HINT)
