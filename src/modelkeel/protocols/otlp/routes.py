"""`POST /v1/traces`, as OpenTelemetry's exporters and the `mlflow` client send spans.

Protocol: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import asyncio
from typing import Any

from litestar import Request, Response, Router, post

from modelkeel.core.errors import InvalidInput
from modelkeel.http.auth import current_principal
from modelkeel.protocols.mlflow.errors import HANDLERS
from modelkeel.protocols.otlp import reading
from modelkeel.traces.service import Traces

_EXPERIMENT = "x-mlflow-experiment-id"
_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"


def router(traces: Traces) -> Router:
    """The routes of OTLP."""

    @post(
        "/v1/traces",
        status_code=200,
        include_in_schema=False,
        request_max_body_size=reading.LARGEST,
        opt={"writes": "measurement"},
    )
    async def export(request: Request[Any, Any, Any]) -> Response[bytes]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in {_PROTOBUF, _JSON}:
            raise InvalidInput(f"Spans are sent as {_PROTOBUF} or {_JSON}, got '{kind[:80]}'.")
        principal = current_principal(request)
        encoding = request.headers.get("content-encoding", "").strip().lower()
        body = await request.body()

        def read() -> list[Any]:
            return reading.spans(reading.unpack(body, encoding), as_json=kind == _JSON)

        spans = await asyncio.to_thread(read)
        await traces.log_spans(principal, request.headers.get(_EXPERIMENT, "") or "0", spans)
        return Response(b"{}" if kind == _JSON else b"", media_type=kind)

    return Router("/", route_handlers=[export], exception_handlers=HANDLERS)
