"""A response as its client sees it, without a socket: what the in-process carriers read from.

Layer 3. Knows pieces, framings and endings; must not know time or client libraries.
"""

from __future__ import annotations

from dataclasses import replace

from harness.outcome import HarnessFault
from harness.transport.http1.heads import write_response_head
from harness.transport.http1.observed_ending import (
    after_unfinished,
    framed_headers,
    has_body,
    head_bytes_sent,
    head_ending,
    observe_ending,
    overlong,
    pull,
    says_close,
)
from harness.wire import (
    COMPLETE,
    At,
    Chunk,
    Chunked,
    Ending,
    Framing,
    Headers,
    Length,
    Pause,
    Piece,
    Request,
    Response,
    Service,
    UntilClose,
)


class ResponseView:
    """The response of `service` to `request`, read piece by piece; `close` reaches the service exactly once.

    `dead` is the ending that replaces the head, else None. Only the first piece can tell, so it is pulled at
    construction. Raises `HarnessFault` if the service or its body raises.
    """

    def __init__(self, service: Service, request: Request) -> None:
        self._response = call(service, request)
        self.status = self._response.status
        self.headers = _correct_headers(self._response)
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
        self.dead = self._read_head_ending(self._first)

    def _read_head_ending(self, first: Piece) -> Ending | None:
        ending = head_ending(first)
        if ending is None:
            if self._bodiless:
                self.ended = COMPLETE
            return None
        if ending.at is At.IN_HEADERS:
            framing = self._response.framing
            head, _ = write_response_head(self._response, framing, keep=not isinstance(framing, UntilClose))
            ending = replace(ending, declared=None, sent=head_bytes_sent(ending, len(head)))
        self.ended = ending
        return ending

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
        return self._note_chunk(piece)

    def _note_chunk(self, piece: Chunk) -> Chunk:
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
        """Tell the service that nobody is reading any more."""
        if not self._closed:
            self._closed = True
            self._response.body.close()


def _correct_headers(response: Response) -> Headers:
    keep = not (isinstance(response.framing, UntilClose) or says_close(response.headers))
    return framed_headers(response.status, response.headers, response.framing, keep=keep)


def call(service: Service, request: Request) -> Response:
    """Call the service; an exception that it raises becomes a `HarnessFault`."""
    try:
        return service(request)
    except HarnessFault:
        raise
    except Exception as error:
        raise service_fault(request, error) from error


def service_fault(request: Request, error: Exception) -> HarnessFault:
    """What to raise for an exception that a service raised on a request."""
    if isinstance(error, HarnessFault):
        return error
    kind = type(error).__name__
    fault = HarnessFault(f"the service raised {kind} on {request.method} {request.raw_path}: {error}")
    fault.__cause__ = error
    return fault
