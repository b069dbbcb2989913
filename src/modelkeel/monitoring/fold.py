"""Folds new segments and labels into a monitor's windows, each exactly once.

A monitor has two cursors, over prediction segments and over label segments. What lies behind them is read outside any
transaction; then one transaction merges it and moves the cursors, unless they moved meanwhile. So a crash repeats
nothing and loses nothing, and a monitor that starts over only needs its cursors set to zero.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core import lazy_polars as pl
from modelkeel.core.errors import Conflict, InvalidInput
from modelkeel.monitoring import segments
from modelkeel.monitoring.config import MonitorConfig
from modelkeel.monitoring.ports import ReferenceSource
from modelkeel.monitoring.profile import Profile, read_profile
from modelkeel.monitoring.stats import Key, WindowStats, measure, partitions, score_of
from modelkeel.monitoring.store import log, windows
from modelkeel.monitoring.stored import decode_profile, decode_stats, encode, labelled_rows
from modelkeel.storage.blobs import BlobStore
from modelkeel.storage.database import Database
from modelkeel.storage.transaction import Tx

BATCH_SEGMENTS = 16
CACHE_ROWS = 2_000_000
MOST_PARTS = 32
ACTIVE_MS = 3_000
"""A runtime hands over what it has every second; one that is so far behind the others has nothing to do."""
Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """A monitor's row with its configuration read."""

    row: Row
    config: MonitorConfig

    @property
    def id(self) -> str:
        """The monitor's id."""
        return str(self.row.id)


@dataclass(slots=True)
class _Gain:
    """What some segments add to a monitor."""

    stats: dict[Key, WindowStats] = field(default_factory=dict)
    labelled: list[pl.DataFrame] = field(default_factory=list)
    sources: dict[str, tuple[int, int]] = field(default_factory=dict)
    references: list[dict[str, Any]] = field(default_factory=list)
    segment_cursor: int = 0
    label_cursor: int = 0


