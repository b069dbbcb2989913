"""OpenLineage events of a run over HTTP."""

from typing import Any

from litestar import Router, get

from modelkeel.core.access import Principal
from modelkeel.protocols.openlineage.service import OpenLineage


def router(lineage: OpenLineage) -> Router:
    """`/api/v1/runs/…/openlineage`."""

    @get("/runs/{run_id:str}/openlineage", summary="A run as OpenLineage events")
    async def of_run(principal: Principal, run_id: str) -> list[dict[str, Any]]:
        return await lineage.of_run(principal, run_id)

    return Router("/api/v1", route_handlers=[of_run], tags=["lineage"])
