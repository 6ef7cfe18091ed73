"""Error bodies: their shapes, which codes and statuses belong together, and their judge.

The API's own shape is `{"error": {"message", "code"}}` with a code of words. The gateway in front of the API
responds in another shape (a numeric code, a `status` in capitals, sometimes in a list of one): that is tolerated,
but non-strict. The live service reports some failures in a stream as bare JSON: after the last event comes
an error body, in a list over several lines or in one line, without `data:`. Decoders drop such lines.
A server may reject a wrong request or be busy; but no request may crash it (`judge_crash`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from harness.contract.contract import Contract
from harness.contract.judge.body import place_finding
from harness.contract.schema.explain import json_type
from harness.contract.tables.protocol import CREATE, STATUS_OF, Operation
from harness.outcome import Finding, Severity
from harness.outcome.words import describe_body, list_some, quote_body
from harness.wire import By, Exchange, How
from harness.wire.bodies import as_object, loads
from harness.wire.sse import StrayBlock

_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_STATUS = re.compile("[1-5][0-9]{2}")


def error_of(value: Any) -> tuple[str, str] | None:
    """(code, message) of an error body of either shape, None if it is not one; a numeric code becomes digits."""
    error = _read_error(unwrap_list(value))
    if error is None:
        return None
    code, message = error.get("code"), error.get("message")
    if isinstance(code, bool) or not isinstance(code, (str, int)):
        code = error.get("status", "")
    return str(code), message if isinstance(message, str) else ""


def rejects_key(answer: Exchange) -> bool:
    """Whether a response rejects the key, as the live service does: status 400, and a reason in the details."""
    return answer.status == 400 and b'"API_KEY_INVALID"' in answer.body


def find_refusal(value: Any) -> int | None:
    """The 4xx that is published for the code of an error body; None if it has no such code."""
    error = error_of(value)
    status = STATUS_OF.get(error[0], 0) if error is not None else 0
    return status if 400 <= status < 500 else None


def status_of_code(code: str) -> int:
    """The HTTP status that the code of an error stands for; 400 for a word that is not published."""
    return int(code) if _STATUS.fullmatch(code) else STATUS_OF.get(code, 400)


def judge_error(value: Any, status: int | None, *, rpc: bool = False) -> list[Finding]:
    """Findings about the JSON body of a 4xx or 5xx response; pass `status=None` if the status was not recorded.

    `rpc`: the operation's own errors have a numeric code.
    """
    error, place, mild = _read_error(value), "$.error", Severity.NON_STRICT
    front = _read_error(unwrap_list(value)) or {}
    if type(front.get("code")) is int and isinstance(front.get("message"), str):
        word = front.get("status", "")
        if not isinstance(word, str):
            message = "an error in the shape of Google's front end needs a string as its status"
            return [
                place_finding("err.shape/status", message, "a string", json_type(word), f"{place}.status", mild)
            ]
        if rpc:
            return []
        message = "the error has the shape of Google's front end, not of the API"
        return [place_finding("err.shape/gateway", message, "string code", "numeric code", place, mild)]
    if error is None:
        message, expected = "the body has no error object", '{"error": {"code", "message"}}'
        actual = f"the members {list_some([*value], 4)}" if isinstance(value, dict) and value else json_type(value)
        return [place_finding("err.shape/no-object", message, expected, actual, place)]
    wrong = [name for name in ("code", "message") if not isinstance(error.get(name), str)]
    if wrong:
        kinds = ", ".join(f"{name}: {json_type(error[name]) if name in error else 'absent'}" for name in wrong)
        message, expected = "code and message of an error must be strings", "string code, string message"
        return [place_finding("err.shape/types", message, expected, kinds, place)]
    code, place = error["code"], "$.error.code"
    if not code.strip():
        return [place_finding("err.code-string", "the code is empty", "a word", repr(code), place)]
    if not _CODE.fullmatch(code):
        return [
            place_finding("err.code-word", "the code is not a snake_case word", "words joined by _", code, place)
        ]
    documented = STATUS_OF.get(code)
    if status is None or documented in (None, status):
        return []
    if min(status, documented) >= 500 and status not in STATUS_OF.values():
        return []  # no code is published for a status of servers such as 502, so that another one must do
    message = f"the code {code} has another HTTP status"
    return [place_finding("err.code-status", message, str(documented), str(status), place)]


def unwrap_list(value: Any) -> Any:
    """The only item of a list, as the gateway wraps errors; anything else as it is."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _read_error(value: Any) -> Mapping[str, Any] | None:
    error = as_object(value).get("error")
    return error if isinstance(error, Mapping) else None


