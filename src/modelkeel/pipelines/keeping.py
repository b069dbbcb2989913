"""The removal of pipeline runs for good, with what they computed."""

import sqlalchemy as sa

from modelkeel.pipelines import store
from modelkeel.storage.transaction import Tx


def remove_run(tx: Tx, run_id: str) -> None:
    """Removes a pipeline run, its steps, the results that it put into the cache, and its snapshot's row."""
    snapshot = tx.one(
        sa.select(store.pipeline_run.c.workspace, store.pipeline_run.c.snapshot).where(
            store.pipeline_run.c.run_id == run_id
        )
    )
    for table in (store.step_cache, store.step_run, store.pipeline_run):
        tx.run(sa.delete(table).where(table.c.run_id == run_id))
    if snapshot is None or snapshot.snapshot is None:
        return
    c, s = store.pipeline_run.c, store.code_snapshot.c
    used = sa.select(c.run_id).where(c.workspace == snapshot.workspace, c.snapshot == snapshot.snapshot)
    if tx.scalar(used.limit(1)) is None:
        same = (s.workspace == snapshot.workspace, s.digest == snapshot.snapshot)
        tx.run(sa.delete(store.code_snapshot).where(*same))
