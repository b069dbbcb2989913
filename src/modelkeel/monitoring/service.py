"""Monitoring's face to the rest: the prediction log and labels in, monitors, windows, alerts and incidents out."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from modelkeel.core.access import Authorizer, Permission, Principal
from modelkeel.core.clock import now_ms, rfc3339
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.collect import Collector
from modelkeel.monitoring.labels import Labels
from modelkeel.monitoring.models import TRAFFIC_BUCKET_MS, Gap, LabelReceipt, PredictionRecord, Traffic, TrafficReport
from modelkeel.monitoring.ports import EndpointDirectory
from modelkeel.monitoring.predictions import Predictions
from modelkeel.monitoring.store import log as store
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

PAUSE_SECONDS = 0.3


class Monitoring:
    """Everything about predictions after they were answered.

    Args:
        database: rows.
        ledger: hears of each sealed segment, alert, action and incident.
        blobs: segments.
        authorizer: decides who may see and do what.
        spool: the folder into which runtimes write.
        directory: knows whose endpoint a spooled row belongs to.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        blobs: BlobStore,
        authorizer: Authorizer,
        *,
        spool: Path,
        directory: EndpointDirectory,
    ) -> None:
        self._db = database
        self._authorizer = authorizer
        self._collector = Collector(spool, database, blobs, ledger, directory)
        self._labels = Labels(database, blobs, ledger, authorizer)
        self._predictions = Predictions(database, blobs, self._labels)

    async def prediction(self, principal: Principal, prediction_id: str) -> PredictionRecord:
        """One predicted row with its labels.

        Raises:
            NotFound: no such prediction in the principal's workspace.
        """
        self._authorizer.require(principal, Permission.READ, what="predictions")
        return await self._predictions.find(principal.workspace, prediction_id)

    async def add_labels(self, principal: Principal, body: bytes) -> LabelReceipt:
        """Takes labels as JSON; durable on return. See `Labels.receive`."""
        return await self._labels.receive(principal, body)

    async def traffic(self, principal: Principal, endpoint: str, since: int | None, limit: int) -> TrafficReport:
        """Requests of an endpoint by bucket of server time.

        Args:
            principal: who asks.
            endpoint: its name.
            since: milliseconds since 1970; by default the last hour.
            limit: rows, at most; the newest are kept.
        """
        self._authorizer.require(principal, Permission.READ, what="traffic")
        start = now_ms() - 3_600_000 if since is None else since

        def work(tx: Tx) -> TrafficReport:
            rows = store.read_traffic(tx, principal.workspace, endpoint, start, limit)
            series = [
                Traffic(
                    rfc3339(r.bucket),
                    r.revision,
                    r.variant,
                    r.model,
                    r.version,
                    r.requests,
                    r.rows,
                    r.latency_us / max(r.requests, 1),
                    r.slowest_us,
                )
                for r in reversed(rows)
            ]
            lost = store.gaps(tx, principal.workspace, start)
            gaps = [Gap(g.rows, rfc3339(g.start), rfc3339(g.end), g.reason) for g in lost]
            return TrafficReport(TRAFFIC_BUCKET_MS / 1000, series, gaps)

        return await self._db.read(work)

    async def tick(self, *, eager: bool = False) -> bool:
        """One round of background work.

        Args:
            eager: don't wait for few and young rows or labels to become more.

        Returns:
            Whether there was anything to do.
        """
        collected = await self._collector.collect(eager=eager)
        sealed = await self._labels.seal(eager=eager)
        return collected + sealed > 0

    async def work(self) -> None:
        """Background work, for ever."""
        while True:
            if not await self.tick():
                await asyncio.sleep(PAUSE_SECONDS)

    def workers(self) -> list[Callable[[], Awaitable[None]]]:
        """What the server runs in the background."""
        return [self.work]
