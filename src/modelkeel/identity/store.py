"""Identity's tables of workspaces, principals, roles and tokens, and all the SQL that touches them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

workspace = sa.Table(
    "workspace",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)
principal = sa.Table(
    "principal",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("home", sa.Text, nullable=False),  # a service account's workspace; empty: a person, known everywhere
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("disabled", sa.BigInteger),
    sa.UniqueConstraint("home", "name"),
)
role_grant = sa.Table(
    "role_grant",
    metadata,
    sa.Column("workspace", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
)
token = sa.Table(
    "token",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),  # `*`: wherever its owner has a role
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("permissions", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("used", sa.BigInteger),
    sa.Column("revoked", sa.BigInteger),
)


def add_workspace(tx: Tx, identity: str, name: str) -> None:
    tx.run(sa.insert(workspace), {"id": identity, "name": name, "created": tx.now})


def workspace_named(tx: Tx, name: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(workspace).where(workspace.c.name == name))


def workspaces(tx: Tx) -> Sequence[sa.Row[Any]]:
    """Every workspace, the oldest first."""
    return tx.all(sa.select(workspace).order_by(workspace.c.created, workspace.c.id))


def workspace_names(tx: Tx) -> dict[str, str]:
    return {row.id: row.name for row in tx.all(sa.select(workspace.c.id, workspace.c.name))}


def add_principal(tx: Tx, identity: str, name: str, kind: str, home: str = "") -> None:
    """Stores a person, or with `home` a service account of that workspace."""
    row = {"id": identity, "home": home, "name": name, "kind": kind, "created": tx.now, "disabled": None}
    tx.run(sa.insert(principal), row)


def principal_named(tx: Tx, name: str, home: str = "") -> sa.Row[Any] | None:
    """A service account of a workspace, or else a person, by name."""
    of = (principal.c.name == name, principal.c.home.in_(["", home]))
    return tx.one(sa.select(principal).where(*of).order_by(principal.c.home.desc()))


def principal_with_id(tx: Tx, identity: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(principal).where(principal.c.id == identity))


def change_principal(tx: Tx, identity: str, **values: Any) -> None:
    """Renames, disables or enables somebody."""
    tx.run(sa.update(principal).where(principal.c.id == identity).values(**values))


def principal_names(tx: Tx, identities: Sequence[str]) -> dict[str, str]:
    """Names by id."""
    query = sa.select(principal.c.id, principal.c.name).where(principal.c.id.in_(identities))
    return {row.id: row.name for row in tx.all(query)}


def principals(tx: Tx, workspace_id: str) -> Sequence[sa.Row[Any]]:
    """Everybody with a role in the workspace: one row for each role."""
    return tx.all(
        sa.select(principal, role_grant.c.role)
        .join(role_grant, role_grant.c.principal == principal.c.id)
        .where(role_grant.c.workspace == workspace_id)
        .order_by(principal.c.created, role_grant.c.role)
    )


def grant(tx: Tx, workspace_id: str, principal_id: str, role: str) -> bool:
    """Gives a role; False if it was held already."""
    row = {"workspace": workspace_id, "principal": principal_id, "role": role, "created": tx.now}
    return tx.upsert(role_grant, row, keys=["workspace", "principal", "role"]) > 0


def roles_of(tx: Tx, workspace_id: str, subjects: Sequence[str]) -> list[str]:
    """Roles that somebody, or one of their groups, holds."""
    of = (role_grant.c.workspace == workspace_id, role_grant.c.principal.in_(subjects))
    return [row.role for row in tx.all(sa.select(role_grant.c.role).where(*of).distinct())]


def add_token(tx: Tx, row: dict[str, Any]) -> None:
    tx.run(sa.insert(token), {"created": tx.now, "used": None, "revoked": None, **row})


def live_tokens(tx: Tx) -> Sequence[sa.Row[Any]]:
    """Tokens that are neither expired nor revoked, with their owners, in a stable order."""
    good = sa.or_(token.c.expires.is_(None), token.c.expires > tx.now)
    return tx.all(_tokens().where(token.c.revoked.is_(None), good, principal.c.disabled.is_(None)).order_by(token.c.id))


def tokens(tx: Tx, workspace_id: str, owner: str | None) -> Sequence[sa.Row[Any]]:
    """Tokens not revoked: somebody's everywhere, or everybody's in a workspace; the newest first."""
    of = token.c.workspace == workspace_id if owner is None else token.c.principal == owner
    return tx.all(_tokens().where(token.c.revoked.is_(None), of).order_by(token.c.created.desc(), token.c.id))


def token_hashed(tx: Tx, digest: str) -> sa.Row[Any] | None:
    """A token with its owner, by the hash of its secret."""
    return tx.one(_tokens().where(token.c.hash == digest))


def token_with_id(tx: Tx, identity: str) -> sa.Row[Any] | None:
    """A token with its owner."""
    return tx.one(_tokens().where(token.c.id == identity))


def revoke_token(tx: Tx, identity: str) -> None:
    """Ends a token."""
    tx.run(sa.update(token).where(token.c.id == identity).values(revoked=tx.now))


def touch_token(tx: Tx, digest: str) -> None:
    """Notes that a token was used."""
    tx.run(sa.update(token).where(token.c.hash == digest).values(used=tx.now))


def _tokens() -> sa.Select[Any]:
    owner = (principal.c.name.label("owner"), principal.c.kind, principal.c.disabled)
    return sa.select(token, *owner).join(principal, principal.c.id == token.c.principal)
