"""Slows down guessing: after some failed sign-ins the next attempt has to wait, twice as long each time.

Three counts: for a name from one address, for an address, and for a name from anywhere. The last is high, so that
nobody can easily lock somebody else out. Counts are stored, so a restart does not forget them; they end after a day.
"""

from modelkeel.core.hashing import sha256
from modelkeel.identity import store_sign_in as signing
from modelkeel.storage.transaction import Tx

DAY_MS = 86_400_000
_LIMITS = {"pair": (5, 900_000), "address": (200, 60_000), "name": (100, 900_000)}
"""Free failures within a day, and the longest wait in ms. An address may be a whole company's, so it gets more."""


def keys(name: str | None, address: str) -> dict[str, str]:
    """What an attempt counts for; names are hashed, since people type passwords into the wrong field.

    Args:
        name: the account's; None: an attempt without one.
        address: where it comes from.
    """
    if name is None:
        return {"address": f"address {address}"}
    who = sha256(name.casefold().encode())[:32]
    return {"pair": f"pair {who} {address}", "address": f"address {address}", "name": f"name {who}"}


def waits(tx: Tx, name: str | None, address: str) -> int:
    """Milliseconds until the next attempt is allowed; 0: now."""
    counted = signing.failures(tx, list(keys(name, address).values()))
    ends = [0]
    for kind, key in keys(name, address).items():
        count, last = counted.get(key, (0, 0))
        free, longest = _LIMITS[kind]
        if count >= free and last > tx.now - DAY_MS:
            ends.append(last + pause(count - free, longest) - tx.now)
    return max(ends)


def pause(beyond: int, longest: int) -> int:
    """The wait after so many failures beyond the free ones: 1 s, doubled each time up to `longest`; in ms."""
    return min(longest, 1000 << min(beyond, 20))


def failed(tx: Tx, name: str | None, address: str) -> None:
    """Counts a failed attempt."""
    of = list(keys(name, address).values())
    signing.drop_failures(tx, [], tx.now - DAY_MS)
    counted = signing.failures(tx, of)
    signing.set_failures(tx, [{"key": key, "failed": counted.get(key, (0, 0))[0] + 1, "last": tx.now} for key in of])


def succeeded(tx: Tx, name: str, address: str) -> None:
    """Forgets what the name failed from this address."""
    signing.drop_failures(tx, [keys(name, address)["pair"]], tx.now - DAY_MS)
