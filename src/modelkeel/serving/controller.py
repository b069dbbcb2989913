"""Makes the desired state so: prepares revisions, moves rollouts, hands the routing table to the prediction processes.

Everything it needs stands in the database, so it goes on where it was after a crash. A revision is loaded, warmed
and verified by every prediction process before it gets a request.
"""

import asyncio
import logging

import msgspec
import sqlalchemy as sa

from modelkeel.core.access import Kind, Object, Permission, Principal
from modelkeel.core.errors import KeelError, Refused
from modelkeel.identity.predicting import known_tokens, prediction_tokens
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.ledger.types import TYPES
from modelkeel.registry.service import Registry
from modelkeel.serving import store, store_keys
from modelkeel.serving.models import (
    DataPlane,
    DeploymentCheck,
    Endpoint,
    RevisionState,
    Rollout,
    RolloutJudge,
    RolloutState,
    next_state,
)
from modelkeel.serving.prepare import Preparer
from modelkeel.serving.service import Serving, rollout_of
from modelkeel.serving.table import routing_table
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.wire.serving import Key, RoutingTable

log = logging.getLogger(__name__)
PAUSE = 0.5
_UNHEARD = {"experiment", "run", "inputs", "artifact", "logged_model", "trace", "dataset", "step"}
_HEARD = frozenset(kind for kind in TYPES if kind.partition(".")[0] not in _UNHEARD)
KEYS_HOLD = 300.0  # seconds at most that a table's keys stay good once nobody renews it
RENEWALS = 5  # how often keys are renewed in that time
OPEN = (RolloutState.PREPARING, RolloutState.SHADOW, RolloutState.STEPPING)
RIGHTS = frozenset({Permission.READ, Permission.DEPLOY, Permission.PROMOTE, Permission.REGISTER})


