"""What a request through a gateway asks for, by its method and path. Layer 2, pure."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import unquote

from harness.wire import Request

COLLECTION = "interactions"
_VERSION = re.compile(r"v[0-9]+(beta|alpha)?[0-9]*")
_VERTEX = 5
"""The number of segments before the collection in the Vertex form."""


class OperationName(StrEnum):
    """What a request asks for."""

    CREATE = "create"
    GET = "get"
    CANCEL = "cancel"
    DELETE = "delete"
    OTHER = "other"


_WITH_ID = {"GET": OperationName.GET, "DELETE": OperationName.DELETE}


def operation_of(request: Request) -> OperationName:
    """The documented operation of a request, under any version and also in the Vertex form."""
    segments = tuple(part for part in _decode_segments(request) if part)
    if not segments or not _VERSION.fullmatch(segments[0]):
        return OperationName.OTHER
    below = (
        segments[_VERTEX:] if segments[1:2] == ("projects",) and segments[3:4] == ("locations",) else segments[1:]
    )
    if below[:1] != (COLLECTION,):
        return OperationName.OTHER
    if len(below) == 1 and request.method == "POST":
        return OperationName.CREATE
    if len(below) == 2 and ":" not in below[1]:
        return _WITH_ID.get(request.method, OperationName.OTHER)
    if len(below) == 3 and below[2] == "cancel" and request.method == "POST":
        return OperationName.CANCEL
    return OperationName.OTHER


def _decode_segments(request: Request) -> tuple[str, ...]:
    """The segments of the path, percent-decoded after they were split."""
    return tuple(unquote(part) for part in request.raw_path.split("/")[1:])
