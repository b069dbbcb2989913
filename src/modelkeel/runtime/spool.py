"""The prediction log's writer: a bounded ring, emptied by a thread into spool files that monitoring collects.

The thread writes and syncs at least every 100 ms, so a crash loses no more. How many rows were accepted and how many
are on disk stands in a small shared-memory file beside the spool, so what a crash lost can be counted afterwards.
"""

import asyncio
import fcntl
import logging
import mmap
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelkeel.core.errors import Unavailable
from modelkeel.runtime.columns import Columns
from modelkeel.wire.serving import Variant
from modelkeel.wire.spool import MAGIC, Gap, PredictionBlock, encode_record

FLUSH_SECONDS = 0.1
CLOSE_BYTES = 8 * 1024 * 1024
CLOSE_SECONDS = 1.0
RING_ROWS = 200_000
PORTION_ROWS = 1024
_ACCEPTED = struct.Struct("<QQ")  # rows taken into the ring, server time of the last of them
_WRITTEN = struct.Struct("<Q")  # rows that left it, written after the first two
COUNTS = struct.Struct("<QQQ")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stream:
    """What the rows of one block have in common."""

    endpoint: str
    revision: str
    model: str
    version: int
    variant: Variant
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(slots=True)
class Entry:
    """One request's rows.

    Attributes:
        stream: which block they belong to.
        request: the request's uuid.
        time: server time, ms.
        latency_us: microseconds.
        rows: how many.
        inputs: columns.
        outputs: columns.
        event_times: ms, one a row.
        entities: one a row, or None.
        done: resolved when the rows are on disk, if somebody waits for that.
    """

    stream: Stream
    request: str
    time: int
    latency_us: int
    rows: int
    inputs: Columns
    outputs: Columns
    event_times: list[int]
    entities: list[str | None] | None
    done: asyncio.Future[None] | None = None


