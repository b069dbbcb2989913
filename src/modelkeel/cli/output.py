"""How commands print results for machines."""

import sys
from typing import Any

import msgspec


def print_json(value: Any) -> None:
    """One JSON value on a line of its own, on standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
