"""Sessions of the page: an opaque secret in a cookie, stored as a hash, that ends when idle and in any case.

The second cookie is readable by the page and derived from the first: whoever sends it back in a header could read the
page's cookies, so is the page (double submit, bound to the session: OWASP's cheat sheet on CSRF).
"""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from modelkeel.core.access import Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import NotFound, PermissionDenied, Unauthenticated
from modelkeel.core.hashing import sha256
from modelkeel.core.ids import uuid7
from modelkeel.identity import store_sign_in as signing
from modelkeel.identity.models import SESSION_PREFIX, Session
from modelkeel.ledger.service import Ledger
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

LONGEST_MS = 7 * 86_400_000
CODE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class NewSession:
    """What the page's cookies get; `seconds` until the session ends at the latest."""

    secret: str = field(repr=False)
    csrf: str = field(repr=False)
    seconds: int


def csrf_of(secret: str) -> str:
    """The page's answer to "did you, and not another site, send this?", for one session."""
    return hmac.new(secret.encode(), b"modelkeel csrf", "sha256").hexdigest()


class Sessions:
    """Who is signed in at the page.

    Args:
        database: holds them.
        ledger: gets an entry when one starts or ends.
        forget: called after one ended, so that it ends at once.
        home: id of the workspace in whose trail the entries stand.
    """

    def __init__(self, database: Database, ledger: Ledger, forget: Callable[[], None], home: Callable[[], str]) -> None:
        self._db = database
        self._ledger = ledger
        self._forget = forget
        self._home = home
        self._codes: dict[str, tuple[float, str]] = {}

    async def start(self, person: str, method: str) -> NewSession:
        """Signs somebody in who has shown who they are, by `password`, `code` or `oidc`."""
        secret = SESSION_PREFIX + secrets.token_urlsafe(32)

        def work(tx: Tx) -> None:
            identity = uuid7(tx.now)
            row = {
                "id": identity,
                "hash": sha256(secret.encode()),
                "principal": person,
                "method": method,
                "created": tx.now,
                "seen": tx.now,
                "expires": tx.now + LONGEST_MS,
            }
            signing.add_session(tx, row)
            about = {"user": person, "session": identity}
            who = Principal(person, "", "user", self._home(), frozenset())
            self._ledger.record(tx, who, "session.started", about, {"method": method})

        await self._db.write(work)
        return NewSession(secret, csrf_of(secret), LONGEST_MS // 1000)

    async def list(self, principal: Principal) -> list[Session]:
        """One's own sessions, the newest first."""
        rows = await self._db.read(lambda tx: signing.sessions_of(tx, principal.id))
        return [
            Session(
                row.id,
                row.method,
                rfc3339(row.created),
                rfc3339(row.seen),
                rfc3339(row.expires),
                row.id == principal.session,
            )
            for row in rows
        ]

    async def end(self, principal: Principal, identity: str) -> None:
        """Ends one of one's own sessions at once.

        Raises:
            NotFound: one has no such session.
        """

        def work(tx: Tx) -> None:
            if not signing.drop_sessions(tx, principal.id, only=identity):
                raise NotFound("You have no such session.")
            about = {"user": principal.id, "session": identity}
            self._ledger.record(tx, principal, "session.ended", about, workspace=self._home())

        await self._db.write(work)
        self._forget()

    def allow(self, code: str, person: str, seconds: float = CODE_SECONDS) -> None:
        """Lets whoever shows `code` be `person`, once and within some time."""
        now = time.monotonic()
        self._codes = {known: (until, who) for known, (until, who) in self._codes.items() if until > now}
        self._codes[sha256(code.encode())] = (now + seconds, person)

    def code(self, principal: Principal) -> str:
        """A one-time code by which the caller can open the page as themselves.

        Raises:
            PermissionDenied: the caller has no account, or shows a narrowed or bound token.
        """
        if principal.kind != "user" or not principal.unbound or principal.scope is not None:
            raise PermissionDenied(
                "This token can't open the page.", hint="The owner's token can, and one minted for every workspace."
            )
        code = secrets.token_urlsafe(16)
        self.allow(code, principal.id)
        return code

    def holder(self, code: str, *, use: bool) -> str:
        """Whose code it is; with `use` it can't be shown again.

        Raises:
            Unauthenticated: nobody's, or it was used, or its time is over.
        """
        key = sha256(code.encode())
        found = self._codes.get(key)
        if found is None or found[0] <= time.monotonic():
            raise Unauthenticated(
                "This code is unknown, or was used already.", hint="`modelkeel login --page` prints a new link."
            )
        if use:
            del self._codes[key]
        return found[1]
