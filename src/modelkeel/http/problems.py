"""Errors as problem details (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from modelkeel.core.errors import InvalidInput, KeelError, Refused, TooMany, Unauthenticated

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457 members, and ours: `code` for machines, `hint` what to do next, `reasons` of a refusal."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    hint: str = ""
    reasons: list[str] = []


def answer_keel_error(_request: Request[Any, Any, Any], error: KeelError) -> Response[Problem]:
    """Our own errors, with their hint."""
    reasons = list(error.reasons) if isinstance(error, Refused) else []
    answer = _answer(error.status, error.message, error.code, error.hint, reasons)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.seconds)
    if isinstance(error, Unauthenticated):
        answer.headers["WWW-Authenticate"] = 'Bearer realm="modelkeel"'
    return answer


def answer_http_error(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """The framework's errors: a body that does not fit, an unknown path."""
    detail = error.detail
    extra = getattr(error, "extra", None)
    if isinstance(extra, list) and extra:
        parts = [f"{e.get('key', '')}: {e.get('message', '')}".strip(": ") for e in extra if isinstance(e, dict)]
        detail = f"{detail}: {'; '.join(parts)}"
    return _answer(error.status_code, detail, HTTPStatus(error.status_code).name)


def answer_bad_body(_request: Request[Any, Any, Any], error: msgspec.MsgspecError) -> Response[Problem]:
    """A body that is not JSON or not of the right shape."""
    return _answer(400, str(error), InvalidInput.code, "Send JSON of the documented shape.")


def answer_surprise(_request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Anything we did not expect: logged whole, answered without internals."""
    log.error("unexpected error", exc_info=error)
    return _answer(500, "Something unexpected went wrong; the server's log has it.", "INTERNAL_ERROR")


def _answer(status: int, detail: str, code: str, hint: str = "", reasons: list[str] | None = None) -> Response[Problem]:
    title = HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=detail, code=code, hint=hint, reasons=reasons or [])
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)


HANDLERS: dict[Any, Any] = {
    KeelError: answer_keel_error,
    HTTPException: answer_http_error,
    msgspec.MsgspecError: answer_bad_body,
    Exception: answer_surprise,
}
