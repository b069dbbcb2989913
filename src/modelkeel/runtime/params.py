"""What a caller may say beside the values: event times and entities, under `parameters`."""

from typing import Any

import msgspec

from modelkeel.core.clock import parse_rfc3339
from modelkeel.core.errors import InvalidInput

AHEAD_MS = 5 * 60 * 1000
_LAST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z


class Parameters(msgspec.Struct):
    """A request's `parameters`; others are ignored.

    Attributes:
        event_time: when it happened: milliseconds since 1970 or RFC 3339.
        event_times: the same, one a row.
        entity: whom the request is about; also decides between champion and canary.
        entities: the same for the log, one a row.
    """

    event_time: int | str | None = None
    event_times: list[int | str] | None = None
    entity: str | int | None = None
    entities: list[str | int] | None = None


def sticky_entity(parameters: Parameters | None) -> str | None:
    """The entity that decides which revision answers: the request's, or its only row's."""
    if parameters is None:
        return None
    if parameters.entity is not None:
        return str(parameters.entity)
    if parameters.entities is not None and len(parameters.entities) == 1:
        return str(parameters.entities[0])
    return None


def row_entities(parameters: Parameters | None, rows: int) -> list[str | None] | None:
    """The entity of each row, or None if there are none.

    Raises:
        InvalidInput: the list's length is not the number of rows.
    """
    if parameters is None:
        return None
    if parameters.entities is not None:
        if len(parameters.entities) != rows:
            raise InvalidInput(f"parameters.entities has {len(parameters.entities)} entries for {rows} rows.")
        return [str(entity) for entity in parameters.entities]
    return None if parameters.entity is None else [str(parameters.entity)] * rows


def row_times(parameters: Parameters | None, rows: int, now: int, *, simulated: bool) -> list[int]:
    """The event time of each row in milliseconds; `now` where the caller didn't say.

    Raises:
        InvalidInput: a time is malformed, more than 5 minutes ahead of `now` (unless `simulated`), or the list's
            length is not the number of rows.
    """
    if parameters is None or (parameters.event_time is None and parameters.event_times is None):
        return [now] * rows
    if parameters.event_times is None:
        return [_time(parameters.event_time, "event_time", now, simulated=simulated)] * rows
    if len(parameters.event_times) != rows:
        raise InvalidInput(f"parameters.event_times has {len(parameters.event_times)} entries for {rows} rows.")
    return [_time(time, f"event_times[{i}]", now, simulated=simulated) for i, time in enumerate(parameters.event_times)]


def _time(value: Any, field: str, now: int, *, simulated: bool) -> int:
    try:
        ms = parse_rfc3339(value) if isinstance(value, str) else int(value)
    except (InvalidInput, OverflowError) as error:
        raise InvalidInput(f"parameters.{field}: {error}") from error
    if not 0 <= ms <= _LAST:
        raise InvalidInput(f"parameters.{field} is out of range.", hint="Give milliseconds since 1970 or RFC 3339.")
    if not simulated and ms > now + AHEAD_MS:
        raise InvalidInput(
            f"parameters.{field} is more than 5 minutes in the future.",
            hint="Only an endpoint that was created as simulated takes such times.",
        )
    return ms
