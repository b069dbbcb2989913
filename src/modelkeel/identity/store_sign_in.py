"""The tables of passwords, sessions, provider subjects and failed sign-ins, and all the SQL that touches them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from modelkeel.identity.store import principal
from modelkeel.storage.schema import metadata
from modelkeel.storage.transaction import Tx

password = sa.Table(
    "password",
    metadata,
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
)
session = sa.Table(
    "session",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Index("ix_session_principal", "principal"),
)
subject = sa.Table(
    "oidc_subject",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
failure = sa.Table(
    "sign_in_failure",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)


def any_password(tx: Tx) -> bool:
    """Whether somebody has a password."""
    return tx.one(sa.select(password.c.principal).limit(1)) is not None


def password_of(tx: Tx, person: str) -> str | None:
    """The hash of somebody's password."""
    found = tx.scalar(sa.select(password.c.hash).where(password.c.principal == person))
    return None if found is None else str(found)


def set_password(tx: Tx, person: str, digest: str) -> None:
    """Stores the hash of a password, over the one before."""
    row = {"principal": person, "hash": digest, "changed": tx.now}
    tx.upsert(password, row, keys=["principal"], update=["hash", "changed"])


def add_session(tx: Tx, row: dict[str, Any]) -> None:
    """Stores a session, and drops those that ended by themselves."""
    tx.run(sa.delete(session).where(session.c.expires <= tx.now))
    tx.run(sa.insert(session), row)


def session_hashed(tx: Tx, digest: str) -> sa.Row[Any] | None:
    """A session with whose it is, by the hash of its secret."""
    whose = (principal.c.name.label("owner"), principal.c.kind, principal.c.disabled)
    joined = sa.select(session, *whose).join(principal, principal.c.id == session.c.principal)
    return tx.one(joined.where(session.c.hash == digest))


def sessions_of(tx: Tx, person: str) -> Sequence[sa.Row[Any]]:
    """Somebody's sessions, the newest first."""
    return tx.all(sa.select(session).where(session.c.principal == person).order_by(session.c.created.desc()))


def touch_session(tx: Tx, digest: str) -> None:
    """Notes that a session is in use."""
    tx.run(sa.update(session).where(session.c.hash == digest).values(seen=tx.now))


def drop_sessions(tx: Tx, person: str, *, only: str | None = None, but: str = "") -> list[str]:
    """Ends somebody's sessions: one, or all but one. Returns their ids."""
    of = [session.c.principal == person, session.c.id != but]
    if only is not None:
        of.append(session.c.id == only)
    ended = [row.id for row in tx.all(sa.select(session.c.id).where(*of).order_by(session.c.created))]
    if ended:
        tx.run(sa.delete(session).where(session.c.id.in_(ended)))
    return ended


def person_of_subject(tx: Tx, issuer: str, name: str) -> str | None:
    """Who a provider's subject is here."""
    found = tx.scalar(sa.select(subject.c.principal).where(subject.c.issuer == issuer, subject.c.subject == name))
    return None if found is None else str(found)


def add_subject(tx: Tx, issuer: str, name: str, person: str) -> None:
    """Notes who a provider's subject is here."""
    row = {"issuer": issuer, "subject": name, "principal": person, "created": tx.now}
    tx.run(sa.insert(subject), row)


def failures(tx: Tx, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How often, and when last, sign-ins failed, by key."""
    return {row.key: (row.failed, row.last) for row in tx.all(sa.select(failure).where(failure.c.key.in_(keys)))}


def set_failures(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Stores counts of failed sign-ins."""
    tx.upsert(failure, rows, keys=["key"], update=["failed", "last"])


def drop_failures(tx: Tx, keys: Sequence[str], before: int) -> None:
    """Forgets counts: of these keys, and whatever is older than `before`, ms since 1970."""
    tx.run(sa.delete(failure).where(sa.or_(failure.c.key.in_(keys), failure.c.last < before)))
