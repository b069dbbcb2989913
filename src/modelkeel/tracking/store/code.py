"""Which runs wait for their code."""

import sqlalchemy as sa

from modelkeel.storage.transaction import Tx
from modelkeel.tracking.store.runs import RunRow
from modelkeel.tracking.store.tables import HEAD, run, tag

MOST = 1000


def tagged(tx: Tx, workspace: str, key: str, value: str) -> list[RunRow]:
    """Runs of a workspace that carry a tag with this value, of at most 200 characters."""
    head = sa.func.substr(tag.c.value, 1, sa.literal_column(str(HEAD)))
    query = sa.select(run).join(tag, tag.c.run == run.c.seq)
    query = query.where(tag.c.key == key, head == value, run.c.workspace == workspace)
    return [RunRow._make(row) for row in tx.all(query.order_by(run.c.seq).limit(MOST))]
