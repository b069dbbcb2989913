"""Runs that the server makes itself, by the name of their experiment."""

from modelkeel.core.access import Principal
from modelkeel.core.errors import AlreadyExists, NotFound
from modelkeel.tracking.models import RunStatus
from modelkeel.tracking.service import Tracking


class MadeRuns:
    """Makes and ends the run behind a pipeline run.

    Args:
        tracking: where the runs are.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    async def make(self, principal: Principal, experiment: str, name: str, tags: dict[str, str]) -> str:
        """A new run in the experiment of that name, made where it is missing; returns the run's id."""
        identity = await self._experiment(principal, experiment)
        return (await self._tracking.create_run(principal, identity, name=name, tags=tags)).id

    async def end(self, principal: Principal, run_id: str, status: str) -> None:
        """Ends the run unless it has ended: `FINISHED`, `FAILED` or `KILLED`."""
        run = await self._tracking.get_run(principal, run_id)
        if not run.status.ended:
            await self._tracking.end_run(principal, run_id, RunStatus(status))

    async def _experiment(self, principal: Principal, name: str) -> str:
        try:
            return (await self._tracking.experiment_named(principal, name)).id
        except NotFound:
            try:
                return await self._tracking.create_experiment(principal, name)
            except AlreadyExists:  # somebody else made it meanwhile
                return (await self._tracking.experiment_named(principal, name)).id