class Spool:
    """The writer of one runtime process.

    Args:
        folder: the spool folder; it exists.
        worker: a name that no other process has ever had.
        ring_rows: how many rows may wait for the disk.

    Attributes:
        lost_rows: rows that were answered and will not be in the log.
    """

    def __init__(self, folder: Path, worker: str, *, ring_rows: int = RING_ROWS) -> None:
        self._folder = folder
        self._worker = worker
        self._most = ring_rows
        self._ring: deque[Entry] = deque()
        self._accepted = 0
        self._settled = 0  # rows that left the ring: written, or given up
        self._gaps: list[Gap] = []
        self._gaps_lock = threading.Lock()
        self.lost_rows = 0
        self._file: int | None = None
        self._path = folder
        self._bytes = 0
        self._opened = 0.0
        self._sequence = 0
        self._lock, self._counts = _hold_counts(folder, worker)
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Queues rows for the log, from the event loop's thread.

        Raises:
            Unavailable: the ring is full and the caller waits for the log; else the rows become a gap.
        """
        if self._accepted - self._settled + entry.rows > self._most:
            if entry.done is not None:
                raise Unavailable("The prediction log is full.", hint="Try again shortly.")
            self._lose(Gap(entry.rows, entry.time, entry.time, "full"))
            return
        self._accepted += entry.rows
        _ACCEPTED.pack_into(self._counts, 0, self._accepted, entry.time)
        self._ring.append(entry)
        if entry.done is not None:
            self._wake.set()

    def close(self) -> None:
        """Writes what waits, closes the file, ends the thread."""
        self._stop = True
        self._wake.set()
        self._thread.join(timeout=30)
        if not self._thread.is_alive():
            (self._folder / f"{self._worker}.counts").unlink(missing_ok=True)
            os.close(self._lock)

    def _lose(self, gap: Gap) -> None:
        with self._gaps_lock:
            self.lost_rows += gap.rows
            last = self._gaps[-1] if self._gaps else None
            if last is not None and last.reason == gap.reason:
                gap = Gap(last.rows + gap.rows, min(last.start, gap.start), max(last.end, gap.end), gap.reason)
                self._gaps.pop()
            self._gaps.append(gap)

    def _work(self) -> None:
        while True:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            stopping = self._stop
            try:
                self._flush()
                self._rotate(now=stopping)
            except Exception:  # noqa: BLE001 - the writer must outlive whatever happens
                _log.exception("the prediction log's writer failed")
            if stopping:
                return

    def _flush(self) -> None:
        entries = [self._ring.popleft() for _ in range(len(self._ring))]
        with self._gaps_lock:
            gaps, self._gaps = self._gaps, []
        if not entries and not gaps:
            return
        rows = sum(entry.rows for entry in entries)
        failure: OSError | None = None
        try:
            for part in _portions(entries):
                for block in _blocks(part):
                    self._append(encode_record(block))
            for gap in gaps:
                self._append(encode_record(gap))
            if self._file is not None:
                os.fdatasync(self._file)
        except OSError as error:
            _log.exception("the prediction log can't be written")
            failure = error
            self._abandon()
            with self._gaps_lock:
                self._gaps = gaps + self._gaps
            answered = [entry for entry in entries if entry.done is None]
            if answered:
                lost = sum(entry.rows for entry in answered)
                self._lose(Gap(lost, min(e.time for e in answered), max(e.time for e in answered), "disk"))
        self._settled += rows
        _WRITTEN.pack_into(self._counts, _ACCEPTED.size, self._settled)
        _settle(entries, failure)

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._path = self._folder / f"{self._worker}-{self._sequence:08d}.open"
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._sequence += 1
            self._bytes = 0
            self._opened = time.monotonic()
            data = MAGIC + data
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self._bytes += len(data)

    def _abandon(self) -> None:
        """Gives up a file whose end may be torn; the reader tolerates a torn end, not a torn middle."""
        if self._file is not None:
            self._rotate(now=True)

    def _rotate(self, *, now: bool) -> None:
        if self._file is None:
            return
        if now or self._bytes >= CLOSE_BYTES or time.monotonic() - self._opened >= CLOSE_SECONDS:
            os.close(self._file)
            self._file = None
            self._path.rename(self._path.with_suffix(".closed"))


def _hold_counts(folder: Path, worker: str) -> tuple[int, mmap.mmap]:
    """The counts, and the lock on them that tells others that this process lives."""
    part = folder / f"{worker}.starting"
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.ftruncate(descriptor, COUNTS.size)
    counts = mmap.mmap(descriptor, COUNTS.size)
    part.rename(part.with_suffix(".counts"))  # only now others see it, already locked
    return descriptor, counts


def _settle(entries: list[Entry], failure: OSError | None) -> None:
    waiting = [entry.done for entry in entries if entry.done is not None]
    if not waiting:
        return

    def tell() -> None:
        for future in waiting:
            if not future.done():
                if failure is None:
                    future.set_result(None)
                else:
                    future.set_exception(Unavailable("The prediction log can't be written.", hint=str(failure)))

    waiting[0].get_loop().call_soon_threadsafe(tell)


def _portions(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Cuts a long list, so that encoding never holds the interpreter for long."""
    part: list[Entry] = []
    rows = 0
    for entry in entries:
        part.append(entry)
        rows += entry.rows
        if rows >= PORTION_ROWS:
            yield part
            part, rows = [], 0
    if part:
        yield part


def _blocks(entries: list[Entry]) -> list[PredictionBlock]:
    groups: dict[Stream, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.stream, []).append(entry)
    return [_block(stream, group) for stream, group in groups.items()]


def _block(stream: Stream, entries: list[Entry]) -> PredictionBlock:
    entities: list[str | None] = []
    if any(entry.entities for entry in entries):
        for entry in entries:
            entities.extend(entry.entities or [None] * entry.rows)
    return PredictionBlock(
        endpoint=stream.endpoint,
        revision=stream.revision,
        model=stream.model,
        version=stream.version,
        variant=stream.variant,
        requests=[entry.request for entry in entries],
        counts=[entry.rows for entry in entries],
        times=[entry.time for entry in entries],
        latencies=[entry.latency_us for entry in entries],
        event_times=[time for entry in entries for time in entry.event_times],
        entities=entities,
        inputs=_by_name(stream.inputs, [entry.inputs for entry in entries]),
        outputs=_by_name(stream.outputs, [entry.outputs for entry in entries]),
    )


def _by_name(names: tuple[str, ...], parts: list[Columns]) -> dict[str, list[Any]]:
    return {name: [value for part in parts for value in part[i]] for i, name in enumerate(names)}
