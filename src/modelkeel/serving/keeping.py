"""Which versions serving still needs."""

import sqlalchemy as sa

from modelkeel.serving import store
from modelkeel.storage.transaction import Tx


def versions_in_use(tx: Tx) -> set[tuple[str, int]]:
    """Versions of which an endpoint has a revision that is not retired, as the model's id and the number."""
    c = store.revision.c
    return {(row.model_id, row.version) for row in tx.all(sa.select(c.model_id, c.version).where(c.state != "retired"))}
