"""Identity's tables and all the SQL that touches them."""

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
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
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
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("permissions", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("revoked", sa.BigInteger),
)


def add_workspace(tx: Tx, identity: str, name: str) -> None:
    tx.run(sa.insert(workspace), {"id": identity, "name": name, "created": tx.now})


def workspace_named(tx: Tx, name: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(workspace).where(workspace.c.name == name))


def workspace_names(tx: Tx) -> dict[str, str]:
    return {row.id: row.name for row in tx.all(sa.select(workspace.c.id, workspace.c.name))}


def add_principal(tx: Tx, identity: str, name: str, kind: str) -> None:
    tx.run(sa.insert(principal), {"id": identity, "name": name, "kind": kind, "created": tx.now})


def principal_named(tx: Tx, name: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(principal).where(principal.c.name == name))


def principal_with_id(tx: Tx, identity: str) -> sa.Row[Any] | None:
    return tx.one(sa.select(principal).where(principal.c.id == identity))


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


def roles_of(tx: Tx, workspace_id: str, principal_id: str) -> list[str]:
    query = sa.select(role_grant.c.role).where(
        role_grant.c.workspace == workspace_id, role_grant.c.principal == principal_id
    )
    return [row.role for row in tx.all(query)]


def add_token(tx: Tx, row: dict[str, Any]) -> None:
    tx.run(sa.insert(token), {"created": tx.now, "revoked": None, **row})


def live_tokens(tx: Tx) -> Sequence[sa.Row[Any]]:
    """Tokens that are neither expired nor revoked, in a stable order."""
    good = sa.or_(token.c.expires.is_(None), token.c.expires > tx.now)
    return tx.all(sa.select(token).where(token.c.revoked.is_(None), good).order_by(token.c.id))


def token_hashed(tx: Tx, digest: str) -> sa.Row[Any] | None:
    """A token with its principal, by the hash of its secret."""
    return tx.one(
        sa.select(token, principal.c.name, principal.c.kind)
        .join(principal, principal.c.id == token.c.principal)
        .where(token.c.hash == digest)
    )
