"""Collects what the runtimes spooled: seals it into segments, once for each spool file, then deletes the file.

The order makes a crash harmless. First the segment's blob is durable; then one transaction holds the segment's row, its
ledger entry and the names of the spool files; then the files go. A file that is named there already is only deleted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core import lazy_polars as pl
from modelkeel.core.clock import now_ms
from modelkeel.core.errors import Corrupt
from modelkeel.core.hashing import sha256_file
from modelkeel.core.ids import uuid7
from modelkeel.ledger.service import SYSTEM, Ledger
from modelkeel.monitoring import segments
from modelkeel.monitoring.models import TRAFFIC_BUCKET_MS
from modelkeel.monitoring.pacing import Pace
from modelkeel.monitoring.ports import EndpointDirectory, Place
from modelkeel.monitoring.segments import Sealed
from modelkeel.monitoring.store import log as store
from modelkeel.storage.blobs import BlobRef, BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.holdings import hold
from modelkeel.storage.home import sync_folder
from modelkeel.storage.transaction import Tx
from modelkeel.wire.spool import Gap, read_blocks

PASS_BYTES = 32 << 20
EAGER_BYTES = 256 << 10
PATIENCE = (0.2, 5.0)
ENOUGH_ROWS = 500
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pass:
    """What one pass read from the spool."""

    files: list[tuple[str, str]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    frames: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    sources: dict[str, dict[str, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))
    gaps: list[tuple[str, Gap]] = field(default_factory=list)
    endpoints: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))


class Collector:
    """The reader of one spool folder.

    Args:
        spool: the folder into which the runtimes of this home write.
        database: where segments are recorded.
        blobs: where they are kept.
        ledger: hears of each.
        directory: knows whose endpoint it was.
    """

    def __init__(
        self, spool: Path, database: Database, blobs: BlobStore, ledger: Ledger, directory: EndpointDirectory
    ) -> None:
        self._spool = spool
        self._db = database
        self._blobs = blobs
        self._ledger = ledger
        self._directory = directory
        self._unknown: set[Path] = set()
        self._pace = Pace(*PATIENCE, ENOUGH_ROWS)
        self._lock = asyncio.Lock()

    async def collect(self, *, eager: bool = False) -> int:
        """One pass over the closed spool files.

        Args:
            eager: take them now; else few and young ones wait a little, so that segments don't get tiny.

        Returns:
            How many rows were stored.
        """
        async with self._lock:
            rows = await self._collect(eager=eager)
        if rows and not eager:
            self._pace.passed(rows)
        return rows

    async def _collect(self, *, eager: bool) -> int:
        paths = await asyncio.to_thread(self._ready, eager=eager)
        if not paths:
            return 0
        taken = await asyncio.to_thread(_read, paths)
        known = await self._db.read(lambda tx: store.collected(tx, [name for name, _ in taken.files]))
        repeated = [path for path, file in zip(taken.paths, taken.files, strict=True) if file in known]
        if repeated:
            await asyncio.to_thread(_delete, repeated)
            return 0 if len(repeated) == len(taken.paths) else await self._collect(eager=True)
        places = await self._directory.places(taken.frames)
        if strangers := set(taken.frames) - set(places):
            return await self._set_aside(taken, strangers)
        made: list[tuple[Place, Sealed, BlobRef]] = []
        for endpoint, frames in taken.frames.items():
            sealed = await asyncio.to_thread(segments.seal, frames)
            made.append((places[endpoint], sealed, await self._blobs.put(sealed.content)))
        traffic = await asyncio.to_thread(lambda: [row for place, s, _ in made for row in _traffic(place, s.frame)])
        await self._db.write(lambda tx: self._store(tx, taken, made, traffic))
        await asyncio.to_thread(_delete, taken.paths)
        return sum(sealed.frame.height for _, sealed, _ in made)

    def _ready(self, *, eager: bool) -> list[Path]:
        found: list[tuple[float, Path, int]] = []
        for path in self._spool.glob("*.closed"):
            if path not in self._unknown:
                stat = path.stat()
                found.append((stat.st_mtime, path, stat.st_size))
        total = sum(size for _, _, size in found)
        if not found or not (eager or total >= EAGER_BYTES or time.time() - min(found)[0] >= self._pace.seconds):
            return []
        chosen: list[Path] = []
        held = 0
        for _, path, size in sorted(found):
            if chosen and held + size > PASS_BYTES:
                break
            chosen.append(path)
            held += size
        return chosen

    async def _set_aside(self, taken: _Pass, strangers: set[str]) -> int:
        # A file with rows of an endpoint that nobody knows stays where it is: losing rows silently would be worse.
        files = {path for path, endpoints in taken.endpoints.items() if endpoints & strangers}
        _logger.error("rows of unknown endpoints %s stay in the spool: %s", sorted(strangers), sorted(files))
        self._unknown |= files
        return await self._collect(eager=True)

    def _store(
        self,
        tx: Tx,
        taken: _Pass,
        made: list[tuple[Place, Sealed, BlobRef]],
        traffic: list[dict[str, Any]],
    ) -> None:
        store.add_spool_files(tx, taken.files)
        lost = sum(gap.rows for _, gap in taken.gaps)
        workspaces = {place.workspace for place, _, _ in made}
        owner = workspaces.pop() if len(workspaces) == 1 else ""
        store.add_gaps(
            tx,
            [
                {"workspace": owner, "source": s, "rows": g.rows, "start": g.start, "end": g.end, "reason": g.reason}
                for s, g in taken.gaps
            ],
        )
        for place, sealed, blob in made:
            hold(tx, place.workspace, [blob])
            row = _row(place, sealed, blob, lost, taken.sources[place.endpoint])
            store.add_segment(tx, row)
            self._ledger.record(
                tx,
                SYSTEM,
                "segment.sealed",
                {"segment": row["id"], "endpoint": place.endpoint},
                {
                    "rows": row["rows"],
                    "gap_rows": lost,
                    "digest": blob.digest,
                    "root": sealed.root,
                    "event_time": [row["min_event"], row["max_event"]],
                    "server_time": [row["min_time"], row["max_time"]],
                    "revisions": sorted(sealed.frame["revision"].unique().to_list()),
                },
                workspace=place.workspace,
            )
        store.add_traffic(tx, traffic)


def _read(paths: list[Path]) -> _Pass:
    taken = _Pass()
    for path in paths:
        source = path.stem.rsplit("-", 1)[0]
        reader = read_blocks(path)
        try:
            for block in reader:
                if not block.size:
                    continue
                taken.endpoints[path].add(block.endpoint)
                taken.frames[block.endpoint].append(segments.block_frame(block))
                newest = taken.sources[block.endpoint].get(source, (0, 0))
                latest = max(block.event_times), max(block.times)
                taken.sources[block.endpoint][source] = max(newest[0], latest[0]), max(newest[1], latest[1])
        except Corrupt:
            _logger.exception("spool file %s can't be read", path.name)
            when = now_ms()
            taken.gaps.append((source, Gap(0, when, when, "corrupt")))
        taken.gaps += [(source, gap) for gap in reader.gaps]
        taken.files.append((path.name, sha256_file(path)))
        taken.paths.append(path)
    return taken


def _row(place: Place, sealed: Sealed, blob: BlobRef, lost: int, sources: dict[str, tuple[int, int]]) -> dict[str, Any]:
    frame = sealed.frame
    bounds = frame.select(
        pl.col("event_time", "time", "request").min().name.prefix("min_"),
        pl.col("event_time", "time", "request").max().name.prefix("max_"),
    ).row(0, named=True)
    return {
        "id": uuid7(),
        "workspace": place.workspace,
        "endpoint": place.endpoint,
        "name": place.name,
        "rows": frame.height,
        "gap_rows": lost,
        "min_event": bounds["min_event_time"],
        "max_event": bounds["max_event_time"],
        "min_time": bounds["min_time"],
        "max_time": bounds["max_time"],
        "min_request": bounds["min_request"],
        "max_request": bounds["max_request"],
        "digest": blob.digest,
        "size": blob.size,
        "root": sealed.root,
        "sources": msgspec.json.encode(sources).decode(),
    }


def _traffic(place: Place, frame: pl.DataFrame) -> list[dict[str, Any]]:
    bucket = pl.col("time") // TRAFFIC_BUCKET_MS * TRAFFIC_BUCKET_MS
    first = pl.col("row") == 0
    counted = frame.group_by(bucket.alias("bucket"), "revision", "variant", "model", "version").agg(
        pl.len().alias("rows"),
        first.sum().alias("requests"),
        pl.col("latency_us").filter(first).sum().alias("latency_us"),
        pl.col("latency_us").max().alias("slowest_us"),
    )
    return [{"workspace": place.workspace, "name": place.name, **row} for row in counted.to_dicts()]


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    if paths:
        sync_folder(paths[0].parent)