class Controller:
    """The one loop that changes what the prediction processes serve."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        serving: Serving,
        registry: Registry,
        identity: Identity,
        preparer: Preparer,
        plane: DataPlane,
        judge: RolloutJudge,
        check: DeploymentCheck,
        *,
        anonymous: bool,
        keys_hold: float = KEYS_HOLD,
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._serving = serving
        self._registry = registry
        self._identity = identity
        self._preparer = preparer
        self._plane = plane
        self._judge = judge
        self._check = check
        self._anonymous = anonymous
        self._renew_ms = round(keys_hold * 1000 / RENEWALS)
        self._applied: RoutingTable | None = None
        self._used: dict[str, int] = {}
        self._verifying: str | None = None
        self._applying = asyncio.Lock()

    async def run(self) -> None:
        """Reconciles for ever."""
        await asyncio.gather(self._advance_for_ever(), self._renew_keys_for_ever())

    async def _renew_keys_for_ever(self) -> None:
        # apart from the other loop, which waits while an environment is built: a revoked key can't wait so long
        while not self._anonymous:
            await self._ledger.changed(PAUSE, _HEARD)
            try:
                await self._apply(self._verifying)
            except KeelError as error:
                log.warning("serving: %s", error)

    async def _advance_for_ever(self) -> None:
        while True:
            try:
                await self.reconcile()
            except KeelError as error:
                log.warning("serving: %s", error)
            await self._ledger.changed(PAUSE, _HEARD)

    async def reconcile(self) -> None:
        """One turn: every open rollout one move on, then the table."""
        rows = await self._db.read(lambda tx: store.rollouts_in(tx, OPEN))
        for row in rows:
            await self._advance(rollout_of(row), row.workspace)
        await self._apply(None)

    async def _advance(self, rollout: Rollout, workspace: str) -> None:
        actor = Principal("system", "system", "service", workspace, RIGHTS)
        if rollout.state is RolloutState.PREPARING:
            await self._prepare(actor, rollout)
            return
        endpoint = await self._endpoint(rollout.endpoint)
        verdict = await self._judge.judge(actor, endpoint, rollout)
        state, step = next_state(rollout, verdict)
        if (state, step) == (rollout.state, rollout.step):
            return
        await self._move(actor, rollout, state, step, "; ".join(verdict.reasons), verdict.rows)

    async def _prepare(self, actor: Principal, rollout: Rollout) -> None:
        revision = await self._db.read(lambda tx: store.revision_with_id(tx, actor.workspace, rollout.candidate))
        if revision is None:
            return
        try:
            version = await self._registry.model_version(actor, revision.model, revision.version)
            if version.digest != revision.digest:
                raise Refused(f"{revision.model}/{revision.version} is not what was asked for: its digest changed.")
            prepared = await self._preparer.prepare(version)
            encoded = msgspec.json.encode(prepared).decode()
            values = {"prepared": encoded, "kind": prepared.kind, "note": prepared.note}
            await self._db.write(lambda tx: store.set_revision(tx, revision.id, values))
            reasons = await self._verify(revision.id)
        except KeelError as error:
            reasons = [str(error)]
        if reasons:
            await self._fail(actor, rollout, "; ".join(reasons))
            return

        def ready(tx: Tx) -> None:
            store.set_revision(tx, revision.id, {"state": RevisionState.READY})
            about = {"revision": revision.id, "endpoint": revision.endpoint}
            data = {"kind": prepared.kind, "digest": prepared.digest}
            self._ledger.record(tx, actor, "revision.ready", about, data)

        await self._db.write(ready)
        policy = rollout.policy
        first = rollout.champion is None
        state, step = RolloutState.COMPLETED, 0
        if not first and policy.shadow_rows:
            state = RolloutState.SHADOW
        elif not first and policy.steps:
            state = RolloutState.STEPPING
        await self._move(actor, rollout, state, step, "", 0)

    async def _move(
        self, actor: Principal, rollout: Rollout, state: RolloutState, step: int, note: str, rows: int
    ) -> None:
        if state is RolloutState.COMPLETED and rollout.ticket is not None:
            try:
                await self._check.complete(actor, rollout.ticket)
            except KeelError as error:  # its evidence is no longer current: the champion keeps the traffic
                state, note = RolloutState.ABORTED, str(error)
        await self._db.write(lambda tx: self._serving.move(tx, actor, rollout, state, step, note, rows))
        self._verifying = None
        await self._apply(None)

    async def _fail(self, actor: Principal, rollout: Rollout, reason: str) -> None:
        def work(tx: Tx) -> None:
            store.set_revision(tx, rollout.candidate, {"state": RevisionState.FAILED, "note": reason})
            about = {"revision": rollout.candidate, "endpoint": rollout.endpoint}
            self._ledger.record(tx, actor, "revision.failed", about, {}, {"reason": reason})
            self._serving.move(tx, actor, rollout, RolloutState.ABORTED, rollout.step, reason)

        await self._db.write(work)

    async def _endpoint(self, identity: str) -> Endpoint:
        def work(tx: Tx) -> Endpoint:
            row = store.endpoint_with_id(tx, identity)
            if row is None:
                raise KeelError(f"Endpoint {identity} is gone.")
            return self._serving.view(tx, row)

        return await self._db.read(work)

    async def _verify(self, revision: str) -> list[str]:
        reasons = await self._apply(revision)
        self._verifying = None if reasons else revision  # until it has its traffic, renewing keys must not drop it
        return reasons

    async def _apply(self, verifying: str | None) -> list[str]:
        """Hands the table over if it changed or the processes have another; returns why it was refused."""
        async with self._applying:
            return await self._hand_over(verifying)

    async def _hand_over(self, verifying: str | None) -> list[str]:
        table = await self._db.read(lambda tx: self._table(tx, verifying))
        if not table.revisions:
            return []
        status = await self._plane.status()
        if status is None:
            status = await self._plane.start()
        await self._note_uses(status.used)
        applied = self._applied
        if applied is not None:
            table = msgspec.structs.replace(table, renewal=applied.renewal)
            if table == applied and (status.generation, status.renewal) == (table.generation, table.renewal):
                return []
        table = msgspec.structs.replace(table, renewal=max(table.renewal, status.renewal) + 1)
        reasons = await self._plane.apply(table)
        if not reasons:
            self._applied = table
        elif verifying is None:
            log.error("the prediction processes refuse the routing table: %s", "; ".join(reasons))
        return reasons

    async def _note_uses(self, days: dict[str, int]) -> None:
        fresh = {digest: day for digest, day in days.items() if self._used.get(digest) != day}
        if fresh:
            await self._db.write(lambda tx: store_keys.use(tx, fresh))
            self._used |= fresh

    def _table(self, tx: Tx, verifying: str | None) -> RoutingTable:
        endpoints, wanted = [], {verifying} if verifying else set()
        names = self._identity.workspace_names(tx)
        for row in store.endpoints(tx, None):
            traffic = store.current_traffic(tx, row.id)
            endpoints.append((row, names[row.workspace], traffic))
            if traffic is not None:
                shares = msgspec.json.decode(traffic.routes)
                wanted |= {s["revision"] for s in shares} | ({traffic.shadow} if traffic.shadow else set())
            wanted |= _candidates(tx, row)
        revisions = {row.id: row for row in store.revisions_with_ids(tx, sorted(wanted)) if row.prepared}
        generation = store.last_generation(tx)
        if self._anonymous:
            return routing_table(generation, endpoints, revisions, anonymous=True, keys={})
        keys, known = _keys(tx, [row for row, _, _ in endpoints], self._renew_ms)
        return routing_table(generation, endpoints, revisions, anonymous=False, keys=keys, known=known)


def _keys(
    tx: Tx, endpoints: list[sa.Row[tuple[object, ...]]], renew_ms: int
) -> tuple[dict[str, tuple[Key, ...]], tuple[Key, ...]]:
    """Who may call which endpoint, by its own keys or by tokens; and all that is known anywhere.

    Each key ends within `RENEWALS` times `renew_ms`, so that prediction processes that hear from us no more refuse all
    keys by then, also ones that were revoked since.
    """
    until = (tx.now // renew_ms + RENEWALS) * renew_ms

    def held(digest: str, expires: int | None) -> Key:
        return Key(digest, until if expires is None else min(expires, until))

    tokens, own = prediction_tokens(tx), store_keys.good(tx)
    keys = {
        row.id: (
            *(held(key.hash, key.expires) for key in own if key.endpoint == row.id),
            *(
                held(digest, expires)
                for digest, expires, who in tokens
                if who.workspace == row.workspace and who.may(Permission.PREDICT, Object(Kind.ENDPOINT, row.id))
            ),
        )
        for row in endpoints
    }
    return keys, tuple(held(*one) for one in [*((key.hash, key.expires) for key in own), *known_tokens(tx)])


def _candidates(tx: Tx, endpoint: sa.Row[tuple[object, ...]]) -> set[str]:
    """A candidate that was verified stays loaded until its rollout ends."""
    last = store.last_rollout(tx, endpoint.id)
    if last is None or last.state not in {RolloutState.SHADOW, RolloutState.STEPPING}:
        return set()
    return {last.candidate}
