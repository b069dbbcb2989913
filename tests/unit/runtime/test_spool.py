"""The spool: everything added is read back, a torn end is measured, what is missing is counted."""

import asyncio
import struct
import time
from pathlib import Path

import pytest

from modelkeel.core.errors import Corrupt, Unavailable
from modelkeel.runtime.recovery import any_lives, recover
from modelkeel.runtime.spool import Entry, Spool, Stream
from modelkeel.wire.spool import MAGIC, PredictionBlock, encode_record, read_blocks

STREAM = Stream("e", "r", "m", 1, "champion", ("a", "b"), ("label",))
CANARY = Stream("e", "r2", "m", 2, "canary", ("a", "b"), ("label",))


def entry(number: int, rows: int, stream: Stream = STREAM, done: asyncio.Future[None] | None = None) -> Entry:
    values = [f"{number}.{i}" for i in range(rows)]
    entities = [f"who{number}"] * rows if number % 2 else None
    return Entry(stream, f"q{number}", number, 5, rows, [values, values], [values], [number] * rows, entities, done)


def blocks(folder: Path) -> tuple[list[PredictionBlock], int, int]:
    found, lost, torn = [], 0, 0
    for path in sorted(folder.glob("*.closed")):
        reader = read_blocks(path)
        found.extend(reader)
        lost += sum(gap.rows for gap in reader.gaps)
        torn += reader.torn_bytes
    return found, lost, torn


def test_rows_come_back_with_their_ids_and_entities(tmp_path: Path):
    spool = Spool(tmp_path, "w")
    for number in range(500):
        spool.add(entry(number, number % 4 + 1, CANARY if number % 3 == 0 else STREAM))
    spool.close()
    found, lost, torn = blocks(tmp_path)
    rows = {row.prediction_id: row for block in found for row in block.rows()}
    assert len(rows) == sum(block.size for block in found) == sum(n % 4 + 1 for n in range(500))
    for number in range(500):
        for i in range(number % 4 + 1):
            row = rows[f"q{number}.{i}"]
            assert row.inputs == {"a": f"{number}.{i}", "b": f"{number}.{i}"}
            assert row.outputs == {"label": f"{number}.{i}"}
            assert row.revision == ("r2" if number % 3 == 0 else "r")
            assert row.entity == (f"who{number}" if number % 2 else None)
            assert row.event_time == number
    assert (lost, torn) == (0, 0)
    assert not list(tmp_path.glob("*.counts"))


def test_a_torn_end_is_measured_at_every_length(tmp_path: Path):
    spool = Spool(tmp_path, "w")
    spool.add(entry(1, 2))
    spool.close()
    (path,) = tmp_path.glob("*.closed")
    whole = path.read_bytes()
    assert whole.startswith(MAGIC)
    two = whole + whole[len(MAGIC) :]
    for cut in range(len(whole), len(two)):
        path.write_bytes(two[:cut])
        reader = read_blocks(path)
        assert [block.size for block in reader] == [2]
        assert reader.torn_bytes == cut - len(whole)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    reader = read_blocks(path)
    assert list(reader) == []
    assert reader.torn_bytes == len(whole) - len(MAGIC)
    path.write_bytes(b"something else")
    with pytest.raises(Corrupt):
        list(read_blocks(path))


def test_a_full_ring_becomes_a_counted_gap(tmp_path: Path):
    spool = Spool(tmp_path, "w", ring_rows=10)
    for number in range(1, 101):
        spool.add(entry(number, 3))
    spool.close()
    found, lost, _ = blocks(tmp_path)
    assert lost > 0
    assert lost == spool.lost_rows
    assert sum(block.size for block in found) + lost == 300


async def test_who_waits_for_the_log_is_answered_when_it_is_on_disk(tmp_path: Path):
    spool = Spool(tmp_path, "w", ring_rows=4)
    done = asyncio.get_running_loop().create_future()
    spool.add(entry(1, 3, done=done))
    with pytest.raises(Unavailable):
        spool.add(entry(2, 3, done=asyncio.get_running_loop().create_future()))
    await asyncio.wait_for(done, 1)
    assert [block.requests for block in read_blocks(tmp_path / "w-00000000.open")] == [["q1"]]
    spool.close()


async def test_a_disk_that_fails_refuses_who_waits_and_counts_the_others(tmp_path: Path):
    folder = tmp_path / "spool"
    folder.mkdir()
    spool = Spool(folder, "w")
    folder.rename(tmp_path / "away")
    done = asyncio.get_running_loop().create_future()
    spool.add(entry(1, 3))
    spool.add(entry(2, 2, done=done))
    with pytest.raises(Unavailable):
        await asyncio.wait_for(done, 1)
    (tmp_path / "away").rename(folder)
    spool.add(entry(3, 1))
    spool.close()
    found, lost, _ = blocks(folder)
    assert [block.requests for block in found] == [["q3"]]
    assert lost == spool.lost_rows == 3


def test_what_a_crash_lost_is_counted_afterwards(tmp_path: Path):
    (tmp_path / "w-00000000.open").write_bytes(MAGIC + encode_record(read_sample()) + b"\x05\x00")
    (tmp_path / "w.counts").write_bytes(struct.pack("<QQQ", 9, int(time.time() * 1000), 2))
    assert recover(tmp_path) == 7
    found, lost, torn = blocks(tmp_path)
    assert (len(found), lost, torn) == (1, 7, 2)
    assert recover(tmp_path) == 0


def test_a_living_writer_is_left_alone(tmp_path: Path):
    spool = Spool(tmp_path, "w")
    spool.add(entry(1, 2))
    time.sleep(0.3)
    assert any_lives(tmp_path)
    assert recover(tmp_path) == 0
    assert (tmp_path / "w-00000000.open").exists()
    spool.close()
    assert not any_lives(tmp_path)
    assert blocks(tmp_path)[0][0].size == 2


def read_sample() -> PredictionBlock:
    return PredictionBlock("e", "r", "m", 1, "champion", ["q"], [2], [1], [1], [1, 1], [], {"a": [1, 2]}, {"l": [0, 1]})
