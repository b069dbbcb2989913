"""Time: whole milliseconds since 1970 inside and on MLflow's wire, RFC 3339 UTC everywhere else."""

import time
from datetime import UTC, datetime

from modelkeel.core.errors import InvalidInput


def now_ms() -> int:
    """Milliseconds since 1970 by the system clock."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-11-23T06:30:16.123Z` for milliseconds since 1970 (RFC 3339, always UTC, three digits)."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


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
