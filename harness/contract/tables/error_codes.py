"""The documented codes of errors, and the HTTP status of each. Layer 1: one table for all."""

from __future__ import annotations

from http import HTTPStatus

STATUS_OF: dict[str, int] = {
    "invalid_request": 400,
    "failed_precondition": 400,
    "parameter_unknown": 400,
    "authentication": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "already_exists": 409,
    "aborted": 409,
    "out_of_range": 416,
    "rate_limit_exceeded": 429,
    "quota_exceeded": 429,
    "too_many_requests": 429,
    "cancelled": 499,
    "api_error": 500,
    "unimplemented": 501,
    "service_unavailable": 503,
    "deadline_exceeded": 504,
}
"""The documented HTTP status of each documented code; the set of codes is open."""

_CODE_OF = {status: code for code, status in reversed(STATUS_OF.items())}


def code_of(status: int) -> str:
    """The code for an error of this status: the first in the table, otherwise the words of HTTP for it."""
    if status in _CODE_OF:
        return _CODE_OF[status]
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "refused"
    return phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
