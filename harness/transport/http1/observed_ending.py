"""What a client sees of a head and a body at its end of the connection: the same with every carrier.

Layer 3. Knows framings and endings; must not know sockets, clocks or client libraries. A service may state an
ending that no client can see (bytes past the Content-Length, a cut where a FIN ends the body anyway).
`observe_ending` turns it into the ending that arrives: the socket server produces that one, and in-process
carriers report it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from harness.outcome import HarnessFault
from harness.wire import (
    COMPLETE,
    At,
    Body,
    By,
    Chunk,
    Chunked,
    Ending,
    Framing,
    Headers,
    How,
    Length,
    Piece,
    UntilClose,
)

FRAMING_FIELDS = ("content-length", "transfer-encoding", "connection", "keep-alive")
_BEFORE_BODY = frozenset({At.BEFORE_HEADERS, At.IN_HEADERS})


def has_body(method: str, status: int) -> bool:
    """Whether a response to `method` with `status` may carry a body (RFC 9112, 6.3)."""
    return method != "HEAD" and status >= 200 and status not in {204, 304}


def speaks_of_length(status: int, framing: Length) -> bool:
    """Whether a head has a Content-Length; a 304 states the length of the 200 it replaces (RFC 9110, 8.6)."""
    return status >= 200 and status != 204 and (status != 304 or framing.size > 0)


def framed_headers(status: int, headers: Headers, framing: Framing, *, keep: bool) -> Headers:
    """The fields of a head as they are sent. True fields about framing and connection keep their places.

    False ones are corrected or dropped, and a field that the framing still needs is appended. `keep`: the
    connection stays open afterwards.
    """
    own = Headers(item for item in (_correct_field(name, value, framing, keep) for name, value in headers) if item)
    if isinstance(framing, Chunked):
        return own if "transfer-encoding" in own else own.having("transfer-encoding", "chunked")
    if isinstance(framing, UntilClose):
        return own if "connection" in own else own.having("connection", "close")
    needed = speaks_of_length(status, framing) and "content-length" not in own
    return own.having("content-length", str(framing.size)) if needed else own


def _correct_field(name: str, value: str, framing: Framing, keep: bool) -> tuple[str, str] | None:
    """The field as it may be sent; None if it contradicts the framing or what happens to the connection."""
    lower = name.lower()
    if lower not in FRAMING_FIELDS:
        return name, value
    if lower == "content-length":
        return (name, str(framing.size)) if isinstance(framing, Length) else None
    if lower == "transfer-encoding":
        true = isinstance(framing, Chunked)
    else:
        true = keep if lower == "keep-alive" else keep is not _closing(value)
    return (name, value) if true else None


def says_close(headers: Headers) -> bool:
    """Whether the fields announce that the connection closes after this response."""
    return any(_closing(value) for value in headers.all("connection"))


def _closing(value: str) -> bool:
    return "close" in value.lower()


def head_ending(piece: Piece) -> Ending | None:
    """The ending that replaces the head, if the first piece of a body is such an ending."""
    if not isinstance(piece, Ending) or piece.complete or piece.at not in _BEFORE_BODY:
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
        return _note_unfinished(ending, unfinished)
    if isinstance(framing, Length):
        if sent >= framing.size:
            return COMPLETE
        how = How.FIN if ending.how in {How.COMPLETE, How.BAD_HTTP} else ending.how
        return replace(ending, how=how, at=At.IN_BODY, declared=framing.size, sent=sent)
    if ending.how in {How.COMPLETE, How.FIN, How.BAD_HTTP}:
        return COMPLETE
    return replace(ending, at=At.IN_BODY, declared=None, sent=None)


def _note_unfinished(ending: Ending, unfinished: Chunk | None) -> Ending:
    if unfinished is not None:
        declared, sent = cast("int", unfinished.declared), len(unfinished.data)
        silent = ending.how is How.COMPLETE or (ending.how is How.BAD_HTTP and sent < declared)
        return replace(ending, how=How.FIN if silent else ending.how, at=At.IN_CHUNK, declared=declared, sent=sent)
    if ending.complete:
        return COMPLETE
    if ending.at is At.IN_CHUNK and ending.how is not How.BAD_HTTP:
        return replace(ending, sent=0)
    return replace(ending, at=At.IN_BODY, declared=None, sent=None)


def _turn_into_stall(ending: Ending) -> Ending:
    """Turn an ending by the client or a timeout into a stall: nobody knows what the server would have done."""
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
    """What to raise for an exception that came out of a body."""
    if isinstance(error, HarnessFault):
        return error
    kind = type(body).__name__
    if isinstance(error, StopIteration):
        return HarnessFault(f"{kind} ran out of pieces without an Ending: every body must end with one")
    return HarnessFault(f"{kind} raised {type(error).__name__}: {error}")


def overlong(size: int) -> HarnessFault:
    """What to raise for a body that is longer than its framing declares."""
    return HarnessFault(f"the body holds more than its Length({size}): give the whole size, or another framing")


def after_unfinished() -> HarnessFault:
    """What to raise for a piece after an unfinished chunk."""
    return HarnessFault("a piece follows a Chunk with `declared`: only an Ending may follow an unfinished chunk")
