"""A response as a client sees it at its end of the connection: the same with every carrier.

Knows pieces, framings and endings; must not know sockets, clocks or client libraries. A service may state an
ending that no client can see (bytes past the Content-Length, a cut where a FIN ends the body anyway).
`observe_ending` turns it into the ending that arrives: the socket server produces that one, and in-process
carriers report it.
"""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace

from harness.outcome import HarnessFault
from harness.transport.http1.heads import framed_headers, has_body, says_close, write_response_head
from harness.wire import (
    COMPLETE,
    At,
    Body,
    By,
    Chunk,
    Chunked,
    Ending,
    Framing,
    How,
    Length,
    Pause,
    Piece,
    Request,
    Response,
    Service,
    UntilClose,
)


def head_ending(piece: Piece) -> Ending | None:
    """The ending that replaces the head, if the first piece of a body is such an ending."""
    if not isinstance(piece, Ending) or piece.complete or not piece.headless:
        return None
    return _turn_into_stall(piece)


def head_bytes_sent(ending: Ending, head: int) -> int:
    """How many of the `head` bytes of a head arrive: never all of them, and half if the ending does not say."""
    if ending.at is At.BEFORE_HEADERS:
        return 0
    return min(head // 2 if ending.sent is None else max(ending.sent, 1), head - 1)


def observe_ending(ending: Ending, framing: Framing, sent: int, unfinished: Chunk | None = None) -> Ending:
    """The ending a client sees when the service ends with `ending` after `sent` body bytes.

    `unfinished` is the last piece if it was a chunk with `declared`. An ending before or inside the headers counts
    as one in the body if it comes after body bytes.
    """
    ending = _turn_into_stall(ending)
    if ending.how in {How.REFUSED, How.TLS}:  # too late for either: the established connection breaks
        ending = replace(ending, how=How.RST)
    if isinstance(framing, Chunked):
        if unfinished is not None:
            declared, sent = cast("int", unfinished.declared), len(unfinished.data)
            silent = ending.how is How.COMPLETE or (ending.how is How.BAD_HTTP and sent < declared)
            how = How.FIN if silent else ending.how
            return replace(ending, how=how, at=At.IN_CHUNK, declared=declared, sent=sent)
        if ending.complete:
            return COMPLETE
        if ending.at is At.IN_CHUNK and ending.how is not How.BAD_HTTP:
            return replace(ending, sent=0)
        return replace(ending, at=At.IN_BODY, declared=None, sent=None)
    if isinstance(framing, Length):
        if sent >= framing.size:
            return COMPLETE
        how = How.FIN if ending.how in {How.COMPLETE, How.BAD_HTTP} else ending.how
        return replace(ending, how=how, at=At.IN_BODY, declared=framing.size, sent=sent)
    if ending.how in {How.COMPLETE, How.FIN, How.BAD_HTTP}:
        return COMPLETE
    return replace(ending, at=At.IN_BODY, declared=None, sent=None)


def _turn_into_stall(ending: Ending) -> Ending:
    """Turn an ending by the client or a timeout into a stall: the server's own ending is unknown."""
    if ending.by is not By.SERVER or ending.how is How.TIMEOUT:
        return replace(ending, by=By.SERVER, how=How.STALL)
    return ending


def pull(body: Body) -> Piece:
    """The next piece of a body. An exception in there becomes a `HarnessFault`: it is never the target's fault."""
    try:
        return next(body)
    except Exception as error:
        raise body_fault(body, error) from error


def body_fault(body: Body, error: Exception) -> HarnessFault:
    """The error for an exception that came out of a body."""
    if isinstance(error, HarnessFault):
        return error
    kind = type(body).__name__
    if isinstance(error, StopIteration):
        return HarnessFault(f"{kind} ran out of pieces without an Ending: every body must end with one")
    return HarnessFault(f"{kind} raised {type(error).__name__}: {error}")


def overlong(size: int) -> HarnessFault:
    """The error for a body that is longer than its framing declares."""
    return HarnessFault(f"the body is longer than its Length({size}): give the whole size, or another framing")


def after_unfinished() -> HarnessFault:
    """The error for a piece after an unfinished chunk."""
    return HarnessFault("a piece follows a Chunk with `declared`: only an Ending may follow an unfinished chunk")


# A response as its client sees it, without a socket: what the in-process carriers read from.


class ResponseView:
    """The response of `service` to `request`, read piece by piece; `close` reaches the service exactly once.

    `dead` is the ending that replaces the head, else None. Only the first piece can tell, so it is pulled at
    construction. Raises `HarnessFault` if the service or its body raises.
    """

    def __init__(self, service: Service, request: Request) -> None:
        self._response = call(service, request)
        self.status = self._response.status
        keep = not (isinstance(self._response.framing, UntilClose) or says_close(self._response.headers))
        self.headers = framed_headers(
            self._response.status, self._response.headers, self._response.framing, keep=keep
        )
        self._sent = 0
        self._unfinished: Chunk | None = None
        self._closed = False
        self._bodiless = not has_body(request.method, self.status)
        self.framing: Framing = Length(0) if self._bodiless else self._response.framing
        self.ended: Ending | None = None
        try:
            self._first: Piece | None = pull(self._response.body)
        except HarnessFault:
            self.close()
            raise
        self.dead = head_ending(self._first)
        if self.dead is not None and self.dead.at is At.IN_HEADERS:
            framing = self._response.framing
            head, _ = write_response_head(self._response, framing, keep=not isinstance(framing, UntilClose))
            self.dead = replace(self.dead, declared=None, sent=head_bytes_sent(self.dead, len(head)))
        if self.dead is not None or self._bodiless:
            self.ended = self.dead or COMPLETE

    def pull(self) -> Piece:
        """The next piece; after the `Ending`, that ending on every call."""
        if self.ended is not None:
            return self.ended
        if isinstance(self.framing, Length) and self._sent >= self.framing.size:
            self.ended = COMPLETE
            return COMPLETE
        piece, self._first = self._first or pull(self._response.body), None
        if isinstance(piece, Pause):
            return piece
        if isinstance(piece, Ending):
            self.ended = observe_ending(piece, self.framing, self._sent, self._unfinished)
            return self.ended
        if self._unfinished is not None:
            raise after_unfinished()
        self._sent += len(piece.data)
        if isinstance(self.framing, Length) and self._sent > self.framing.size:
            raise overlong(self.framing.size)
        if piece.declared is not None and isinstance(self.framing, Chunked):
            self._unfinished = piece
        return piece

    def place(self) -> Ending:
        """The place where the body stands now, as an ending; the caller replaces `by`, `how` and `detail`."""
        if isinstance(self.framing, Length):
            return Ending(at=At.IN_BODY, declared=self.framing.size, sent=self._sent)
        if self._unfinished is not None:
            return Ending(at=At.IN_CHUNK, declared=self._unfinished.declared, sent=len(self._unfinished.data))
        return Ending(at=At.IN_BODY)

    def close(self) -> None:
        """Report to the service that the reader has left."""
        if not self._closed:
            self._closed = True
            self._response.body.close()


def call(service: Service, request: Request) -> Response:
    """Call the service; an exception that it raises becomes a `HarnessFault`."""
    try:
        return service(request)
    except HarnessFault:
        raise
    except Exception as error:
        raise service_fault(request, error) from error


def service_fault(request: Request, error: Exception) -> HarnessFault:
    """The error for an exception that a service raised on a request."""
    if isinstance(error, HarnessFault):
        return error
    kind = type(error).__name__
    fault = HarnessFault(f"the service raised {kind} on {request.method} {request.raw_path}: {error}")
    fault.__cause__ = error
    return fault
