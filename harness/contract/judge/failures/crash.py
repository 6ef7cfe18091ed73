"""Judges whether a request made the server fail: a 5xx, or no answer and the connection cut; or made it end.

Layer 1, pure. What a request that is wrong is answered has rules of its own, and so has a server that is busy; but
no request may end it.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.contract.contract import Contract
from harness.contract.data.json_parse import loads
from harness.contract.judge.failures.errors import find_refusal
from harness.contract.tables.operations import Operation
from harness.outcome import Finding
from harness.outcome.words import describe_body, shorten
from harness.wire import By, Exchange, How

FAILED = frozenset(range(500, 600)) - {501, 502, 503, 504}
"""Statuses that say that the server failed: not that it is busy, lacks the ability, or is not reached."""

_CUT = frozenset({How.FIN, How.RST})
_SHOWN = 120


def judge_crash(exchange: Exchange, operation: Operation | None, contract: Contract) -> Iterator[Finding]:
    """A finding if the server failed and the request, a call of the API, fits its schema."""
    failed = exchange.status in FAILED and find_refusal(loads(exchange.body).value) is None
    if operation is None or not (failed or _is_cut(exchange)) or not _fits(exchange, operation, contract):
        return
    expected = "2xx, or 4xx if it is rejected"
    if failed:
        said = shorten(exchange.body[:400].decode("utf-8", "replace"), _SHOWN)
        actual = f"{exchange.status} {said}".rstrip()
        yield Finding("err.no-crash", f"{operation.call} causes a server error", expected, actual)
    else:
        message = f"{operation.call} makes the server disconnect"
        yield Finding.from_code("err.no-crash/cut", message, expected, exchange.ending.words)


def judge_death(exchange: Exchange, call: str) -> Iterator[Finding]:
    """What is wrong with a server that was gone after this request, and gone again when it was repeated alone."""
    request = exchange.request
    what = call or f"{request.method} {request.raw_path}"
    shape = describe_body(request.body)
    yield Finding.from_code(
        "err.no-crash/died",
        f"{what}{f' {shape}' if shape else ''} stops the server each time that it is sent",
        "a response, 4xx if it is rejected, and a server that continues",
        exchange.ending.words if exchange.status is None else f"{exchange.status}, and then connection refused",
    )


def _is_cut(exchange: Exchange) -> bool:
    """Whether the server hung up without an answer."""
    ending = exchange.ending
    return exchange.status is None and ending.by is By.SERVER and ending.how in _CUT


def _fits(exchange: Exchange, operation: Operation, contract: Contract) -> bool:
    if operation.call != "POST interactions":
        return True
    body = loads(exchange.request.body).value
    return contract.schemas.validator("requests/create-interaction", closed=True).is_valid(body)
