"""When a schedule is due: cron expressions in a time zone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from modelkeel.core.errors import InvalidInput

MOST_MISSED = 100
GRACE_MS = 60_000
"""A server that starts within a minute of a due time was not down for it."""


def check_cron(cron: str, timezone: str) -> None:
    """Refuses an expression that is none, is never due, or stands in no known time zone.

    Raises:
        InvalidInput: it does.
    """
    if next_due(cron, timezone, 0) is None:
        raise InvalidInput(f"{cron!r} is never due.")


def next_due(cron: str, timezone: str, after: int) -> int | None:
    """The first due time after a moment, both in milliseconds since 1970; None: never.

    Raises:
        InvalidInput: the expression or the time zone is none.
    """
    return next(_times(cron, timezone, after), None)


def missed(cron: str, timezone: str, first: int, now: int) -> list[int]:
    """The due times from `first` to `now`, both included, of which only the newest hundred are kept."""
    found = [first]
    for moment in takewhile(lambda due: due <= now, _times(cron, timezone, first)):
        found.append(moment)
        if len(found) > MOST_MISSED:
            del found[0]
    return found


def caught_up(policy: str, due: list[int], now: int) -> list[int]:
    """For which of the due times a run is started.

    Args:
        policy: `latest`, `all` or `none`.
        due: times that have come, oldest first.
        now: the time now.
    """
    if policy == "all":
        return due
    if policy == "none" and now - due[-1] > GRACE_MS:
        return []
    return due[-1:]


def day(moment: int, timezone: str) -> str:
    """The date of a moment in a time zone, `2026-11-24`."""
    return f"{datetime.fromtimestamp(moment / 1000, _zone(timezone)):%Y-%m-%d}"


def _times(cron: str, timezone: str, after: int) -> Iterator[int]:
    begin = datetime.fromtimestamp(after / 1000, UTC).astimezone(_zone(timezone))
    try:
        simulated = CronSim(cron, begin)
    except CronSimError as error:
        raise InvalidInput(
            f"{cron[:100]!r} is no cron expression: {error}.",
            hint="Write minute, hour, day of month, month, day of week: `30 2 * * MON-FRI`.",
        ) from error
    return (round(moment.timestamp() * 1000) for moment in simulated)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"There is no time zone {name[:100]!r}.", hint="Write it like Europe/Vienna.") from error
