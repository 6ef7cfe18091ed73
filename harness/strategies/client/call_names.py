"""The call that a request makes, as findings name it.

Layer 2, pure.
"""

from __future__ import annotations

import re

from harness.contract.tables.operations import operation_of
from harness.wire import Request

_UPLOAD = "upload"
"""What the paths of uploads begin with."""

_WORD = re.compile(r"[A-Za-z][A-Za-z_.:]{0,39}")


def name_call(request: Request) -> str:
    """The call that a request makes, without its ids: `GET interactions/{id}`.

    Of other resources only the collection and what is done there are named; everything else may be random.
    """
    operation = operation_of(request)
    if operation is not None:
        return operation.call
    segments = [segment for segment in request.segments if segment]
    _version, *path = segments[1:] if segments[:1] == [_UPLOAD] else segments or [""]
    named = [
        segment if place in (0, 2) and _WORD.fullmatch(segment) else "{id}" if place < 3 else "{path}"
        for place, segment in enumerate(path[:4])
    ]
    return " ".join(filter(None, (request.method, "/".join(named))))
