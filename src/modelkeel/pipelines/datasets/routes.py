"""Data sets over HTTP."""

from typing import Annotated

from litestar import Router, delete, get, post, put
from litestar.params import Parameter

from modelkeel.core.access import Principal
from modelkeel.pipelines.datasets.service import Datasets
from modelkeel.wire.datasets import (
    AddVersion,
    Dataset,
    DatasetDiff,
    DatasetVersion,
    DescribeDataset,
    UseVersion,
)

Number = Annotated[int, Parameter(ge=1, lt=1 << 31)]


def router(datasets: Datasets) -> Router:
    """`/api/v1/datasets`."""

    @get("/datasets", summary="Data sets, by name")
    async def every(principal: Principal) -> list[Dataset]:
        return await datasets.all(principal)

    @get("/datasets/{name:str}", summary="A data set with its versions")
    async def one(principal: Principal, name: str) -> Dataset:
        return await datasets.get(principal, name)

    @put("/datasets/{name:str}", summary="Make or describe a data set", opt={"writes": "record"})
    async def describe(principal: Principal, name: str, data: DescribeDataset) -> Dataset:
        return await datasets.describe(principal, name, data)

    @delete("/datasets/{name:str}", summary="Delete a data set", opt={"writes": "record"})
    async def remove(principal: Principal, name: str) -> None:
        await datasets.delete(principal, name)

    @post("/datasets/{name:str}/versions", summary="Add a version", opt={"writes": "record"})
    async def add(principal: Principal, name: str, data: AddVersion) -> DatasetVersion:
        return await datasets.add(principal, name, data)

    @get("/datasets/{name:str}/newest", summary="The newest version of a data set")
    async def newest(principal: Principal, name: str) -> DatasetVersion:
        return await datasets.version(principal, name, None)

    @get("/datasets/{name:str}/versions/{number:int}", summary="A version of a data set")
    async def version(principal: Principal, name: str, number: Number) -> DatasetVersion:
        return await datasets.version(principal, name, number)

    @delete("/datasets/{name:str}/versions/{number:int}", summary="Let go of a version", opt={"writes": "record"})
    async def remove_version(principal: Principal, name: str, number: Number) -> None:
        await datasets.delete_version(principal, name, number)

    @post(
        "/datasets/{name:str}/versions/{number:int}/uses",
        summary="Note that a run read a version",
        opt={"writes": "measurement"},
        status_code=204,
    )
    async def used(principal: Principal, name: str, number: Number, data: UseVersion) -> None:
        await datasets.used(principal, name, number, data.run_id)

    @get("/datasets/{name:str}/diff", summary="What differs between two versions")
    async def diff(principal: Principal, name: str, before: Number, after: Number) -> DatasetDiff:
        return await datasets.diff(principal, name, before, after)

    return Router(
        "/api/v1",
        route_handlers=[every, one, describe, remove, add, newest, version, remove_version, used, diff],
        tags=["datasets"],
    )