RULE = "stream.bare-error"


class UnframedError(Struct, frozen=True):
    """The code and the message of an error body among the bytes of a stream, and where it is."""

    code: str
    message: str
    start: int
    end: int

    @property
    def status(self) -> int:
        """The HTTP status that this error has elsewhere; 400 for a word that no table lists, or for no status."""
        return status_of_code(self.code)

    def judge(self) -> Iterator[Finding]:
        """The finding that it came outside the framing."""
        actual = f"{self.code}: {self.message}" if self.message else self.code
        yield Finding(RULE, "bare JSON outside the framing ends the stream", "an error event", actual)


def read_bare_error(stray: StrayBlock | None) -> UnframedError | None:
    """The error body that a stray block is; None if it is none."""
    error = error_of(loads(stray.raw.strip()).value) if stray is not None else None
    if stray is None or error is None:
        return None
    return UnframedError(*error, stray.start, stray.end)


FAILED = frozenset(range(500, 600)) - {501, 502, 503, 504}
"""Statuses that say that the server failed: not that it is busy, lacks the ability, or is not reached."""


def _has_failed(exchange: Exchange) -> bool:
    return exchange.status in FAILED and find_refusal(loads(exchange.body).value) is None


def judge_crash(exchange: Exchange, operation: Operation | None, contract: Contract) -> Iterator[Finding]:
    """A finding if the server failed and the request, a call of the API, fits its schema."""
    ending, failed = exchange.ending, _has_failed(exchange)
    is_cut = exchange.status is None and ending.by is By.SERVER and ending.how in (How.FIN, How.RST)
    if operation is None or not (failed or is_cut) or not _fits(exchange, operation, contract):
        return
    expected = "2xx, or 4xx if it is rejected"
    if failed:
        body = as_object(loads(exchange.request.body).value)
        names = ", ".join(f"`{name}`" for name in sorted(body.keys() - {"model", "input"}))
        message = f"{operation.call}{f' with {names}' if names else ''} causes a server error"
        actual = f"{exchange.status} {quote_body(exchange.body, 120)}".rstrip()
        yield Finding("err.no-crash", message, expected, actual)
    else:
        message = f"{operation.call} makes the server disconnect"
        yield Finding.from_code("err.no-crash/cut", message, expected, ending.words)


def judge_failed_refusal(exchange: Exchange, operation: Operation | None, contract: Contract) -> Iterator[Finding]:
    """A finding if the server failed where it had to refuse a create, which does not fit its schema."""
    if operation is not None and _has_failed(exchange) and not _fits(exchange, operation, contract):
        message = f"a rejection has status {exchange.status}, as if the server had failed"
        code, expected, actual = "err.status/failed", "4xx", str(exchange.status)
        yield Finding.from_code(code, message, expected, actual, severity=Severity.INFORMATION)


def judge_death(exchange: Exchange, call: str) -> Iterator[Finding]:
    """The finding on a server that stopped after this request, and again when it was repeated alone."""
    yield Finding.from_code(
        "err.no-crash/died",
        f"{_describe_request(exchange, call)} stops the server each time that it is sent",
        "a response, 4xx if it is rejected, and a server that continues",
        exchange.ending.words if exchange.status is None else f"{exchange.status}, and then connection refused",
    )


_PLAIN_PATH = re.compile(r"[A-Za-z0-9/:._-]*")


def judge_silence(exchange: Exchange, call: str) -> Iterator[Finding]:
    """The finding on a server that ends the connection each time that it gets this request, and then lives.

    Not every such end is one of the server: a front may drop requests whose addresses look like an attack, and a
    reset may overtake the rejection of a body that is too large to be read.
    """
    request = exchange.request
    is_overtaken = exchange.ending.how is How.RST and len(request.body) > 64 * 1024  # more than is read at once
    if call and _PLAIN_PATH.fullmatch(request.raw_path) and not is_overtaken:
        message = f"{_describe_request(exchange, call)} makes the server disconnect each time that it is sent"
        expected = "a response, 4xx if it is rejected"
        yield Finding.from_code("err.no-crash/unanswered", message, expected, exchange.ending.words)


def _describe_request(exchange: Exchange, call: str) -> str:
    """A request with the shape of its body, for a message."""
    request = exchange.request
    shape = describe_body(request.body)
    return f"{call or f'{request.method} {request.raw_path}'}{f' {shape}' if shape else ''}"


def _fits(exchange: Exchange, operation: Operation, contract: Contract) -> bool:
    if operation.call != CREATE:
        return True
    body = loads(exchange.request.body).value
    return contract.schemas.validator("requests/create-interaction", closed=True).is_valid(body)
