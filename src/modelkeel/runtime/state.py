"""What one runtime process serves: prepare a table beside the live one, then swap, then let the old one run dry."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from modelkeel.core.errors import KeelError, Refused
from modelkeel.runtime.access import Uses
from modelkeel.runtime.batching import Lane
from modelkeel.runtime.loading import load
from modelkeel.runtime.metrics import Registry, Snapshot
from modelkeel.runtime.routing import LiveTable, Loaded, build, check
from modelkeel.runtime.spool import Spool
from modelkeel.wire.serving import Revision, RoutingTable

_log = logging.getLogger(__name__)


class State:
    """The live table and the one being prepared.

    Args:
        folder: the serving folder.
        slot: this process's place.
        spool: the prediction log's writer.

    Attributes:
        live: what is served now; None until the first table is there.
        failures: why a revision of the live table isn't loaded, by id.
        registry: the counters.
        uses: when keys were used.
        spool: the prediction log's writer.
    """

    def __init__(self, folder: Path, slot: int, spool: Spool) -> None:
        self.live: LiveTable | None = None
        self.failures: dict[str, str] = {}
        self.registry = Registry()
        self.uses = Uses()
        self.spool = spool
        self._folder = folder
        self._slot = slot
        self._loaded: dict[str, Loaded] = {}
        self._next: tuple[RoutingTable, dict[str, Loaded], dict[str, str]] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def prepare(self, table: RoutingTable, *, tolerant: bool = False) -> None:
        """Loads, warms and verifies what `table` needs, beside what serves now.

        Args:
            table: the table to come.
            tolerant: go on without revisions that fail to load; their share of the traffic gets 503.

        Raises:
            Refused: the table contradicts itself, or a revision fails; nothing has changed.
        """
        self.abort()
        check(table)
        kept: dict[str, Loaded] = {}
        fresh: list[Revision] = []
        for revision in table.revisions:
            have = self._loaded.get(revision.id)
            if have is not None and have.revision == revision:
                kept[revision.id] = have
            else:
                fresh.append(revision)
        results = await asyncio.gather(*(load(revision, self._folder) for revision in fresh), return_exceptions=True)
        loaded: dict[str, Loaded] = {}
        failures: dict[str, str] = {}
        for revision, result in zip(fresh, results, strict=True):
            if isinstance(result, BaseException):
                if not isinstance(result, KeelError):
                    _log.error("revision %s failed to load", revision.id, exc_info=result)
                failures[revision.id] = str(result) or type(result).__name__
            else:
                loaded[revision.id] = Loaded(revision, Lane(result))
        if failures and not tolerant:
            self._retire(loaded.values())
            raise Refused("A revision can't be served.", reasons=[f"{id_}: {why}" for id_, why in failures.items()])
        self._next = (table, kept | loaded, failures)

    def commit(self) -> None:
        """Serves the prepared table from the next request on.

        Raises:
            Refused: none is prepared.
        """
        if self._next is None:
            raise Refused("No routing table is prepared.")
        (table, loaded, failures), self._next = self._next, None
        self.live = build(table, loaded, failures, self.registry, self.uses)
        old, self._loaded, self.failures = self._loaded, loaded, failures
        self._retire(have for id_, have in old.items() if loaded.get(id_) is not have)

    def abort(self) -> None:
        """Forgets the prepared table, if there is one."""
        if self._next is not None:
            (_, loaded, _), self._next = self._next, None
            self._retire(have for id_, have in loaded.items() if self._loaded.get(id_) is not have)

    def snapshot(self) -> Snapshot:
        """This process's counters."""
        return Snapshot(self._slot, self.live.generation if self.live else 0, self.spool.lost_rows, self.registry.all())

    async def close(self) -> None:
        """Ends every model."""
        self.abort()
        loaded, self._loaded = self._loaded, {}
        self._retire(loaded.values())
        await asyncio.gather(*self._retiring, return_exceptions=True)

    def _retire(self, models: Iterable[Loaded]) -> None:
        for have in models:
            task = asyncio.get_running_loop().create_task(have.lane.retire())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
