"""After a crash: closes the spool files of dead runtimes and counts the rows that never reached the disk."""

import fcntl
from pathlib import Path

from modelkeel.runtime.spool import COUNTS, FLUSH_SECONDS
from modelkeel.wire.spool import MAGIC, Gap, encode_record


def recover(folder: Path) -> int:
    """Closes what dead runtimes left open and counts what they lost; those that live are left alone.

    Args:
        folder: the spool folder.

    Returns:
        How many rows were answered and never written.
    """
    lost = 0
    for counts in folder.glob("*.counts"):
        lost += recover_worker(folder, counts.stem)
    return lost


def recover_worker(folder: Path, worker: str) -> int:
    """The same for one runtime."""
    counts = folder / f"{worker}.counts"
    if not counts.exists() or _lives(counts):
        return 0
    for path in folder.glob(f"{worker}-*.open"):
        path.rename(path.with_suffix(".closed"))
    data = counts.read_bytes()
    lost = 0
    if len(data) == COUNTS.size:
        accepted, last, written = COUNTS.unpack(data)
        lost = accepted - written
        if lost > 0:
            gap = encode_record(Gap(lost, last - int(2 * FLUSH_SECONDS * 1000), last, "crash"))
            part = folder / f"{worker}-gap.part"
            part.write_bytes(MAGIC + gap)
            part.rename(part.with_suffix(".closed"))
    counts.unlink()
    return max(lost, 0)


def any_lives(folder: Path) -> bool:
    """Whether a runtime still writes to this spool folder, as one that lost its supervisor does while it drains."""
    return any(_lives(counts) for counts in folder.glob("*.counts"))


def _lives(counts: Path) -> bool:
    try:
        with counts.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
