"""Passwords: what one must be like, and its hash (Argon2id, RFC 9106)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from modelkeel.core.errors import InvalidInput

SHORTEST = 12
LONGEST = 256
_DISTINCT = 5
_COMMON = frozenset(
    """
    password password1 password123 password1234 password12345 123456789012 1234567890 qwertyuiop qwertyuiop12 iloveyou
    iloveyou1234 adminadmin admin1234 administrator changeme changeme1234 letmein letmein12345 welcome welcome12345
    modelkeel modelkeel123 1q2w3e4r5t6y abcdefghijkl qwerty123456 passw0rd1234
    """.split()  # noqa: SIM905 - a list to read
)
_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_pool = ThreadPoolExecutor(2, "passwords")  # a hash takes 64 MiB for some 50 ms: guesses must not fill the memory


def check(password: str, name: str) -> None:
    """Returns if `password` will do for the account `name`: long, and not a common one (NIST SP 800-63B, 3.1.1.2).

    Raises:
        InvalidInput: it will not; the message says why.
    """
    low = password.casefold()
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            f"A password has {SHORTEST} to {LONGEST} characters.", hint="A short sentence is a good one."
        )
    if low in _COMMON or len(set(low)) < _DISTINCT or low.rstrip("0123456789!.") in {*_COMMON, name.casefold()}:
        raise InvalidInput("This password is easy to guess.", hint="A short sentence of your own is a good one.")


async def hashed(password: str) -> str:
    """The salted hash to store, with its parameters (PHC string format)."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _hasher.hash, password)


async def matches(digest: str | None, password: str) -> bool:
    """Whether a password is the one hashed. Without a hash it takes as long, so names can't be found out."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _matches, digest, password)


@cache
def _decoy() -> str:
    return _hasher.hash("nobody's")


def _matches(digest: str | None, password: str) -> bool:
    try:
        _hasher.verify(digest or _decoy(), password)
    except (VerificationError, InvalidHashError):
        return False
    return digest is not None
