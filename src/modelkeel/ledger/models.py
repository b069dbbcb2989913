"""An entry as others read it."""

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One state change.

    Attributes:
        index: its place in the tree, from 0.
        type: what happened, e.g. `alias.moved`.
        time: the server's clock, RFC 3339 UTC.
        workspace: where; an id.
        actor: who; a principal's id.
        subject: what it is about, kind → id.
        data: enums, numbers and digests.
        texts: names and free text, committed to by salted hash; missing where erased.
    """

    index: int
    type: str
    time: str
    workspace: str
    actor: str
    subject: dict[str, Any]
    data: dict[str, Any]
    texts: dict[str, str]


class Proof(msgspec.Struct, frozen=True):
    """What a third party needs to check one entry against a signed checkpoint (RFC 6962, section 2.1.1)."""

    index: int
    entry: str
    leaf: str
    size: int
    root: str
    path: list[str]
    checkpoint: str
