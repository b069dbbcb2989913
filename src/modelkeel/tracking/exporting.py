"""Use cases of moving out: everything that an experiment holds, in any lifecycle, page by page."""

import itertools

import msgspec

from modelkeel.core.access import Principal
from modelkeel.core.errors import NotFound
from modelkeel.core.points import Point
from modelkeel.storage.transaction import Tx
from modelkeel.tracking import store
from modelkeel.tracking.base import Base
from modelkeel.tracking.models import ArtifactFile, ArtifactOwner, Experiment, LoggedModel, Run
from modelkeel.tracking.store import importing


class WholeRun(msgspec.Struct, frozen=True):
    """A run with its files and the names of its metrics."""

    run: Run
    files: list[ArtifactFile]
    keys: list[str]


class Exporting(Base):
    """Read all of it."""

    async def every_experiment(self, principal: Principal) -> list[Experiment]:
        """The workspace's experiments that the principal may read, also deleted ones, oldest first."""
        self._may_read(principal, "experiments")
        seen = self._seen(principal)

        def work(tx: Tx) -> list[Experiment]:
            rows = [row for row in importing.experiments_of(tx, principal.workspace) if row.id in seen]
            return store.experiments.load(tx, rows)

        return await self._db.read(work)

    async def whole_runs(
        self, principal: Principal, experiment: str, after: int, limit: int
    ) -> tuple[list[WholeRun], int | None]:
        """Runs in the order in which they came, also deleted ones, and where the next page begins."""
        self._may_read(principal, "runs")
        wanted = await self._experiment_id(principal, experiment)

        def work(tx: Tx) -> tuple[list[WholeRun], int | None]:
            self._exported(tx, principal, wanted)
            rows = [
                store.runs.RunRow(*tuple(r))
                for r in importing.runs_after(tx, principal.workspace, wanted, after, limit)
            ]
            found = [
                WholeRun(
                    run,
                    store.artifacts.under(tx, ArtifactOwner.run(run.id), ""),
                    [key.name for key in store.metrics.keys_of(tx, row.seq)],
                )
                for row, run in zip(rows, store.runs.load(tx, rows), strict=True)
            ]
            return found, rows[-1].seq if len(rows) == limit else None

        return await self._db.read(work)

    async def whole_series(
        self, principal: Principal, run_id: str, key: str, start: int, limit: int
    ) -> tuple[list[Point], int | None]:
        """Points of a metric in order of step, time and value, and the number of the next one."""
        self._may_read(principal, "runs")

        def work(tx: Tx) -> tuple[list[Point], int | None]:
            run = self._run_seen(tx, principal, run_id)
            if run is None:
                raise NotFound(f"Run with id={run_id} not found")
            number = store.metrics.key_id(tx, principal.workspace, key)
            if number is None:
                return [], None
            points = list(itertools.islice(store.metrics.ordered(tx, run.seq, number), start, start + limit))
            return points, start + limit if len(points) == limit else None

        return await self._db.read(work)

    async def whole_models(self, principal: Principal, experiment: str) -> list[tuple[LoggedModel, list[ArtifactFile]]]:
        """An experiment's logged models with their files, also deleted ones."""
        self._may_read(principal, "logged models")
        wanted = await self._experiment_id(principal, experiment)

        def work(tx: Tx) -> list[tuple[LoggedModel, list[ArtifactFile]]]:
            self._exported(tx, principal, wanted)
            found = store.logged_models.load(tx, importing.logged_models_of(tx, principal.workspace, wanted))
            return [(model, store.artifacts.under(tx, ArtifactOwner.model(model.id), "")) for model in found]

        return await self._db.read(work)

    def _exported(self, tx: Tx, principal: Principal, experiment: str) -> None:
        lifecycle = store.experiments.lifecycle_of(tx, principal.workspace, experiment)
        if lifecycle is None or not self._reads(principal, experiment):
            raise NotFound(f"No Experiment with id={experiment} exists")
