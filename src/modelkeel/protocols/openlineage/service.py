"""Tells of runs in OpenLineage's words: asked by somebody, or as the ledger goes on."""

import asyncio
import logging

import msgspec

from modelkeel.core.access import Principal, Role
from modelkeel.core.clock import parse_rfc3339
from modelkeel.core.errors import KeelError, NotFound, Unavailable
from modelkeel.http.outgoing import Outgoing
from modelkeel.identity.service import Identity
from modelkeel.ledger.models import Entry
from modelkeel.ledger.subscriptions import Subscription
from modelkeel.pipelines.service import Pipelines
from modelkeel.protocols.openlineage import events
from modelkeel.protocols.openlineage.events import Event, Facts
from modelkeel.registry.service import Registry
from modelkeel.storage.database import Database
from modelkeel.tracking.service import Tracking

ACCOUNT = "lineage"
TYPES = frozenset({"run.created", "run.ended", "version.created"})
TRIES = 5
log = logging.getLogger(__name__)


class OpenLineage:
    """Reads what a run is and made, and sends it where the operator wants it.

    Args:
        database: where workspaces' names are.
        identity: knows them, and makes the account that reads.
        tracking: knows runs.
        pipelines: knows their steps.
        registry: knows the versions that came of them.
        url: where events are posted, the whole address; None: nowhere.
        key: sent as a bearer token, if there is one.
        outgoing: sends.
    """

    def __init__(
        self,
        database: Database,
        identity: Identity,
        tracking: Tracking,
        pipelines: Pipelines,
        registry: Registry,
        *,
        url: str | None,
        key: str,
        outgoing: Outgoing,
    ) -> None:
        self._db = database
        self._identity = identity
        self._tracking = tracking
        self._pipelines = pipelines
        self._registry = registry
        self._url = url
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._outgoing = outgoing

    async def of_run(self, principal: Principal, run_id: str) -> list[Event]:
        """The events of a run, oldest first.

        Raises:
            NotFound: there is none that the principal may see.
        """
        return events.everything(await self._facts(principal, run_id))

    def subscriptions(self) -> list[Subscription]:
        """What is told as it happens; nothing where nobody is to hear it."""
        return [Subscription("openlineage", TYPES, self.hear)] if self._url else []

    async def hear(self, entry: Entry) -> None:
        """Sends what an entry means. Heard again it is sent again: backends know runs by their ids.

        Raises:
            Unavailable: the backend does not take it now; the entry is heard again later.
        """
        if "import" in entry.data or "run" not in entry.subject:
            return
        reader = await self._identity.service_account(entry.workspace, ACCOUNT, [Role.VIEWER])
        try:
            facts = await self._facts(reader, str(entry.subject["run"]))
        except NotFound:
            return  # it was removed for good meanwhile
        if entry.type == "run.created":
            told = [events.started(facts)]
        elif entry.type == "run.ended":
            told = events.ended(facts)
        else:
            told = [events.registered(facts, parse_rfc3339(entry.time))] if facts.run.ended is not None else []
        for event in told:
            await self._send(event)

    async def _facts(self, principal: Principal, run_id: str) -> Facts:
        run = await self._tracking.get_run(principal, run_id)
        experiment = await self._tracking.experiment(principal, run.experiment_id)
        try:
            pipeline = await self._pipelines.run(principal, run_id, limit=events.MOST_STEPS)
        except NotFound:
            pipeline = None
        names = await self._db.read(self._identity.workspace_names)
        versions = await self._registry.versions_of_run(principal, run_id)
        namespace = events.namespace_of(names.get(principal.workspace, principal.workspace))
        return Facts(namespace, run, experiment.name, pipeline, versions)

    async def _send(self, event: Event) -> None:
        """Posts one event. What the backend refuses for what it is will not be taken later either: it is dropped.

        Raises:
            Unavailable: it does not answer, or is in trouble.
        """
        body = msgspec.json.encode(event)
        for attempt in range(TRIES):
            try:
                answer = await self._outgoing.request("POST", self._url or "", headers=self._headers, content=body)
            except Unavailable:
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(0.5 * 2**attempt)
                continue
            except KeelError as error:
                log.warning("OpenLineage event not sent: %s", error)
                return
            if answer.status_code >= 500 or answer.status_code == 429:
                raise Unavailable(f"The OpenLineage backend answered {answer.status_code}.")
            if not answer.is_success:
                log.warning("OpenLineage event refused with %d: %s", answer.status_code, answer.text[:300])
            return
