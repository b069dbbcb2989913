"""Durations and sizes as people write them: `90s`, `7d`, `512MiB`."""

import re

from modelkeel.core.errors import InvalidInput

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|[smhdw])")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT]?)(i?)B?")


def seconds(duration: str | float) -> float:
    """Seconds of `90s`, `15m`, `6h`, `7d`, `2w` or `250ms`; a number is seconds already.

    Raises:
        InvalidInput: another form, or not positive.
    """
    if isinstance(duration, str):
        found = _DURATION.fullmatch(duration.strip())
        if found is None:
            raise InvalidInput(
                f"{duration!r} is not a duration.", hint="Write a number and one of ms, s, m, h, d, w: 7d."
            )
        duration = float(found[1]) * _SECONDS[found[2]]
    if not duration > 0:
        raise InvalidInput(f"A duration is positive, not {duration}.")
    return float(duration)


def size(text: str | int) -> int:
    """Bytes of `512MiB`, `2GB` or `100K`; a number is bytes already. `i` stands for powers of 1024, else of 1000.

    Raises:
        InvalidInput: another form, or not positive.
    """
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if isinstance(text, str) and found is None:
        raise InvalidInput(f"{text!r} is not a size.", hint="Write a number and a unit: 512MiB, 2GB.")
    count = int(text) if found is None else round(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]])
    if count <= 0:
        raise InvalidInput(f"A size is positive, not {count}.")
    return count
