"""What the monitoring tests share: a spool written by the runtime's own writer, and simulated traffic."""

import json
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from modelkeel.app import Keel
from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.credentials import Credential, Shown
from modelkeel.core.errors import NotFound
from modelkeel.core.ids import uuid7
from modelkeel.identity.authorizer import RoleAuthorizer
from modelkeel.ledger import models as ledger
from modelkeel.monitoring.ports import Place
from modelkeel.monitoring.segments import parquet
from modelkeel.monitoring.service import Monitoring
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


@dataclass
class References:
    """References by model version."""

    known: dict[tuple[str, int], bytes] = field(default_factory=dict)

    async def reference(self, workspace: str, model: str, version: int, path: str) -> bytes | None:  # noqa: ARG002
        return self.known.get((model, version))


@dataclass
class Launches:
    """Pipelines that were asked for; a test says how they end."""

    asked: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)

    async def launch(self, _principal: Principal, pipeline: str, params: dict[str, Any], reason: dict[str, Any]) -> str:
        if pipeline == "missing":
            raise NotFound("There is no pipeline 'missing'.")
        self.asked.append((pipeline, params, reason))
        return f"run-{reason['action']}"

    async def ended(self, _principal: Principal, run: str) -> str | None:
        return self.ends.get(run)


@dataclass
class Rig:
    """Monitoring over a real database, blob store and ledger, with what surrounds it."""

    keel: Keel
    principal: Principal
    monitoring: Monitoring
    directory: Directory
    references: References
    launches: Launches
    files: int = 0

    def write(self, rows: "Rows", to: Stream, ids: list[str] | None = None, *, batch: int = 50) -> list[str]:
        """Writes rows as one runtime does and hands the files over; returns the prediction ids."""
        with tempfile.TemporaryDirectory(dir=self.keel.home.path) as scratch:
            spool = Spool(Path(scratch), "w1")
            made = write_rows(spool, to, rows, batch=batch, ids=ids)
            spool.close()
            for file in sorted(Path(scratch).glob("*.closed")):
                self.files += 1
                file.rename(spool_of(self.keel) / f"w1-{self.files:08d}.closed")
        return made

    async def settle(self) -> None:
        """Everything that was logged is judged."""
        while await self.monitoring.tick(eager=True):
            pass

    async def log(self, rows: "Rows", to: Stream | None = None, *, label: bool = True) -> list[str]:
        """Logs rows, and then their labels."""
        ids = self.write(rows, to or stream())
        if label:
            await self.label(ids, rows.truth)
        return ids

    async def label(self, ids: list[str], truth: Any) -> None:
        """Sends labels."""
        body = json.dumps({"prediction_ids": ids, "labels": [int(t) for t in truth]})
        await self.monitoring.add_labels(self.principal, body.encode())

    async def entries(self, kind: str) -> list[ledger.Entry]:
        """Ledger entries of a type."""
        return await self.keel.ledger.entries(self.principal, types=[kind], limit=1000)


async def rig(keel: Keel) -> Rig:
    """A fresh one with the endpoint `flights`."""
    principal = await owner(keel)
    directory = Directory({"e1": Place("e1", principal.workspace, "flights")})
    references, launches = References(), Launches()
    monitoring = Monitoring(
        keel.database,
        keel.ledger,
        keel.blobs,
        RoleAuthorizer(),
        keel.identity,
        spool=spool_of(keel),
        directory=directory,
        references=references,
        retrain=launches,
    )
    return Rig(keel, principal, monitoring, directory, references, launches)


def reference_of(rows: "Rows", *, event_time: bool = False) -> bytes:
    """Rows as the reference file of a training run."""
    columns = {**rows.columns, "label": rows.truth}
    if event_time:
        columns["event_time"] = rows.event
    return parquet(pl.DataFrame(columns))


async def owner(keel: Keel) -> Principal:
    """The owner of a fresh home."""
    return await keel.identity.authenticate(Credential(Shown.TOKEN, keel.owner_token))


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
        request = ids[at // batch].rpartition(".")[0] if ids else uuid7()
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
