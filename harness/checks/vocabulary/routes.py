"""Whether an answer comes from a route at all, or says that there is none.

Layer 2. A framework answers a path without a route with a page of its own, which is compared with the answer to a
path that is certainly none. So a missing route is never concluded from an answer that is about a resource, nor
from a body that a route refuses.
"""

from __future__ import annotations

import re

from harness.contract.requests import RequestBuilder
from harness.kit.actions import Part, Send
from harness.wire import Exchange

NO_ROUTE = frozenset({405, 501})
"""Statuses that say so by themselves."""

NOWHERE = "harness-no-route"
"""The first segment of a path that is certainly no route."""

_NOT_FOUND = 404
_PATHS = re.compile(rb"[\w.~%-]*/[\w.~%/-]*|v1_\w+")


def is_no_route(t: RequestBuilder, answer: Exchange) -> Part[bool]:
    """Whether a request was answered as if there were no route for it."""
    if answer.status in NO_ROUTE:
        return True
    if answer.status != _NOT_FOUND:
        return False
    nowhere: Exchange = yield Send(t.request(answer.request.method, f"{NOWHERE}/{answer.request.segments[-1]}"))
    return is_like_nowhere(answer, nowhere)


def is_like_nowhere(answer: Exchange, nowhere: Exchange) -> bool:
    """Whether an answer says the same as one to a path without a route."""
    return answer.status == nowhere.status and _shape(nowhere) == _shape(answer)


def _shape(answer: Exchange) -> tuple[str, bytes]:
    """The answer without what it repeats of the request."""
    body = answer.body
    for part in answer.request.segments:
        body = body.replace(part.encode("utf-8", "surrogatepass"), b"")
    return answer.headers.media_type(), _PATHS.sub(b"", body)
