"""Judges a single response, whatever came before it: that it arrived, is well-formed, and leaks nothing.

Layer 4, pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.areas.errors import LEAKABLE, TRACE
from harness.contract import read
from harness.engine.search.rules import ANSWERED, NO_CRASH
from harness.outcome import Finding
from harness.wire import By, Exchange, How

BUSY = frozenset({408, 429, 503, 504})
"""Statuses that say nothing about the request, only to try again later."""

_STUCK = frozenset({How.STALL, How.TIMEOUT})


def alone(exchange: Exchange, key: str) -> Iterator[Finding]:
    """The findings on one exchange; `key` is the caller's key, which no response may repeat."""
    ending = exchange.ending
    if exchange.status is None:
        yield Finding(ANSWERED, "no answer came", "a response", f"{ending.how} {ending.detail}".strip())
        return
    if ending.how in _STUCK or ending.by is By.LIMIT:
        yield Finding(ANSWERED, "the answer never ended", "an end", f"{ending.how} {ending.detail}".strip())
    elif not ending.complete and ending.by is By.SERVER:
        yield Finding("http.length", "the body ended before its framing said so", "a whole body", ending.how)
    if exchange.status >= 500 and exchange.status not in BUSY | {501}:
        yield Finding(NO_CRASH, "the service failed", "an answer below 500", str(exchange.status))
    yield from _shape(exchange)
    yield from _leaks(exchange, key)


def _shape(exchange: Exchange) -> Iterator[Finding]:
    reading = read(exchange)
    kind = exchange.headers.media_type()
    if not reading.is_stream and exchange.body and not _is_a_file(exchange):
        if reading.json_fault in ("", "surrogate"):
            if kind != "application/json":
                yield Finding("http.json-type", "JSON with another label", "application/json", kind or "none")
        elif kind == "application/json" and reading.json_fault != "depth":
            yield Finding(
                "http.json-valid", f"the body is no JSON ({reading.json_fault})", "JSON", _start(exchange)
            )
        elif (exchange.status or 0) >= 400:
            yield Finding("err.shape", "the body of an error is no JSON", "an error object", _start(exchange))
    yield from reading.findings


def _is_a_file(exchange: Exchange) -> bool:
    """Whether the body is the content of a file, which may be anything."""
    return exchange.status == 200 and exchange.request.parameter("alt") == "media"


def _leaks(exchange: Exchange, key: str) -> Iterator[Finding]:
    if len(key) >= LEAKABLE and key.encode() in exchange.body:
        yield Finding("err.no-leak", "the answer repeats the caller's key", "no key", "the key")
    trace = TRACE.search(exchange.body) if (exchange.status or 0) >= 400 else None
    if trace:
        yield Finding(
            "err.no-leak", "the answer shows a stack trace", "no trace", trace.group().decode(errors="replace")
        )


def _start(exchange: Exchange) -> str:
    return exchange.body[:60].decode("utf-8", "replace") or "nothing"


def says_nothing(exchange: Exchange) -> bool:
    """Whether the response does not answer the request: the target is busy, failed, or hung up.

    A failure or a hang-up is a finding in itself, whatever the request was; 501 does answer it.
    """
    status = exchange.status
    return status is None or status in BUSY or (status >= 500 and status != 501)


def succeeded(exchange: Exchange) -> bool:
    """Whether the response is a 2xx that does what was requested; a stream of only an error does not."""
    if not exchange.succeeded:
        return False
    stream = read(exchange).stream
    return stream is None or stream.created is not None or not stream.errors


def refused(exchange: Exchange) -> bool:
    """Whether the response refuses the request, by a 4xx or by an error in a stream."""
    status = exchange.status
    return status is not None and (400 <= status < 500 or (exchange.succeeded and not succeeded(exchange)))
