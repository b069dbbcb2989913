"""The port `Retrain`, filled with pipelines."""

from collections.abc import Awaitable, Callable
from typing import Any

from modelkeel.core.access import Principal
from modelkeel.pipelines.models import ENDS
from modelkeel.pipelines.service import Pipelines

Launch = Callable[[Principal, str, dict[str, Any], dict[str, Any]], Awaitable[str]]


class PipelineRetrain:
    """Starts a pipeline by its last captured snapshot and follows its run.

    Args:
        launch: starts a run for a principal, a pipeline's name, parameters and a reason.
        pipelines: know how runs end.
    """

    def __init__(self, launch: Launch, pipelines: Pipelines) -> None:
        self._launch = launch
        self._pipelines = pipelines

    async def launch(self, principal: Principal, pipeline: str, params: dict[str, Any], reason: dict[str, Any]) -> str:
        """See `Retrain.launch`."""
        return await self._launch(principal, pipeline, params, reason)

    async def ended(self, principal: Principal, run: str) -> str | None:
        """See `Retrain.ended`."""
        status = (await self._pipelines.run(principal, run)).status
        return status if status in ENDS else None
