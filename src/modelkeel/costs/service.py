"""Use cases of costs: set prices, make the bill."""

from collections.abc import Awaitable, Callable

import msgspec

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import rfc3339
from modelkeel.core.errors import NotFound
from modelkeel.core.hashing import digest_of
from modelkeel.costs import store
from modelkeel.costs.bill import Used, make, other_run, pipeline_run
from modelkeel.costs.models import DEFAULT, Bill, Line, Prices, StoredPrices
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.totals import Totals
from modelkeel.pipelines.service import Pipelines
from modelkeel.registry.models import ModelVersion
from modelkeel.registry.service import Registry
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.tracking.durations import Durations

PAGE = 1000


class Costs:
    """What a workspace costs.

    Args:
        database: holds prices and what was metered.
        ledger: hears of prices.
        authorizer: decides who may set and see them.
        durations: know how long runs took.
        pipelines: knows what steps used.
        registry: knows which run made which version.
        totals: knows how many rows were answered.
        look: brings the meter up to date.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        authorizer: Authorizer,
        durations: Durations,
        pipelines: Pipelines,
        registry: Registry,
        totals: Totals,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._db = database
        self._ledger = ledger
        self._authorizer = authorizer
        self._durations = durations
        self._pipelines = pipelines
        self._registry = registry
        self._totals = totals
        self._look = look

    async def set_prices(self, principal: Principal, prices: Prices) -> StoredPrices:
        """Prices from now on; every bill is reckoned with those in force when it is asked for."""
        self._authorizer.require(principal, Permission.POLICY, what="prices")
        digest = digest_of(msgspec.to_builtins(prices))

        def work(tx: Tx) -> StoredPrices:
            found = store.price_of(tx, principal.workspace)
            if found is not None and found.digest == digest:
                return _stored(tx, principal)
            data = {
                "digest": digest,
                "cpu_hour": prices.cpu_hour,
                "gib_hour": prices.gib_hour,
                "storage_gib_month": prices.storage_gib_month,
            }
            subject, texts = {"workspace": principal.workspace}, {"currency": prices.currency}
            entry = self._ledger.record(tx, principal, "price.set", subject, data, texts)
            body = msgspec.json.encode(prices).decode()
            store.set_price(tx, principal.workspace, body, digest, principal.id, entry)
            return msgspec.structs.replace(_stored(tx, principal), changed=True)

        return await self._db.write(work)

    async def prices(self, principal: Principal) -> StoredPrices:
        """The prices in force."""
        self._authorizer.require(principal, Permission.READ, what="prices")
        return await self._db.read(lambda tx: _stored(tx, principal))

    async def bill(self, principal: Principal) -> Bill:
        """What the principal's workspace has cost so far."""
        self._authorizer.require(principal, Permission.READ, what="costs")
        await self._look()
        pipelines = await self._pipelines.usage(principal)
        known = {used.run_id for used in pipelines}
        runs = [run for run in await self._durations.of(principal) if run.id not in known]
        versions = await self._versions(principal)
        answered = await self._totals.answered(principal)

        def work(tx: Tx) -> Bill:
            used = Used(
                pipelines=pipelines,
                runs=runs,
                versions=versions,
                answered=answered,
                serving=[
                    (r.endpoint, r.cpu_seconds, r.gib_seconds, r.seconds) for r in store.usage(tx, principal.workspace)
                ],
                storage=store.storage(tx, principal.workspace),
            )
            return make(_stored(tx, principal), used, rfc3339(tx.now))

        return await self._db.read(work)

    async def run_cost(self, principal: Principal, run_id: str) -> tuple[Line, str]:
        """What one run cost, and the currency.

        Raises:
            NotFound: the workspace has no such run, or it has not ended.
        """
        self._authorizer.require(principal, Permission.READ, what="costs")
        stored = await self.prices(principal)
        measured = [used for used in await self._pipelines.usage(principal) if used.run_id == run_id]
        if measured:
            return pipeline_run(stored.prices, measured[0]), stored.prices.currency
        alone = [run for run in await self._durations.of(principal) if run.id == run_id]
        if not alone:
            raise NotFound(f"The run {run_id} has not ended, so it has no cost yet.")
        return other_run(stored.prices, alone[0]), stored.prices.currency

    async def _versions(self, principal: Principal) -> list[ModelVersion]:
        found: list[ModelVersion] = []
        token: str | None = None
        while True:
            page, token = await self._registry.search_versions(principal, limit=PAGE, token=token)
            found += page
            if token is None:
                return found


def _stored(tx: Tx, principal: Principal) -> StoredPrices:
    row = store.price_of(tx, principal.workspace)
    if row is None:
        return DEFAULT
    prices = msgspec.json.decode(row.body, type=Prices)
    return StoredPrices(prices, row.digest, False, rfc3339(row.set_at), row.set_by, row.entry)
