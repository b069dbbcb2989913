"""Prices and the bill over HTTP."""

from litestar import Router, get, put

from modelkeel.core.access import Principal
from modelkeel.costs.models import Bill, Prices, RunCost, StoredPrices
from modelkeel.costs.service import Costs


def router(costs: Costs) -> Router:
    """`/api/v1/prices`, `/api/v1/costs`."""

    @get("/prices", summary="Prices in force")
    async def prices(principal: Principal) -> StoredPrices:
        return await costs.prices(principal)

    @put("/prices", summary="Set prices", opt={"writes": "record"})
    async def set_prices(principal: Principal, data: Prices) -> StoredPrices:
        return await costs.set_prices(principal, data)

    @get("/costs", summary="What the workspace has cost so far")
    async def bill(principal: Principal) -> Bill:
        return await costs.bill(principal)

    @get("/costs/runs/{run_id:str}", summary="What one run has cost")
    async def run_cost(principal: Principal, run_id: str) -> RunCost:
        return RunCost(*await costs.run_cost(principal, run_id))

    return Router("/api/v1", route_handlers=[prices, set_prices, bill, run_cost], tags=["costs"])
