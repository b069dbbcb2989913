"""How windows lie in the database: counts, profiles and verdicts as MessagePack, labelled rows as Parquet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from modelkeel.core import lazy_polars as pl
from modelkeel.monitoring import segments
from modelkeel.monitoring.models import RevisionWindow
from modelkeel.monitoring.profile import Profile
from modelkeel.monitoring.stats import Key, WindowStats

Row = sa.Row[Any]
SHADOW = "shadow"
_stats = msgspec.msgpack.Decoder(WindowStats)
_profile = msgspec.msgpack.Decoder(Profile)
_window = msgspec.msgpack.Decoder(RevisionWindow)
encode = msgspec.msgpack.Encoder().encode


def decode_stats(payload: bytes) -> WindowStats:
    """Stored counts."""
    return _stats.decode(payload)


def decode_profile(payload: bytes) -> Profile:
    """A stored profile."""
    return _profile.decode(payload)


def decode_window(payload: bytes) -> RevisionWindow:
    """A stored verdict."""
    return _window.decode(payload)


def merged_stats(rows: Iterable[Row], revision: str, *, shadow: bool = False) -> WindowStats | None:
    """The counts of a revision in a window, over the parts it played."""
    whole: WindowStats | None = None
    for row in rows:
        if row.revision == revision and (row.variant == SHADOW) == shadow:
            found = decode_stats(row.stats)
            whole = found if whole is None else whole.merged(found)
    return whole


def labelled_rows(parts: Iterable[Row]) -> dict[Key, pl.DataFrame]:
    """The labelled rows of a window by revision and variant: of several labels of a row the last counts."""
    found: dict[Key, list[pl.DataFrame]] = {}
    for part in parts:
        found.setdefault(Key(part.start, part.revision, part.variant), []).append(segments.read(part.payload))
    return {
        key: pl.concat(frames).unique(["request", "row"], keep="last", maintain_order=True)
        for key, frames in found.items()
    }
