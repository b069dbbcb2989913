"""What somebody may see, as a WHERE clause: lists are filtered in the query, so that pages stay whole.

The tables are named by their words, because slices that lie below or beside each other ask for the same.
"""

from typing import Any

import sqlalchemy as sa

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal, Visible
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

_TABLES = {Kind.EXPERIMENT: "experiment", Kind.MODEL: "registered_model", Kind.ENDPOINT: "endpoint"}
Column = sa.ColumnElement[Any]


def within(visible: Visible, column: Column) -> list[sa.ColumnElement[bool]]:
    """The conditions, often none, under which `column` names an object that may be seen.

    Args:
        visible: what may be seen.
        column: holds the object's id. Rows where it is null belong to no object; they count as seen unless only
            named objects are.
    """
    if visible.shown is not None:
        return [column.in_(sorted(visible.shown))]
    if not visible.hidden:
        return []
    return [column.is_(None) | column.not_in(sorted(visible.hidden))]


def named_within(visible: Visible, kind: Kind, workspace: Column, name: Column) -> list[sa.ColumnElement[bool]]:
    """The same where a row names its object by workspace and name."""
    if visible.everything:
        return []
    table = sa.table(_TABLES[kind], sa.column("id"), sa.column("workspace"), sa.column("name")).alias("seen_by_name")
    of = (table.c.workspace == workspace, table.c.name == name)
    if visible.shown is not None:
        return [sa.exists().where(*of, table.c.id.in_(sorted(visible.shown)))]
    return [~sa.exists().where(*of, table.c.id.in_(sorted(visible.hidden)))]


def runs_within(visible: Visible, run_id: Column) -> list[sa.ColumnElement[bool]]:
    """The same where a row names a run: it follows the run's experiment."""
    if visible.everything:
        return []
    run = sa.table("run", sa.column("id"), sa.column("experiment"))
    return [run_id.in_(sa.select(run.c.id).where(*within(visible, run.c.experiment)))]


def knows_run(tx: Tx, workspace: str, visible: Visible, run_id: str) -> bool:
    """Whether there is a run of that id in the workspace, in an experiment that may be seen."""
    run = sa.table("run", sa.column("id"), sa.column("experiment"))
    experiment = sa.table("experiment", sa.column("id"), sa.column("workspace"))
    query = sa.select(run.c.id).join(experiment, experiment.c.id == run.c.experiment)
    of = (run.c.id == run_id, experiment.c.workspace == workspace, *within(visible, run.c.experiment))
    return tx.one(query.where(*of)) is not None


def about_named(tx: Tx, kind: Kind, workspace: str, name: str) -> dict[str, str]:
    """The object of that name as a ledger entry's subject, so that whoever is denied it does not read the entry."""
    table = sa.table(_TABLES[kind], sa.column("id"), sa.column("workspace"), sa.column("name"))
    found = tx.scalar(sa.select(table.c.id).where(table.c.workspace == workspace, table.c.name == name))
    return {} if found is None else {str(kind): str(found)}


async def require_named(
    database: Database,
    authorizer: Authorizer,
    principal: Principal,
    permission: Permission,
    kind: Kind,
    name: str,
    what: str,
) -> None:
    """`Authorizer.require` on the object of that name; where there is none, on the workspace.

    Raises:
        NotFound: the principal may not even read it.
        PermissionDenied: the principal lacks the permission.
    """
    if kind not in principal.grants:
        authorizer.require(principal, permission, what=what)
        return
    table = sa.table(_TABLES[kind], sa.column("id"), sa.column("workspace"), sa.column("name"))
    query = sa.select(table.c.id).where(table.c.workspace == principal.workspace, table.c.name == name)

    def work(tx: Tx) -> list[str]:
        return [str(row.id) for row in tx.all(query)]

    found = await database.read(work)
    for identity in found:  # a deleted model may have had the name before
        authorizer.require(principal, permission, what=what, on=Object(kind, identity))
    if not found:
        authorizer.require(principal, permission, what=what)


def unseen(principal: Principal) -> list[tuple[str, sa.Select[Any]]]:
    """What a principal may not read though it reads the workspace, as kinds of ledger subjects with their ids."""
    found: list[tuple[str, sa.Select[Any]]] = []
    for kind in principal.grants:
        hidden = sorted(principal.sees(kind).hidden)
        if not hidden:
            continue
        own = sa.table(_TABLES[kind], sa.column("id"), sa.column("workspace"), sa.column("name"))
        found.append((str(kind), sa.select(own.c.id).where(own.c.id.in_(hidden))))
        if kind is Kind.EXPERIMENT:
            for below in ("run", "logged_model"):
                table = sa.table(below, sa.column("id"), sa.column("experiment"))
                found.append((below, sa.select(table.c.id).where(table.c.experiment.in_(hidden))))
            # Of several experiments, one that may be seen is enough; the rows outlive the data set itself.
            belongs = sa.table("evaluation_experiment", sa.column("dataset"), sa.column("experiment")).c
            shown = sa.select(belongs.dataset).where(belongs.experiment.not_in(hidden))
            barred = sa.select(belongs.dataset).where(belongs.experiment.in_(hidden), belongs.dataset.not_in(shown))
            found.append(("evaluation_dataset", barred))
        if kind is Kind.ENDPOINT:
            names = sa.select(own.c.name).where(own.c.id.in_(hidden), own.c.workspace == principal.workspace)
            for below in ("monitor", "alert", "incident"):
                table = sa.table(below, sa.column("id"), sa.column("workspace"), sa.column("endpoint"))
                of = (table.c.workspace == principal.workspace, table.c.endpoint.in_(names))
                found.append((below, sa.select(table.c.id).where(*of)))
            segment = sa.table("prediction_segment", sa.column("id"), sa.column("endpoint"))
            found.append(("segment", sa.select(segment.c.id).where(segment.c.endpoint.in_(hidden))))
        if kind is Kind.MODEL:
            version = sa.table("model_version", sa.column("model", sa.Text), sa.column("version", sa.Integer))
            subject = version.c.model + "/" + sa.cast(version.c.version, sa.Text)
            found.append(("version", sa.select(subject).where(version.c.model.in_(hidden))))
    return found
