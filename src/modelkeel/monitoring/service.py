"""Monitoring's face to the rest: the prediction log and labels in, monitors, windows, alerts and incidents out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from modelkeel.core.access import Authorizer, Kind, Object, Permission, Principal
from modelkeel.core.clock import now_ms, rfc3339
from modelkeel.core.errors import Conflict, NotFound
from modelkeel.identity.service import Identity
from modelkeel.ledger.service import Ledger
from modelkeel.monitoring.actions import Actions
from modelkeel.monitoring.alerts import Alerts
from modelkeel.monitoring.collect import Collector
from modelkeel.monitoring.compare import Comparer
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.fold import Folder
from modelkeel.monitoring.judge import Judge
from modelkeel.monitoring.labels import Labels
from modelkeel.monitoring.manage import Monitors, watched_of
from modelkeel.monitoring.models import (
    TRAFFIC_BUCKET_MS,
    Alert,
    Comparison,
    Gap,
    Incident,
    LabelReceipt,
    Monitor,
    PredictionRecord,
    Traffic,
    TrafficReport,
    Window,
)
from modelkeel.monitoring.ports import EndpointDirectory, ReferenceSource, Retrain
from modelkeel.monitoring.predictions import Predictions
from modelkeel.monitoring.reading import Reader
from modelkeel.monitoring.store import log as store
from modelkeel.monitoring.store import windows
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx
from modelkeel.storage.visible import require_named

PAUSE_SECONDS = 0.2
_logger = logging.getLogger(__name__)


class Monitoring:
    """Everything about predictions after they were answered.

    Args:
        database: rows.
        ledger: hears of each sealed segment, alert, action and incident.
        blobs: segments.
        authorizer: decides who may see and do what.
        identity: keeps the service account that acts on alerts.
        spool: the folder into which runtimes write.
        directory: knows whose endpoint a spooled row belongs to.
        references: finds what a model version was trained on.
        retrain: starts pipelines; without one, actions wait.

    Attributes:
        monitors: sets up and shows monitors.
        reader: shows windows, alerts and incidents.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        blobs: BlobStore,
        authorizer: Authorizer,
        identity: Identity,
        *,
        spool: Path,
        directory: EndpointDirectory,
        references: ReferenceSource,
        retrain: Retrain | None,
    ) -> None:
        self._db = database
        self._authorizer = authorizer
        self._collector = Collector(spool, database, blobs, ledger, directory)
        self._labels = Labels(database, blobs, ledger, authorizer)
        self._predictions = Predictions(database, blobs, self._labels)
        alerts = Alerts(ledger)
        self._folder = Folder(database, blobs, references)
        self._judge = Judge(database, ledger, alerts)
        self._actions = Actions(database, ledger, identity, retrain)
        self._comparer = Comparer(database, blobs)
        self.monitors = Monitors(database, blobs, ledger, authorizer, alerts)
        self.reader = Reader(database, ledger, authorizer)

    async def prediction(self, principal: Principal, prediction_id: str) -> PredictionRecord:
        """One predicted row with its labels.

        Raises:
            NotFound: no such prediction in the principal's workspace.
        """
        self._authorizer.require(principal, Permission.READ, what="predictions", on=Kind.ENDPOINT)
        try:
            found = await self._predictions.find(principal.workspace, prediction_id)
        except NotFound:
            # It may be so new that it waits in the spool.
            if not await self._collector.collect(eager=True):
                raise
            found = await self._predictions.find(principal.workspace, prediction_id)
        self._authorizer.require(
            principal, Permission.READ, what=f"prediction {prediction_id}", on=Object(Kind.ENDPOINT, found.endpoint_id)
        )
        return found

    async def add_labels(self, principal: Principal, body: bytes) -> LabelReceipt:
        """Takes labels as JSON; durable on return. See `Labels.receive`."""
        return await self._labels.receive(principal, body)

    async def put_monitor(self, principal: Principal, endpoint: str, config: MonitorConfig) -> Monitor:
        """See `Monitors.put`."""
        return await self.monitors.put(principal, endpoint, config)

    async def windows(
        self, principal: Principal, endpoint: str, since: int | None = None, until: int | None = None, limit: int = 200
    ) -> list[Window]:
        """See `Reader.windows`."""
        return await self.reader.windows(principal, endpoint, since, until, limit)

    async def alerts(
        self, principal: Principal, endpoint: str | None = None, status: str | None = None, limit: int = 200
    ) -> list[Alert]:
        """See `Reader.alerts`."""
        return await self.reader.alerts(principal, endpoint, status, limit)

    async def incidents(self, principal: Principal, endpoint: str | None = None, limit: int = 100) -> list[Incident]:
        """See `Reader.incidents`."""
        return await self.reader.incidents(principal, endpoint, limit)

    async def traffic(self, principal: Principal, endpoint: str, since: int | None, limit: int) -> TrafficReport:
        """Requests of an endpoint by bucket of server time.

        Args:
            principal: who asks.
            endpoint: its name.
            since: milliseconds since 1970; by default the last hour.
            limit: rows, at most; the newest are kept.
        """
        await self._may_read(principal, endpoint)
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

    async def compare(
        self, principal: Principal, endpoint: str, revision_a: str, revision_b: str, since: int
    ) -> Comparison:
        """Two revisions on the labelled rows that both scored, from an event time (ms) on, shadows included."""
        await self._may_read(principal, endpoint)
        row = await self._db.read(lambda tx: windows.monitor_of(tx, principal.workspace, endpoint))
        output = watched_of(row).config.output if row is not None else ""
        return await self._comparer.compare(principal.workspace, endpoint, revision_a, revision_b, since, output)

    async def _may_read(self, principal: Principal, endpoint: str) -> None:
        what = f"endpoint {endpoint}"
        await require_named(self._db, self._authorizer, principal, Permission.READ, Kind.ENDPOINT, endpoint, what)

    async def tick(self, *, eager: bool = False) -> bool:
        """One round of background work.

        Args:
            eager: don't wait for few and young rows or labels to become more.

        Returns:
            Whether there was anything to do.
        """
        collected = await self._collector.collect(eager=eager)
        # Labels that were sent before these rows were answered must be counted when their window closes.
        busy = collected + await self._labels.seal(eager=eager or collected > 0) > 0
        for row in await self._db.read(windows.monitors):
            busy |= await self._watch(row.id, eager=eager)
        return await self._actions.tick() or busy

    async def _watch(self, monitor: str, *, eager: bool) -> bool:
        busy = False
        try:
            while (row := await self._db.read(lambda tx: windows.monitor_with_id(tx, monitor))) is not None:
                watched = watched_of(row)
                folded = await self._folder.fold(watched)
                busy |= folded
                if not folded:
                    if busy:
                        await self._folder.compact(watched)
                    return await self._judge.judge(watched, eager=eager) or busy
        except Conflict:
            return True
        except Exception:
            # One monitor that fails must not keep the others from being watched.
            _logger.exception("monitor %s failed", monitor)
        return busy

    async def work(self) -> None:
        """Background work, for ever."""
        while True:
            if not await self.tick():
                await asyncio.sleep(PAUSE_SECONDS)

    def workers(self) -> list[Callable[[], Awaitable[None]]]:
        """What the server runs in the background."""
        return [self.work]
