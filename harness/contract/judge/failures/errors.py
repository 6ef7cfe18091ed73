"""Error bodies: their shapes, which codes and statuses belong together, and their judge. Layer 1.

The API's own shape is `{"error": {"message", "code"}}` with a code of words. The gateway in front of the API
responds in another shape (a numeric code, a `status` in capitals, sometimes in a list of one): that is tolerated,
but non-strict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.contract.schema.explain import json_type
from harness.contract.tables.error_codes import STATUS_OF
from harness.outcome import Finding, Severity, Where

_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def error_of(value: Any) -> tuple[str, str] | None:
    """(code, message) of an error body of either shape, None if it is not one; a numeric code becomes digits."""
    error = _read_error(unwrap_list(value))
    if error is None:
        return None
    code, message = error.get("code"), error.get("message")
    if isinstance(code, bool) or not isinstance(code, (str, int)):
        code = error.get("status", "")
    return str(code), message if isinstance(message, str) else ""


def find_refusal(value: Any) -> int | None:
    """The 4xx that is published for the code of an error body; None if it has no such code."""
    error = error_of(value)
    status = STATUS_OF.get(error[0], 0) if error is not None else 0
    return status if 400 <= status < 500 else None


def judge_error(value: Any, status: int | None, *, rpc: bool = False) -> list[Finding]:
    """Findings about the JSON body of a 4xx or 5xx response; pass `status=None` if the status was not recorded.

    `rpc`: the operation's own errors have a numeric code.
    """
    error = _read_error(value)
    if _is_gateway(value) and rpc:
        return []
    if _is_gateway(value):
        return [
            _report_shape(
                "err.shape/gateway",
                "the error has the shape of Google's front end, not of the API",
                "string code",
                "numeric code",
                Severity.NON_STRICT,
            )
        ]
    if error is None:
        return [
            _report_shape(
                "err.shape/no-object",
                "the body has no error object",
                '{"error": {"code", "message"}}',
                json_type(value),
            )
        ]
    wrong = [name for name in ("code", "message") if not isinstance(error.get(name), str)]
    if wrong:
        kinds = ", ".join(f"{name}: {json_type(error[name]) if name in error else 'absent'}" for name in wrong)
        return [
            _report_shape(
                "err.shape/types",
                "code and message of an error must be strings",
                "string code, string message",
                kinds,
            )
        ]
    return _judge_code(error["code"], status)


def _judge_code(code: str, status: int | None) -> list[Finding]:
    place = Where(pointer="$.error.code")
    if not code.strip():
        return [Finding("err.code-string", "the code is empty", "a word", repr(code), place)]
    if not _CODE.fullmatch(code):
        return [Finding("err.code-word", "the code is not a snake_case word", "words joined by _", code, place)]
    documented = STATUS_OF.get(code)
    if status is None or documented in (None, status) or _has_no_word(status, documented):
        return []
    message = f"the code {code} has another HTTP status"
    return [Finding("err.code-status", message, str(documented), str(status), place)]


def _has_no_word(status: int, documented: int) -> bool:
    """Whether no code is published for a status of servers, such as 502, so that another one of theirs must do."""
    return min(status, documented) >= 500 and status not in STATUS_OF.values()


def _is_gateway(value: Any) -> bool:
    error = _read_error(unwrap_list(value))
    code = error.get("code") if error is not None else None
    numeric = isinstance(code, int) and not isinstance(code, bool)
    return numeric and error is not None and isinstance(error.get("message"), str)


def unwrap_list(value: Any) -> Any:
    """The only item of a list, as the gateway wraps errors; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _read_error(value: Any) -> Mapping[str, Any] | None:
    error = value.get("error") if isinstance(value, Mapping) else None
    return error if isinstance(error, Mapping) else None


def _report_shape(
    code: str, message: str, expected: str, actual: str, severity: Severity = Severity.BROKEN
) -> Finding:
    return Finding.from_code(code, message, expected, actual, where=Where(pointer="$.error"), severity=severity)
