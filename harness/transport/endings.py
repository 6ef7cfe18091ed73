"""What a body looks like from the client's end of the connection: the same whichever carrier brought it.

Layer 3. Knows framings and endings; must not know sockets, clocks or client libraries. A service may say what
no client can see (bytes past the Content-Length, a cut where only a FIN ends the body): `seen` turns such an
ending into the one that arrives, the socket server plays that one, and in-process carriers report that one.
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
    """Whether a head has a Content-Length; of a 304 it would be that of the 200 in its place (RFC 9110, 8.6)."""
    return status >= 200 and status != 204 and (status != 304 or framing.size > 0)


def framed_headers(status: int, headers: Headers, framing: Framing, *, keep: bool) -> Headers:
    """The fields of a head as they are sent: those that speak of the framing keep their places, if they are true.

    Only what the framing needs besides is added, at the end. `keep`: the connection stays open afterwards.
    """
    own = Headers(item for item in (_true(name, value, framing, keep) for name, value in headers) if item)
    if isinstance(framing, Chunked):
        return own if "transfer-encoding" in own else own.having("transfer-encoding", "chunked")
    if isinstance(framing, UntilClose):
        return own if "connection" in own else own.having("connection", "close")
    needed = speaks_of_length(status, framing) and "content-length" not in own
    return own.having("content-length", str(framing.size)) if needed else own


def _true(name: str, value: str, framing: Framing, keep: bool) -> tuple[str, str] | None:
    """The field as it may be sent, None where it would speak of another framing, or of another connection."""
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
    """Whether the fields announce that the connection ends with this answer."""
    return any(_closing(value) for value in headers.all("connection"))


def _closing(value: str) -> bool:
    return "close" in value.lower()


def head_ending(piece: Piece) -> Ending | None:
    """The ending that comes in place of a head, when the first piece of a body is one."""
    if not isinstance(piece, Ending) or piece.complete or piece.at not in _BEFORE_BODY:
        return None
    return _server_side(piece)


def head_bytes_sent(ending: Ending, head: int) -> int:
    """How much of a head of `head` bytes arrives: never all of it, half of it when the ending does not say."""
    if ending.at is At.BEFORE_HEADERS:
        return 0
    return min(head // 2 if ending.sent is None else max(ending.sent, 1), head - 1)


def seen(ending: Ending, framing: Framing, sent: int, unfinished: Chunk | None = None) -> Ending:
    """The ending a client sees where the service says `ending` after `sent` body bytes.

    `unfinished` is the last piece when it was a chunk with `declared`. An ending before or inside the headers
    that comes after bytes of the body counts as one in the body.
    """
    ending = _server_side(ending)
    if ending.how in {How.REFUSED, How.TLS}:  # too late for that: what breaks now is the connection
        ending = replace(ending, how=How.RST)
    if isinstance(framing, Chunked):
        return _seen_in_chunks(ending, unfinished)
    if isinstance(framing, Length):
        if sent >= framing.size:
            return COMPLETE
        how = How.FIN if ending.how in {How.COMPLETE, How.BAD_HTTP} else ending.how
        return replace(ending, how=how, at=At.IN_BODY, declared=framing.size, sent=sent)
    if ending.how in {How.COMPLETE, How.FIN, How.BAD_HTTP}:
        return COMPLETE
    return replace(ending, at=At.IN_BODY, declared=None, sent=None)


def _seen_in_chunks(ending: Ending, unfinished: Chunk | None) -> Ending:
    if unfinished is not None:
        declared, sent = cast("int", unfinished.declared), len(unfinished.data)
        silent = ending.how is How.COMPLETE or (ending.how is How.BAD_HTTP and sent < declared)
        return replace(ending, how=How.FIN if silent else ending.how, at=At.IN_CHUNK, declared=declared, sent=sent)
    if ending.complete:
        return COMPLETE
    if ending.at is At.IN_CHUNK and ending.how is not How.BAD_HTTP:
        return replace(ending, sent=0)
    return replace(ending, at=At.IN_BODY, declared=None, sent=None)


def _server_side(ending: Ending) -> Ending:
    """A recording whose own client left or gave up does not know what its server would have done: it stalls."""
    if ending.by is not By.SERVER or ending.how is How.TIMEOUT:
        return replace(ending, by=By.SERVER, how=How.STALL)
    return ending


def pull(body: Body) -> Piece:
    """The next piece of a body; whatever goes wrong in there is a `HarnessFault`, never the target's doing."""
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
    """What to raise for a body that holds more than its framing promised."""
    return HarnessFault(f"the body holds more than its Length({size}): give the whole size, or another framing")


def after_unfinished() -> HarnessFault:
    """What to raise for a piece after an unfinished chunk."""
    return HarnessFault("a piece follows a Chunk with `declared`: only an Ending may follow an unfinished chunk")
