"""Finds pipeline runs for somebody: only what they may see, and to add to it only what they started."""

from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Principal, Visible
from modelkeel.core.errors import NotFound, PermissionDenied
from modelkeel.pipelines import store
from modelkeel.storage.transaction import Tx


def seen(authorizer: Authorizer, principal: Principal) -> Visible:
    """Which experiments may be read: pipeline runs follow the experiment of their run."""
    return authorizer.visible(principal, Kind.EXPERIMENT)


def visible_run(tx: Tx, authorizer: Authorizer, principal: Principal, run_id: str) -> sa.Row[Any]:
    """A run of the workspace.

    Raises:
        NotFound: there is none that the principal may see.
    """
    row = store.run(tx, principal.workspace, run_id, seen(authorizer, principal))
    if row is None:
        raise NotFound(f"There is no pipeline run {run_id[:64]}.", hint="`modelkeel runs` lists them.")
    return row


def own_run(tx: Tx, authorizer: Authorizer, principal: Principal, run_id: str) -> sa.Row[Any]:
    """The run, if the principal itself started it: only its token adds to it and feeds the cache from it.

    Raises:
        NotFound: there is none.
        PermissionDenied: somebody else started it.
    """
    row = visible_run(tx, authorizer, principal, run_id)
    if row.principal != principal.id:
        raise PermissionDenied("Only the one who started a pipeline run adds to it.")
    return row


def trusts_launched_only(principal: Principal) -> bool:
    """A run that the server started may be promoted without a person, so nobody else's results may flow into it."""
    return principal.kind == "service"
