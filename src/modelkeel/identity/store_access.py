"""The tables of groups and grants, and all the SQL that touches them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.identity.store import principal, role_grant, workspace
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

group = sa.Table(
    "access_group",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("workspace", "name"),
)
member = sa.Table(
    "access_member",
    metadata,
    sa.Column("group", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Index("ix_access_member_principal", "principal"),
)
grant = sa.Table(
    "access_grant",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("effect", sa.Text, primary_key=True),
    sa.Column("permissions", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
_KEYS = ["workspace", "subject", "kind", "object", "effect"]


def group_named(tx: Tx, workspace: str, name: str) -> sa.Row[Any] | None:
    """A group by its name."""
    return tx.one(sa.select(group).where(group.c.workspace == workspace, group.c.name == name))


def add_group(tx: Tx, identity: str, workspace: str, name: str) -> None:
    """Stores a group without members."""
    tx.run(sa.insert(group), {"id": identity, "workspace": workspace, "name": name, "created": tx.now})


def groups(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """A workspace's groups, by name."""
    return tx.all(sa.select(group).where(group.c.workspace == workspace).order_by(group.c.name))


def workspaces_of(tx: Tx, person: str) -> Sequence[sa.Row[Any]]:
    """Workspaces in which somebody, or one of their groups, has a role or was granted something; the oldest first."""
    subjects = sa.union_all(
        sa.select(sa.literal(person)), sa.select(member.c.group).where(member.c.principal == person)
    )
    held = sa.select(role_grant.c.workspace).where(role_grant.c.principal.in_(subjects))
    granted = sa.select(grant.c.workspace).where(grant.c.subject.in_(subjects), grant.c.effect == "allow")
    some = sa.or_(workspace.c.id.in_(held), workspace.c.id.in_(granted))
    return tx.all(sa.select(workspace).where(some).order_by(workspace.c.created, workspace.c.id))


def groups_of(tx: Tx, workspace: str, principal_id: str) -> list[str]:
    """Ids of the groups in which somebody is."""
    query = sa.select(group.c.id).join(member, member.c.group == group.c.id)
    return [row.id for row in tx.all(query.where(group.c.workspace == workspace, member.c.principal == principal_id))]


def members(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """Who is in which group of a workspace, and whence."""
    query = sa.select(member.c.group, member.c.source, principal.c.id, principal.c.name)
    joined = query.join(principal, principal.c.id == member.c.principal).join(group, group.c.id == member.c.group)
    return tx.all(joined.where(group.c.workspace == workspace).order_by(principal.c.name))


def add_member(tx: Tx, group_id: str, principal_id: str, source: str) -> bool:
    """Puts somebody into a group; False if they are in it."""
    row = {"group": group_id, "principal": principal_id, "source": source, "created": tx.now}
    return tx.upsert(member, row, keys=["group", "principal"]) > 0


def drop_member(tx: Tx, group_id: str, principal_id: str) -> bool:
    """Takes somebody out of a group; False if they were not in it."""
    return tx.run(sa.delete(member).where(member.c.group == group_id, member.c.principal == principal_id)) > 0


def from_provider(tx: Tx, workspace: str, principal_id: str) -> dict[str, str]:
    """Groups, name by id, into which the sign-in provider put somebody."""
    query = sa.select(group.c.id, group.c.name).join(member, member.c.group == group.c.id)
    of = (group.c.workspace == workspace, member.c.principal == principal_id, member.c.source == "oidc")
    return {row.id: row.name for row in tx.all(query.where(*of))}


def grants_to(tx: Tx, workspace: str, subjects: Sequence[str]) -> Sequence[sa.Row[Any]]:
    """What people or groups were granted and denied."""
    return tx.all(sa.select(grant).where(grant.c.workspace == workspace, grant.c.subject.in_(subjects)))


def grants_on(tx: Tx, workspace: str, kind: str | None, identity: str | None) -> Sequence[sa.Row[Any]]:
    """Grants and denials of a workspace, perhaps only of one kind or on one object."""
    query = sa.select(grant).where(grant.c.workspace == workspace)
    query = query if kind is None else query.where(grant.c.kind == kind)
    query = query if identity is None else query.where(grant.c.object == identity)
    return tx.all(query.order_by(grant.c.kind, grant.c.object, grant.c.subject, grant.c.effect))


def grant_at(tx: Tx, row: dict[str, Any]) -> str | None:
    """The permissions of one grant or denial, as stored."""
    found = tx.scalar(sa.select(grant.c.permissions).where(*(grant.c[name] == row[name] for name in _KEYS)))
    return None if found is None else str(found)


def set_grant(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a grant or denial, over what it was."""
    tx.upsert(grant, {"created": tx.now, **row}, keys=_KEYS, update=["permissions", "created"])


def drop_grant(tx: Tx, row: dict[str, Any]) -> bool:
    """Removes a grant or denial; False if there was none."""
    return tx.run(sa.delete(grant).where(*(grant.c[name] == row[name] for name in _KEYS))) > 0


def drop_role(tx: Tx, workspace: str, subject: str, role: str) -> bool:
    """Takes a role away; False if it was not held."""
    of = (role_grant.c.workspace == workspace, role_grant.c.principal == subject, role_grant.c.role == role)
    return tx.run(sa.delete(role_grant).where(*of)) > 0


def holders(tx: Tx, workspace: str, role: str) -> list[str]:
    """Who holds a role, groups too; whose account is closed does not count."""
    closed = sa.select(principal.c.id).where(principal.c.disabled.is_not(None))
    of = (role_grant.c.workspace == workspace, role_grant.c.role == role, role_grant.c.principal.not_in(closed))
    return [row.principal for row in tx.all(sa.select(role_grant.c.principal).where(*of))]


def roles_of_groups(tx: Tx, workspace: str) -> Sequence[sa.Row[Any]]:
    """Roles that groups hold."""
    query = sa.select(role_grant.c.principal, role_grant.c.role).join(group, group.c.id == role_grant.c.principal)
    return tx.all(query.where(role_grant.c.workspace == workspace))
