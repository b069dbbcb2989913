"""MLflow's protocol on one router, with errors in MLflow's form."""

from typing import Any

import msgspec
from litestar import Request, Response, Router, get, route
from litestar.exceptions import NotFoundException

from modelkeel.collaboration.service import Webhooks
from modelkeel.core.access import Principal
from modelkeel.identity.grants import Access
from modelkeel.identity.service import Identity
from modelkeel.protocols.mlflow.artifacts import artifact_routes
from modelkeel.protocols.mlflow.endpoint import Nothing, endpoint
from modelkeel.protocols.mlflow.errors import HANDLERS, not_served
from modelkeel.protocols.mlflow.evaluation import evaluation_routes, record_routes
from modelkeel.protocols.mlflow.histories import history_routes
from modelkeel.protocols.mlflow.models import alias_routes, logged_model_routes, model_routes, version_routes
from modelkeel.protocols.mlflow.not_served import left_out
from modelkeel.protocols.mlflow.traces import assessment_routes, trace_routes
from modelkeel.protocols.mlflow.tracking import experiment_routes, run_routes, series_routes
from modelkeel.protocols.mlflow.transfers import transfer_routes
from modelkeel.protocols.mlflow.users import permission_routes, role_routes, user_routes
from modelkeel.protocols.mlflow.webhooks import webhook_routes
from modelkeel.registry.service import Registry
from modelkeel.traces.service import Traces
from modelkeel.tracking.service import Tracking

_NOTHING = {"writes": "nothing"}
_UNSERVED = [
    "/graphql",
    # Else they would be taken for a trace's id.
    *(
        f"/{root}/3.0/mlflow/traces/{name}"
        for root in ("api", "ajax-api")
        for name in ("metrics", "calculate-filter-correlation")
    ),
    *(
        f"/{root}/{protocol}/{{rest:path}}"
        for root in ("api", "ajax-api")
        for protocol in ("2.0/mlflow", "3.0/mlflow", "2.0/mlflow-artifacts")
    ),
]
MLFLOW_VERSION = "3.17.2"  # the protocol that we speak; the client asks before it uses newer calls


class ServerInfo(msgspec.Struct, frozen=True):
    """What the client may use beyond the core."""

    store_type: str = "SqlStore"
    workspaces_enabled: bool = False
    trace_archival_enabled: bool = False
    multipart_uploads_enabled: bool = False
    multipart_downloads_enabled: bool = False


def router(
    tracking: Tracking, registry: Registry, traces: Traces, webhooks: Webhooks, identity: Identity, access: Access
) -> Router:
    """`/api/2.0/mlflow…`, `/api/3.0/mlflow…`, the same under `/ajax-api`, and `/version`."""

    async def server_info(_principal: Principal, _asked: Nothing) -> ServerInfo:
        return ServerInfo(multipart_uploads_enabled=tracking.parts_pay)

    @get("/version", include_in_schema=False, opt={"open": True})
    async def version() -> Response[str]:
        return Response(MLFLOW_VERSION, media_type="text/plain")

    @route(_UNSERVED, http_method=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False, opt=_NOTHING)
    async def unserved(request: Request[Any, Any, Any]) -> None:
        left = left_out(request.url.path)
        if left is not None:
            raise not_served(left)
        raise NotFoundException(
            f"This server does not serve {request.method} {request.url.path}. See docs/reference/differences.md."
        )

    return Router(
        "/",
        route_handlers=[
            version,
            unserved,
            endpoint("GET", "/mlflow/server-info", Nothing, server_info, versions=("3.0",)),
            *experiment_routes(tracking),
            *run_routes(tracking),
            *series_routes(tracking),
            *history_routes(tracking),
            *logged_model_routes(tracking),
            *model_routes(registry),
            *alias_routes(registry),
            *version_routes(registry),
            *webhook_routes(webhooks),
            *artifact_routes(tracking),
            *transfer_routes(tracking),
            *user_routes(identity, access),
            *role_routes(identity, access),
            *permission_routes(identity, access, tracking, registry),
            *trace_routes(traces),
            *assessment_routes(traces),
            *evaluation_routes(traces),
            *record_routes(traces),
        ],
        exception_handlers=HANDLERS,
    )
