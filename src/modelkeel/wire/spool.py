"""The spool file: how the runtime hands predictions to monitoring.

A file is the 8 bytes `MKSPOOL1`, then records: length (u32, little endian), CRC-32 of the payload (u32), payload
(MessagePack of a `PredictionBlock` or a `Gap`). A writer only appends, so a crash can only tear the last record.
`.open` files still grow; `.closed` ones are complete.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from modelkeel.core.errors import Corrupt
from modelkeel.wire.serving import PredictionRow, Variant

MAGIC = b"MKSPOOL1"
_HEAD = struct.Struct("<II")
_LARGEST = 256 * 1024 * 1024


class PredictionBlock(msgspec.Struct, frozen=True, tag="rows"):
    """Rows of one endpoint, revision and variant, by column; rows of one request are neighbours.

    Attributes:
        requests: request uuids.
        counts: rows of each request.
        times: server time of each request.
        latencies: microseconds of each request.
        event_times: event time of each row.
        entities: entity of each row; empty if no row has one.
        inputs: values by column.
        outputs: values by column.
    """

    endpoint: str
    revision: str
    model: str
    version: int
    variant: Variant
    requests: list[str]
    counts: list[int]
    times: list[int]
    latencies: list[int]
    event_times: list[int]
    entities: list[str | None]
    inputs: dict[str, list[Any]]
    outputs: dict[str, list[Any]]

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.event_times)

    def prediction_ids(self) -> list[str]:
        """The id of each row: `<request uuid>.<row in its request>`."""
        return [f"{request}.{i}" for request, n in zip(self.requests, self.counts, strict=True) for i in range(n)]

    def rows(self) -> Iterator[PredictionRow]:
        """The rows one by one."""
        ids = self.prediction_ids()
        row = 0
        for request, count in enumerate(self.counts):
            for _ in range(count):
                yield PredictionRow(
                    prediction_id=ids[row],
                    endpoint=self.endpoint,
                    revision=self.revision,
                    model=self.model,
                    version=self.version,
                    variant=self.variant,
                    time=self.times[request],
                    event_time=self.event_times[row],
                    entity=self.entities[row] if self.entities else None,
                    latency_us=self.latencies[request],
                    inputs={name: values[row] for name, values in self.inputs.items()},
                    outputs={name: values[row] for name, values in self.outputs.items()},
                )
                row += 1


class Gap(msgspec.Struct, frozen=True, tag="gap"):
    """Rows that were answered and are not in the log.

    Attributes:
        rows: how many.
        start: the earliest server time at which they can have been answered.
        end: the latest.
        reason: `full` (the ring had no room), `disk` (the disk refused them) or `crash` (the process died).
    """

    rows: int
    start: int
    end: int
    reason: str


_decoder = msgspec.msgpack.Decoder(PredictionBlock | Gap)
_encoder = msgspec.msgpack.Encoder()


def encode_record(record: PredictionBlock | Gap) -> bytes:
    """The bytes to append for one record."""
    payload = _encoder.encode(record)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


class BlockReader:
    """Iterates over the blocks of a spool file.

    Attributes:
        gaps: the gap records met so far.
        torn_bytes: bytes of an unfinished record at the end, known when the iteration has ended.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.gaps: list[Gap] = []
        self.torn_bytes = 0

    def __iter__(self) -> Iterator[PredictionBlock]:
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            magic = file.read(len(MAGIC))
            if magic != MAGIC:
                if MAGIC.startswith(magic):
                    self.torn_bytes = len(magic)
                    return
                raise Corrupt(f"{self._path.name} is not a spool file.")
            at = len(MAGIC)
            while at < size:
                head = file.read(_HEAD.size)
                length, crc = _HEAD.unpack(head) if len(head) == _HEAD.size else (_LARGEST + 1, 0)
                payload = file.read(length) if length <= _LARGEST else b""
                if len(payload) != length or zlib.crc32(payload) != crc:
                    self.torn_bytes = size - at
                    return
                at += _HEAD.size + length
                record = _decoder.decode(payload)
                if isinstance(record, Gap):
                    self.gaps.append(record)
                else:
                    yield record


def read_blocks(path: Path) -> BlockReader:
    """Iterates over the blocks of a spool file, tolerant to the torn end that a crashed writer leaves.

    Args:
        path: an `.open` or `.closed` file.

    Returns:
        An iterable of `PredictionBlock`; afterwards its `gaps` and `torn_bytes` say what is missing.

    Raises:
        Corrupt: (while iterating) the file is not a spool file.
    """
    return BlockReader(path)
