"""What a caller shows to say who they are."""

from dataclasses import dataclass, field
from enum import StrEnum


class Shown(StrEnum):
    """How a secret came."""

    TOKEN = "token"  # noqa: S105 - the name of a way, no secret
    PASSWORD = "password"  # noqa: S105
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Credential:
    """One request's answer to "who are you?".

    Attributes:
        shown: as what the secret came.
        secret: a token, a password or a session's secret.
        name: the account of a password; empty otherwise.
        address: from which network address, for slowing down guesses.
    """

    shown: Shown
    secret: str = field(repr=False)
    name: str = ""
    address: str = ""
