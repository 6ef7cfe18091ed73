"""What a request asks for, and the event with which an inclusive server would begin a resumed stream.

Layer 1. Knows requests through the `StreamProtocol`; must not know what a plan does.
"""

from __future__ import annotations

from harness.faults.cursor_codec import real_id
from harness.faults.plan import Scope
from harness.faults.splitting import Splitter
from harness.wire import Chunk, Ending, Pause, Request, Response, Service, StreamProtocol
from harness.wire.json_value import object_or_none
from harness.wire.message import EVENT_STREAM

_MOST_PAUSES = 1000


def kind_of(request: Request, protocol: StreamProtocol) -> Scope:
    """`starts`, `resumes` or `calls`: whether the request asks for a stream, and whether that continues one.

    If there is a body, the `stream` field of its JSON decides, the convention of every streaming API we know;
    without a body, an `Accept` header that names event streams does.
    """
    if protocol.is_resume(request) is not None:
        return Scope.RESUMES
    if request.body:
        return Scope.STARTS if _streams(request.body) else Scope.CALLS
    return Scope.STARTS if EVENT_STREAM in request.headers.get("accept").lower() else Scope.CALLS


def _streams(body: bytes) -> bool:
    if b'"stream"' not in body:
        return False
    value = object_or_none(body)
    return value is not None and value.get("stream") is True


_OPERATIONS = {
    "create": Scope.CREATES,
    "get": Scope.GETS,
    "cancel": Scope.CANCELS,
    "delete": Scope.DELETES,
}


def scopes_of(request: Request, protocol: StreamProtocol) -> frozenset[Scope]:
    """All scopes that a request is in; `gets` are those that do not stream."""
    kind = kind_of(request, protocol)
    found = {Scope.ALL, kind, Scope.CALLS if kind is Scope.CALLS else Scope.STREAMS}
    operation = _OPERATIONS.get(protocol.operation(request))
    if operation is not None and not (operation is Scope.GETS and kind is not Scope.CALLS):
        found.add(operation)
    return frozenset(found)


def with_real_cursor(request: Request, protocol: StreamProtocol) -> Request:
    """The request with the real cursor, if its own is one that a fault made up and the service cannot know."""
    asked = protocol.is_resume(request)
    if asked is None or asked[1] is None or real_id(asked[1]) == asked[1]:
        return request
    return protocol.resume(request, asked[0], real_id(asked[1]))


def boundary_event(service: Service, request: Request, protocol: StreamProtocol) -> bytes:
    """The event whose cursor `request` resumes after, found by replaying the stream from its start.

    Empty if the request has no cursor or the replay does not contain that event.
    """
    asked = protocol.is_resume(request)
    if asked is None or asked[1] is None:
        return b""
    response = service(protocol.resume(request, asked[0], None))
    try:
        return _find_event(asked[1], response, protocol)
    finally:
        response.body.close()


def _find_event(cursor: str, response: Response, protocol: StreamProtocol) -> bytes:
    splitter, pauses = Splitter(), 0
    for piece in response.body:
        if isinstance(piece, Chunk):
            for event in splitter.feed(piece.data):
                if protocol.cursor(event.payload() or {}) == cursor:
                    return event.block
        elif isinstance(piece, Ending):
            return b""
        elif isinstance(piece, Pause):
            # Past events are replayed without pauses, so a run that only pauses has caught up with the present.
            pauses += 1
            if pauses > _MOST_PAUSES:
                return b""
    return b""
