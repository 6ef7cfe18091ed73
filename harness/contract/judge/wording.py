"""Exchanges and statuses in words, for the messages of findings.

Pure, and safe on anything a target may send. Must not know what is right or wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container

from harness.contract.judge.reading import read
from harness.outcome.words import quote_body, shorten, to_one_line
from harness.wire import Exchange, Request

_KEY = re.compile(r"([?&](?:key|access_token)=)[^&]*")
_GZIP = b"\x1f\x8b"


def format_request(exchange: Exchange) -> str:
    """The request's method and target; a key in the query is masked."""
    return describe_request(exchange.request)


def describe_request(request: Request) -> str:
    """A request's method and target; a key in the query is masked."""
    target = _KEY.sub(r"\1…", request.target)
    return f"{request.method} {_clip(target, 120)}"


def format_answer(exchange: Exchange) -> str:
    """The status and the error or the beginning of the body."""
    if exchange.status is None:
        return format_ending(exchange)
    error = read(exchange).error
    if error is not None:
        parts = [str(part) for part in error if part and str(part) != str(exchange.status)]
        return f"{exchange.status} {_clip(to_one_line(': '.join(parts)), 120)}".rstrip()
    if exchange.body.startswith(_GZIP) and "content-encoding" not in exchange.headers:
        return f"{exchange.status} a gzip body without Content-Encoding"
    return f"{exchange.status} {quote_body(exchange.body, 80, complete=exchange.complete)}".rstrip()


def format_ending(exchange: Exchange) -> str:
    """How the answer ended."""
    ending = exchange.ending
    return f"{ending.words}: {ending.detail}" if ending.detail else ending.words


def format_value(value: object) -> str:
    """A JSON value, shortened to fit a message; never raises, however deep or odd the value is."""
    try:
        return _clip(json.dumps(value, ensure_ascii=False), 120)
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__} that cannot be shown"


def format_statuses(statuses: Container[int]) -> str:
    """The listed statuses, whole classes as `2xx`."""
    words: list[str] = []
    for first in range(100, 600, 100):
        listed = [status for status in range(first, first + 100) if status in statuses]
        # If more statuses of one class are listed, a message names the class and the missing ones.
        if len(listed) > 50:
            missing = [str(status) for status in range(first, first + 100) if status not in statuses]
            words.append(f"{first // 100}xx" + (f" other than {' and '.join(missing)}" if missing else ""))
        else:
            words += map(str, listed)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _clip(text: str, size: int) -> str:
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be printed
    return shorten(text, size)
