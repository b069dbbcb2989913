"""How long runs took: a lean read over all of a workspace's runs."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Visible
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import within
from modelkeel.tracking.store.tables import run


def ended(tx: Tx, workspace: str, visible: Visible) -> Sequence[sa.Row[Any]]:
    """Ended runs, deleted ones too: id, name, start, end and the time at which we heard of them, in milliseconds."""
    columns = (run.c.id, run.c.name, run.c.started, run.c.ended, run.c.created)
    return tx.all(
        sa.select(*columns).where(
            run.c.workspace == workspace, run.c.ended.is_not(None), *within(visible, run.c.experiment)
        )
    )
