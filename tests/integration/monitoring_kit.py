"""What the monitoring tests share: a spool written by the runtime's own writer, and simulated traffic."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.ids import uuid7
from modelkeel.monitoring.ports import Place
from modelkeel.runtime.spool import Entry, Spool, Stream
from modelkeel.wire.serving import Variant

DAY = 86_400_000
START = 1_357_516_800_000  # Monday, 7 January 2013, midnight UTC


@dataclass
class Directory:
    """Endpoints known by id."""

    known: dict[str, Place] = field(default_factory=dict)

    async def places(self, endpoints: Iterable[str]) -> dict[str, Place]:
        return {name: self.known[name] for name in endpoints if name in self.known}


async def owner(keel: Keel) -> Principal:
    """The owner of a fresh home."""
    return await keel.identity.authenticate(keel.owner_token)


def spool_of(keel: Keel) -> Path:
    """The folder into which runtimes of this home write."""
    return keel.home.folder("serving/spool")


def stream(revision: str = "r1", variant: Variant = "champion", version: int = 1) -> Stream:
    """A revision of a model with two numbers and a text in, a probability out."""
    return Stream("e1", revision, "flights", version, variant, ("x", "y", "place"), ("label", "probability"))


@dataclass
class Rows:
    """Some rows with their truth."""

    ids: list[str]
    truth: np.ndarray[Any, Any]
    event: np.ndarray[Any, Any]
    columns: dict[str, Any]


def make_rows(
    rng: np.random.Generator, n: int, start: int, *, days: float = 7, shift: float = 0, skill: float = 1.5
) -> Rows:
    """`n` rows over some days: `x` drives the truth, `shift` moves `y`, `skill` is how well the score knows `x`."""
    x = rng.normal(size=n)
    y = rng.normal(size=n) + shift
    place = rng.choice(["EWR", "JFK", "LGA"], size=n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-1.5 * x))).astype(int)
    score = 1 / (1 + np.exp(-(skill * x + rng.normal(size=n) * 0.5)))
    event = np.sort(start + (rng.random(n) * days * DAY)).astype(np.int64)
    return Rows([], truth, event, {"x": x, "y": y, "place": place, "score": score})


def write_rows(spool: Spool, to: Stream, rows: Rows, *, batch: int = 1, ids: list[str] | None = None) -> list[str]:
    """Logs rows as the runtime does; returns their prediction ids."""
    made: list[str] = []
    score = rows.columns["score"]
    for at in range(0, len(rows.event), batch):
        part = slice(at, at + batch)
        count = len(rows.event[part])
        request = ids[at].rpartition(".")[0] if ids else uuid7()
        assert uuid.UUID(request)
        spool.add(
            Entry(
                stream=to,
                request=request,
                time=now_ms(),
                latency_us=150,
                rows=count,
                inputs=[
                    rows.columns["x"][part].tolist(),
                    rows.columns["y"][part].tolist(),
                    rows.columns["place"][part].tolist(),
                ],
                outputs=[(score[part] >= 0.5).astype(int).tolist(), [[1 - p, p] for p in score[part].tolist()]],
                event_times=rows.event[part].tolist(),
                entities=None,
            )
        )
        made += [f"{request}.{i}" for i in range(count)]
    return made
