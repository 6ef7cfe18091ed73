"""Helpers of the judges: make findings about relayed exchanges, choose some, and format values and requests.

Layer 2, pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.checks.gateway.cures import choose_cure
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Severity, Unmet, Where
from harness.outcome.words import shorten
from harness.wire import Exchange, How, Request

SHOWN = 200
"""The number of characters of a value that a finding shows."""
_GZIP = b"\x1f\x8b"


def notice(
    code: str,
    relayed: RelayedExchange,
    message: str,
    expected: str = "",
    actual: str = "",
    *,
    severity: Severity = Severity.BROKEN,
    pointer: str = "",
    event: int | None = None,
) -> Finding:
    """A finding about one relayed exchange; `code` is a rule, or `rule/word`."""
    where = Where(exchange=relayed.name, pointer=pointer, event=event)
    shown = shorten(expected, SHOWN), shorten(actual, SHOWN)
    return Finding.from_code(
        code, message, *shown, where=where, severity=severity, cure=choose_cure(code, relayed)
    )


def told_by(
    exchanges: Sequence[RelayedExchange], tells: Callable[[RelayedExchange], bool], otherwise: str
) -> Iterator[RelayedExchange]:
    """The exchanges for which `tells` is true. Raises Unmet with the reason `otherwise` if there is none."""
    chosen = [relayed for relayed in exchanges if tells(relayed)]
    if not chosen:
        raise Unmet(otherwise)
    return iter(chosen)


def find_relayed(exchanges: Sequence[RelayedExchange], name: str, otherwise: str) -> RelayedExchange:
    """The relayed with this name. Raises Unmet with the reason `otherwise` if there is none."""
    return next(told_by(exchanges, lambda relayed: relayed.name == name, otherwise))


def succeeded(exchange: Exchange | None) -> bool:
    """Whether there is an exchange, and it succeeded."""
    return exchange is not None and exchange.succeeded


def format_value(value: Any) -> str:
    """A value as JSON."""
    return shorten(json.dumps(value, ensure_ascii=False, default=str), SHOWN)


def request_line(request: Request) -> str:
    """Method and target."""
    return f"{request.method} {request.target}"


def answer_line(exchange: Exchange) -> str:
    """Status and the beginning of the body, in one line."""
    if exchange.status is None:
        return f"no response ({exchange.ending.words})"
    body = exchange.body[: 2 * SHOWN].decode("utf-8", "replace")
    return shorten(" ".join((str(exchange.status), *body.split())), SHOWN)


def is_miscoded(client: Exchange) -> bool:
    """Whether a body cannot be decoded as its Content-Encoding says, or is gzip and none is named."""
    if client.ending.how is How.BAD_HTTP and client.ending.detail.startswith("content-encoding"):
        return True
    return client.body.startswith(_GZIP) and not client.headers.get("content-encoding")