class Folder:
    """Reads the log for monitors.

    Args:
        database: holds monitors and windows.
        blobs: hold segments.
        references: finds what a version was trained on.
    """

    def __init__(self, database: Database, blobs: BlobStore, references: ReferenceSource) -> None:
        self._db = database
        self._blobs = blobs
        self._references = references
        self._slim: OrderedDict[tuple[str, str, str], pl.DataFrame] = OrderedDict()

    async def fold(self, watched: Watched) -> bool:
        """Takes in the next segments and labels of a monitor; says whether there were any."""
        row = watched.row

        def pending(tx: Tx) -> tuple[Sequence[Row], Sequence[Row], Sequence[Row]]:
            return (
                log.segments_after(tx, row.workspace, row.endpoint, row.segment_cursor, BATCH_SEGMENTS),
                log.label_segments_after(tx, row.workspace, row.label_cursor, BATCH_SEGMENTS),
                windows.references(tx, row.id),
            )

        fresh, labels, known = await self._db.read(pending)
        if not fresh and not labels:
            return False
        gain = _Gain(
            segment_cursor=fresh[-1].seq if fresh else row.segment_cursor,
            label_cursor=labels[-1].seq if labels else row.label_cursor,
        )
        profiles = {item.revision: decode_profile(item.profile) for item in known}
        for segment in fresh:
            frame = await self._read(segment)
            await self._learn(watched, frame, profiles, gain)
            await asyncio.to_thread(self._measure, watched, segment, frame, profiles, gain)
        await self._join(watched, fresh, labels, gain)
        parts = await asyncio.to_thread(_label_parts, gain.labelled)
        await self._db.write(lambda tx: _merge(tx, watched, gain, parts))
        return True

    async def compact(self, watched: Watched) -> None:
        """Merges the many label parts of a window into one a revision, the latest label of a row kept."""
        for start in await self._db.read(lambda tx: windows.crowded(tx, watched.id, MOST_PARTS)):
            await self._compact(watched, start)

    async def _compact(self, watched: Watched, start: int) -> None:
        parts = await self._db.read(lambda tx: windows.label_parts(tx, watched.id, start))
        whole = await asyncio.to_thread(labelled_rows, parts)
        last = max(part.part for part in parts)
        rows = [_part(key, last, frame) for key, frame in whole.items()]

        def work(tx: Tx) -> None:
            _unchanged(tx, watched, cursors=False)
            windows.drop_label_parts(tx, watched.id, start, last)
            windows.add_label_parts(tx, [{"monitor": watched.id, **row} for row in rows])

        await self._db.write(work)

    async def _read(self, segment: Row) -> pl.DataFrame:
        content = await self._blobs.read(segment.digest)
        return await asyncio.to_thread(segments.read, content)

    async def _learn(self, watched: Watched, frame: pl.DataFrame, profiles: dict[str, Profile], gain: _Gain) -> None:
        """Makes the profile of every revision that is seen for the first time."""
        for item in frame.select("revision", "model", "version").unique().to_dicts():
            if item["revision"] in profiles:
                continue
            rule = watched.config.reference
            if rule.digest is not None:
                content: bytes | None = await self._blobs.read(rule.digest)
            else:
                content = await self._references.reference(
                    watched.row.workspace, item["model"], item["version"], rule.path
                )
            profile, source = Profile(), "none"
            if content is not None:
                try:
                    profile = await asyncio.to_thread(read_profile, content, watched.config)
                    source = rule.digest or rule.path
                except InvalidInput as error:
                    source = f"unusable: {error.message}"
            profiles[item["revision"]] = profile
            gain.references.append({"monitor": watched.id, **item, "source": source, "profile": encode(profile)})

    def _measure(
        self, watched: Watched, segment: Row, frame: pl.DataFrame, profiles: dict[str, Profile], gain: _Gain
    ) -> None:
        for key, part in partitions(frame, watched.config):
            found = measure(part, profiles[key.revision], watched.config.output)
            have = gain.stats.get(key)
            gain.stats[key] = found if have is None else have.merged(found)
        for name, (event, time) in msgspec.json.decode(segment.sources, type=dict[str, tuple[int, int]]).items():
            newest = gain.sources.get(name, (0, 0))
            gain.sources[name] = max(newest[0], event), max(newest[1], time)
        self._keep(watched, segment, _slim(frame, watched.config))

    def _keep(self, watched: Watched, segment: Row, slim: pl.DataFrame) -> None:
        self._slim[watched.id, watched.row.digest, segment.digest] = slim
        while len(self._slim) > 1 and sum(frame.height for frame in self._slim.values()) > CACHE_ROWS:
            self._slim.popitem(last=False)

    async def _slim_of(self, watched: Watched, segment: Row) -> pl.DataFrame:
        found = self._slim.get((watched.id, watched.row.digest, segment.digest))
        if found is None:
            frame = await self._read(segment)
            found = await asyncio.to_thread(_slim, frame, watched.config)
            self._keep(watched, segment, found)
        return found

    async def _join(self, watched: Watched, fresh: Sequence[Row], labels: Sequence[Row], gain: _Gain) -> None:
        """Joins fresh rows with labels that came before them, then fresh labels with all rows."""
        row = watched.row
        for segment in fresh:
            early = await self._db.read(partial(_early, row=row, segment=segment))
            if early:
                known = pl.concat([await self._labels(item) for item in early])
                gain.labelled.append(_joined(await self._slim_of(watched, segment), known))
        if not labels:
            return
        known = pl.concat([await self._labels(item) for item in labels])
        if not known.height:
            return
        requests = known["request"].unique().sort()
        low, high = str(requests[0]), str(requests[-1])
        candidates = await self._db.read(
            lambda tx: log.segments_between(tx, row.workspace, row.endpoint, low, high, gain.segment_cursor)
        )
        for segment in candidates:
            first = int(requests.search_sorted(segment.min_request, side="left"))
            if first < len(requests) and requests[first] <= segment.max_request:
                gain.labelled.append(_joined(await self._slim_of(watched, segment), known))

    async def _labels(self, segment: Row) -> pl.DataFrame:
        content = await self._blobs.read(segment.digest)
        frame = await asyncio.to_thread(segments.read, content, ["request", "row", "value"])
        return frame.rename({"value": "label"}).drop_nulls("label")


