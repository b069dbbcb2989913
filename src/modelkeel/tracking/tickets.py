"""Tickets: what an address says that stands for itself, signed and short-lived.

The `mlflow` client sends parts of a file, and fetches ranges of one, by plain addresses without its token.
"""

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum

import msgspec

from modelkeel.core.errors import PermissionDenied


class Right(StrEnum):
    """What a ticket lets its bearer do."""

    PART = "part"
    FETCH = "fetch"


class Ticket(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One right.

    Attributes:
        right: which.
        subject: the upload whose part may be sent, or the digest of the content that may be fetched.
        number: of the part, from 1, or the content's size in bytes.
        name: of the file, for who fetches it.
        until: when it ends, in ms since 1970.
    """

    right: Right
    subject: str
    number: int
    name: str
    until: int


def seal(key: bytes, ticket: Ticket) -> str:
    """The ticket as a word for an address."""
    content = msgspec.msgpack.encode(ticket)
    return base64.urlsafe_b64encode(hmac.digest(key, content, hashlib.sha256) + content).decode().rstrip("=")


def unseal(key: bytes, word: str, right: Right, now: int) -> Ticket:
    """The ticket behind a word.

    Args:
        key: with which it was sealed.
        word: as it came.
        right: what it has to be good for.
        now: in ms since 1970.

    Raises:
        PermissionDenied: it is not ours, has ended, or is for something else.
    """
    try:
        content = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        if hmac.compare_digest(hmac.digest(key, content[32:], hashlib.sha256), content[:32]):
            ticket = msgspec.msgpack.decode(content[32:], type=Ticket)
            if ticket.right is right and now < ticket.until:
                return ticket
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        pass
    raise PermissionDenied("This address is not good, or no more.", hint="Ask for a new one.")
