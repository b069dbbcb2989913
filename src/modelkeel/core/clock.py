"""Time: whole milliseconds since 1970 inside and on MLflow's wire, RFC 3339 UTC everywhere else."""

import time
from datetime import UTC, datetime
from functools import lru_cache

from modelkeel.core.errors import InvalidInput


def now_ms() -> int:
    """Milliseconds since 1970 by the system clock."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-11-23T06:30:16.123Z` for milliseconds since 1970 (RFC 3339, always UTC, three digits)."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=1000)
def _second(seconds: int) -> str:
    """Kept, because a busy server formats the same second many times."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970 for an RFC 3339 time; a time without an offset is UTC.

    Raises:
        InvalidInput: `text` is not such a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not a time.", hint="Write it like 2026-11-23T06:30:00Z.") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
