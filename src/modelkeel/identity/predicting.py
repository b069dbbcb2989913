"""Which tokens may call prediction addresses: hashes for the routing table, never a secret."""

from modelkeel.core.access import Permission, Principal
from modelkeel.core.errors import KeelError
from modelkeel.identity import resolving, store
from modelkeel.storage.transaction import Tx


def prediction_tokens(tx: Tx) -> list[tuple[str, int | None, Principal]]:
    """Tokens good now that carry `predict` somewhere: SHA-256 of the secret, expiry in ms (None: never), whose."""
    found = []
    for row in store.live_tokens(tx):
        if row.permissions != "*" and Permission.PREDICT not in row.permissions.split():
            continue
        try:
            found.append((str(row.hash), row.expires, resolving.by_token(tx, row.hash, None)))
        except KeelError:  # its owner has no role there any more
            continue
    return found


def known_tokens(tx: Tx) -> list[tuple[str, int | None]]:
    """Every token good now: SHA-256 of the secret, expiry in ms (None: never)."""
    return [(str(row.hash), row.expires) for row in store.live_tokens(tx)]
