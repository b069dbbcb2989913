"""Seals: a digest over everything a run holds, recorded some quiet time after it ended.

The digest is `digest_of` of
`{"params": {…}, "tags": {…}, "inputs": [[name, digest, {tags}], …], "models": {"in": […], "out": [[id, step], …]},
"artifacts": tree digest, "metrics": {key: {"points": n, "digest": sha256}}}`. A metric's own digest is the SHA-256 of
its points in order of (step, timestamp, value), each as 25 big-endian bytes: step and timestamp (signed, 8 bytes each),
value (IEEE 754 double), 1 if it is NaN.
"""

import asyncio
from typing import Any

from modelkeel.core.access import Principal
from modelkeel.core.clock import now_ms
from modelkeel.core.hashing import digest_of
from modelkeel.core.points import digest_points
from modelkeel.ledger.service import SYSTEM
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import ArtifactOwner, Run, tree_of

QUIET_SECONDS = 3.0


def digest_run(run: Run, artifacts: str, metrics: dict[str, tuple[int, str]]) -> str:
    """The seal of a run, given its artifact tree's digest and its metrics' counts and digests."""
    content: dict[str, Any] = {
        "params": run.params,
        "tags": run.tags,
        "inputs": [[i.name, i.digest, i.tags] for i in sorted(run.inputs, key=lambda i: (i.name, i.digest))],
        "models": {
            "in": sorted(run.model_inputs),
            "out": sorted([model.model_id, model.step] for model in run.model_outputs),
        },
        "artifacts": artifacts,
        "metrics": {key: {"points": count, "digest": digest} for key, (count, digest) in metrics.items()},
    }
    return digest_of(content)


class Seals(Base):
    """Makes seals in the background."""

    async def seal_quiet_runs(self, quiet_seconds: float = QUIET_SECONDS, limit: int = 100) -> int:
        """Seals ended runs to which nobody wrote for a while; returns how many."""
        before = now_ms() - round(quiet_seconds * 1000)
        waiting = await self._db.read(lambda tx: list(store.runs.unsealed(tx, before, limit)))
        for row in waiting:
            await self._seal(row)
        return len(waiting)

    async def seal_for_ever(self) -> None:
        """The worker: looks every second."""
        while True:
            if await self.seal_quiet_runs() == 0:
                await asyncio.sleep(1.0)

    async def _seal(self, row: Any) -> None:
        def read(tx: Tx) -> tuple[str, int, int] | None:
            run = store.runs.get(tx, row.workspace, row.id)
            now = store.runs.find(tx, row.workspace, row.id)
            if run is None or now is None or now.revision != row.revision:
                return None
            tree = tree_of(store.artifacts.under(tx, ArtifactOwner.run(row.id), ""))
            metrics = {
                key.name: digest_points(store.metrics.ordered(tx, row.seq, key.key))
                for key in store.metrics.keys_of(tx, row.seq)
            }
            return digest_run(run, tree.digest, metrics), len(tree.files), sum(count for count, _ in metrics.values())

        made = await self._db.read(read)
        if made is None:
            return
        digest, files, points = made
        actor = Principal(SYSTEM.id, SYSTEM.name, SYSTEM.kind, row.workspace, SYSTEM.permissions)

        def write(tx: Tx) -> None:
            now = store.runs.find(tx, row.workspace, row.id)
            if now is None or now.revision != row.revision or now.unsealed is None:
                return  # written to meanwhile: its next quiet time brings it back
            store.runs.change(tx, row.seq, seal=digest, unsealed=None)
            data = {"digest": digest, "files": files, "points": points}
            self._ledger.record(tx, actor, "run.sealed", {"run": row.id}, data)

        await self._db.write(write)
