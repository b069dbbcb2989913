"""Errors as the `mlflow` client reads them: `{"error_code": …, "message": …}`.

The client tries 408, 429, 500, 502, 503 and 504 again, so a user's mistake is never one of these.
"""

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from modelkeel.core.errors import AlreadyExists, InvalidInput, KeelError, TooMany

log = logging.getLogger(__name__)


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
