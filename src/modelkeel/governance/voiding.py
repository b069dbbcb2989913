"""Ends a promotion whose ground has changed: what was judged is no longer what would be done."""

from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Principal
from modelkeel.governance import store
from modelkeel.ledger.service import Ledger
from modelkeel.storage.transaction import Tx


def void(tx: Tx, ledger: Ledger, by: Principal, row: sa.Row[Any], reason: str) -> None:
    """Voids an open promotion and the approvals that it gathered, in the caller's transaction."""
    approvals = store.approvals_of(tx, [row.id])[row.id]
    subject = {"promotion": row.id, "model": row.model_id, "version": f"{row.model_id}/{row.version}"}
    data = {"evidence": row.evidence, "approvals": len(approvals), "before": row.status}
    entry = ledger.record(tx, by, "approval.voided", subject, data, {"reason": reason}, workspace=row.workspace)
    store.update_promotion(tx, row.id, status="voided", note=reason, entry_decided=entry)
