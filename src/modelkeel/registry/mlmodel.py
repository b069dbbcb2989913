"""Reads the file `MLmodel` of a version. A client wrote it, so it is data, small and shallow, or it is not read."""

from typing import Any

import yaml  # type: ignore[import-untyped]
from yaml.events import CollectionEndEvent, CollectionStartEvent  # type: ignore[import-untyped]

NAME = "MLmodel"
LARGEST = 1 << 20
NODES = 20_000
DEEPEST = 50
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_mlmodel(content: bytes) -> dict[str, Any] | None:
    """The file's fields; None if it is none, or larger, deeper or of more parts than a real one.

    It takes up to a tenth of a second, so not in an event loop.

    Args:
        content: of the file; schemas in it are text, so even those of thousands of columns have few parts.
    """
    if len(content) > LARGEST:
        return None
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(content, Loader=_LOADER)):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if number > NODES or depth > DEEPEST:
                return None
        found = _LOADER(content).get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
