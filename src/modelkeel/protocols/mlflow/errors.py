"""Errors as the `mlflow` client reads them: `{"error_code": …, "message": …}`.

The client tries 408, 429, 500, 502, 503 and 504 again, so a user's mistake is never one of these.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from modelkeel.core.errors import AlreadyExists, InvalidInput, KeelError, NotServed, TooMany
from modelkeel.protocols.mlflow.not_served import Left, left_out

log = logging.getLogger(__name__)
Answer = Callable[[Request[Any, Any, Any], HTTPException], Response[Any]]
_PROTOCOL = ("/api/2.0/", "/api/3.0/", "/ajax-api/")


class MlflowError(msgspec.Struct, frozen=True):
    """MLflow's error body."""

    error_code: str
    message: str


def answer_keel_error(_request: Request[Any, Any, Any], error: KeelError) -> Response[MlflowError]:
    """Our own errors under MLflow's codes; reasons and hint are part of the message."""
    status = 400 if isinstance(error, AlreadyExists) else 401 if isinstance(error, TooMany) else error.status
    return _answer(status, error.code, str(error))


def answer_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[MlflowError]:
    """The framework's errors."""
    code = "ENDPOINT_NOT_FOUND" if error.status_code in {404, 405} else "BAD_REQUEST"
    return _answer(error.status_code, code, error.detail)


def beside(other: Answer) -> Answer:
    """The answer to the router's own errors: MLflow's form at MLflow's addresses, `other` anywhere else.

    An address that lies beside a route, or is asked by another method, never reaches a handler of the protocol.
    """

    def answer(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        path = request.url.path
        if not path.startswith(_PROTOCOL):
            return other(request, error)
        left = left_out(path) if error.status_code in {404, 405} else None
        if left is not None:
            return answer_keel_error(request, not_served(left))
        return answer_http_error(request, error)

    return answer


def not_served(left: Left) -> NotServed:
    """What is said of a part that is left out."""
    return NotServed(f"{left.what}: left out on purpose, see docs/reference/not-served.md.", hint=left.instead)


def answer_bad_body(_request: Request[Any, Any, Any], error: msgspec.MsgspecError) -> Response[MlflowError]:
    """A body that is not JSON or not of the right shape."""
    return _answer(400, InvalidInput.code, f"Invalid request: {error}. See the API docs for more information.")


def answer_surprise(_request: Request[Any, Any, Any], error: Exception) -> Response[MlflowError]:
    """Anything we did not expect: logged whole, answered without internals."""
    log.error("unexpected error", exc_info=error)
    return _answer(500, "INTERNAL_ERROR", "Something unexpected went wrong; the server's log has it.")


def _answer(status: int, code: str, message: str) -> Response[MlflowError]:
    return Response(MlflowError(code, message), status_code=status, media_type="application/json")


HANDLERS: dict[Any, Any] = {
    KeelError: answer_keel_error,
    HTTPException: answer_http_error,
    msgspec.MsgspecError: answer_bad_body,
    Exception: answer_surprise,
}
