"""The registry for the page and the command line; the `mlflow` client has routes of its own in `protocols`."""

import asyncio
from functools import partial
from typing import Annotated, Any

from litestar import Request, Router, get, route
from litestar.params import Parameter
from litestar.response.base import ASGIResponse

from modelkeel.core.access import Principal
from modelkeel.core.errors import NotFound
from modelkeel.http.files import file_answer
from modelkeel.registry import mlmodel
from modelkeel.registry.service import Registry
from modelkeel.registry.views import (
    ModelPage,
    ModelView,
    VersionDetail,
    VersionView,
    model_row,
    parse_schema,
    version_view,
)
from modelkeel.tracking.service import Tracking


def router(registry: Registry, tracking: Tracking) -> Router:
    """`/api/v1/models…`."""

    @get("/models", summary="Registered models, by name")
    async def models(
        principal: Principal,
        filter: str = "",  # noqa: A002 - MLflow's word
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
        token: str = "",
    ) -> ModelPage:
        found, more = await registry.search_models(principal, filter=filter, limit=limit, token=token)
        latest = await registry.latest_versions(principal, [model.name for model in found])
        return ModelPage([model_row(m, latest[m.name].version if m.name in latest else None) for m in found], more)

    @get("/models/{name:str}", summary="A registered model and its versions")
    async def model(principal: Principal, name: str) -> ModelView:
        found = await registry.model(principal, name)
        versions = await registry.list_versions(principal, name)
        row = model_row(found, versions[0].version if versions else None)
        return ModelView(row, [version_view(version) for version in versions])

    @get("/models/{name:str}/versions/{version:int}", summary="A version with its files and schema")
    async def version(principal: Principal, name: str, version: int) -> VersionDetail:
        found = await registry.model_version(principal, name, version)
        described = next((file for file in found.files if file.path == mlmodel.NAME), None)
        schema = None
        if described is not None and described.size <= mlmodel.LARGEST:
            content = b"".join([piece async for piece in tracking.stream(described)])
            schema = await asyncio.to_thread(parse_schema, content)
        return VersionDetail(version_view(found), found.files, schema, found.source, found.artifact_uri)

    @route(
        "/models/{name:str}/versions/{version:int}/files/{path:path}",
        http_method=["GET", "HEAD"],
        summary="A file of a version, or a range of it",
        media_type="application/octet-stream",
    )
    async def version_file(
        request: Request[Any, Any, Any], principal: Principal, name: str, version: int, path: str
    ) -> ASGIResponse:
        found = await registry.model_version(principal, name, version)
        wanted = path.removeprefix("/")
        file = next((file for file in found.files if file.path == wanted), None)
        if file is None:
            raise NotFound(f"Version {version} of {name} has no file {wanted!r}.")
        return await file_answer(request, file.path, file.digest, file.size, partial(tracking.stream, file))

    @get("/runs/{run_id:str}/versions", summary="Versions that a run is behind")
    async def of_run(principal: Principal, run_id: str) -> list[VersionView]:
        return [version_view(found) for found in await registry.versions_of_run(principal, run_id)]

    return Router("/api/v1", route_handlers=[models, model, version, version_file, of_run], tags=["registry"])
