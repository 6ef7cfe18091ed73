"""Whether a response comes from a route, or means that there is none.

A framework returns a page of its own for a path without a route; a response is compared with the one to a path
that certainly has none. So a missing route is never concluded from a response about a resource, nor from a body
that a route rejects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.contract import read
from harness.contract.requests import RequestBuilder
from harness.kit.check import Part, Send
from harness.wire import Exchange
from harness.wire.message import segment

NO_ROUTE = frozenset({405, 501})
"""Statuses that say so by themselves."""

NOWHERE = "harness-no-route"
"""The first segment of a path that is certainly no route."""

NEARLY = "no-interactions"
"""A path that is no route, either, and so near to one that a server which proposes names proposes the same."""

_PATHS = re.compile(rb"(?<![\w.~%-])[\w.~%-]*+/[\w.~%/-]*|v1_\w+")
_VARYING = re.compile(r"(?<!\S)\S*[\d/]\S*")
"""A word with a digit or a slash: a path, the id of a request."""


def is_no_route(t: RequestBuilder, answer: Exchange) -> Part[bool]:
    """Whether a request got the response of a path without a route."""
    if answer.status in NO_ROUTE:
        return True
    if answer.status != 404:
        return False
    asked, unknown = answer.request, t.request(answer.request.method, NOWHERE)
    if len(asked.segments) > len(unknown.segments):  # a server may route by the number of segments
        unknown = t.request(asked.method, f"{NOWHERE}/{segment(asked.segments[-1])}")
    nowhere: Exchange = yield Send(unknown)
    return is_like_nowhere(answer, nowhere)


def is_like_nowhere(answer: Exchange, nowhere: Exchange) -> bool:
    """Whether a response equals one to a path without a route, apart from the request that it may quote."""
    if answer.status != nowhere.status:
        return False
    asked = sorted({*answer.request.segments, *nowhere.request.segments}, key=len, reverse=True)
    if _blank_requests(nowhere, asked) == _blank_requests(answer, asked):
        return True
    error = _error_of(answer, asked)
    return bool(error) and error == _error_of(nowhere, asked)


def _error_of(answer: Exchange, asked: Iterable[str]) -> tuple[str, ...]:
    """The code and message of an error, without their variable parts; a trace beside them is left out."""
    error = read(answer).error
    if error is None or not error[1]:
        return ()
    code, message = error
    for part in asked:
        message = message.replace(part, "")
    return str(code), _VARYING.sub("", message)


def _blank_requests(answer: Exchange, asked: Iterable[str]) -> tuple[str, bytes]:
    """The answer without what it repeats of the requests, whose segments are `asked`, the longest first."""
    body = answer.body
    for part in asked:
        body = body.replace(part.encode("utf-8", "surrogatepass"), b"")
    return answer.headers.media_type(), _PATHS.sub(b"", body)