def _early(tx: Tx, row: Row, segment: Row) -> Sequence[Row]:
    """Label segments that came before the rows of a prediction segment were collected."""
    return log.label_segments_with(tx, row.workspace, segment.min_request, segment.max_request, row.label_cursor)


def _slim(frame: pl.DataFrame, config: MonitorConfig) -> pl.DataFrame:
    parts = [
        part.select(
            pl.lit(key.start, pl.Int64).alias("start"),
            "revision",
            "variant",
            "request",
            "row",
            score_of(part, config.output),
        )
        for key, part in partitions(frame, config)
    ]
    return pl.concat(parts).drop_nulls("score")


def _joined(rows: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The labelled ones of some rows, in the order of the labels."""
    return labels.join(rows, on=["request", "row"], how="inner", maintain_order="left")


def _label_parts(joined: list[pl.DataFrame]) -> list[dict[str, Any]]:
    frames = [frame for frame in joined if frame.height]
    if not frames:
        return []
    whole = pl.concat(frames).partition_by("start", "revision", "variant", as_dict=True, maintain_order=True)
    return [_part(Key(*key), 0, frame) for key, frame in whole.items()]


def _part(key: Key, number: int, frame: pl.DataFrame) -> dict[str, Any]:
    payload = segments.parquet(frame.select("request", "row", "score", "label"))
    return {**key._asdict(), "part": number, "rows": frame.height, "payload": payload}


def _unchanged(tx: Tx, watched: Watched, *, cursors: bool = True) -> Row:
    """The monitor's row as it is now.

    Raises:
        Conflict: it was changed since it was read.
    """
    now, then = windows.monitor_with_id(tx, watched.id), watched.row
    same = now is not None and (now.generation, now.digest) == (then.generation, then.digest)
    if now is None or not same or (cursors and _cursors(now) != _cursors(then)):
        raise Conflict("The monitor changed meanwhile.", hint="It is read again in the next round.")
    return now


def _cursors(row: Row) -> tuple[int, int]:
    return row.segment_cursor, row.label_cursor


def _merge(tx: Tx, watched: Watched, gain: _Gain, parts: list[dict[str, Any]]) -> None:
    now = _unchanged(tx, watched)
    for item in gain.references:
        windows.add_reference(tx, item)
    starts = sorted({key.start for key in gain.stats})
    have = {Key(r.start, r.revision, r.variant): decode_stats(r.stats) for r in windows.stats(tx, watched.id, starts)}
    merged = {key: have[key].merged(found) if key in have else found for key, found in gain.stats.items()}
    windows.set_stats(
        tx,
        [
            {"monitor": watched.id, **key._asdict(), "rows": found.rows, "stats": encode(found)}
            for key, found in merged.items()
        ],
    )
    numbers: dict[int, int] = {}
    for part in parts:
        start = part["start"]
        numbers.setdefault(start, windows.last_part(tx, watched.id, start) + 1)
    rows = [{**part, "monitor": watched.id, "part": numbers[part["start"]]} for part in parts]
    windows.add_label_parts(tx, rows)
    windows.mark_windows(tx, watched.id, sorted({*starts, *numbers}))
    windows.set_monitor(
        tx,
        watched.id,
        {
            "segment_cursor": gain.segment_cursor,
            "label_cursor": gain.label_cursor,
            "watermark": _watermark(tx, watched, now, gain.sources),
        },
    )


def _watermark(tx: Tx, watched: Watched, now: Row, fresh: dict[str, tuple[int, int]]) -> int:
    """The minimum over the active sources of (newest event time − lateness); it never goes back."""
    known = {s.source: (s.max_event, s.max_time) for s in windows.sources(tx, watched.id)}
    for name, (event, time) in fresh.items():
        old = known.get(name, (0, 0))
        known[name] = max(old[0], event), max(old[1], time)
    if fresh:
        windows.set_sources(tx, watched.id, {name: known[name] for name in fresh})
    newest = max((time for _, time in known.values()), default=0)
    active = [event for event, time in known.values() if time >= newest - ACTIVE_MS]
    complete = min(active) - watched.config.lateness_ms if active else -1
    return max(int(now.watermark), int(now.advanced), complete)
