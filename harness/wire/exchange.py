"""The finished record of one request and its answer; its size is bounded whatever the other side sends.

Knows pieces and endings; must not know what the bytes mean.
"""

from __future__ import annotations

import hashlib
import io
from array import array
from collections.abc import Iterable, Sequence

from msgspec import Struct, field
from msgspec.structs import force_setattr

from harness.wire.message import EVENT_STREAM, By, Chunk, Ending, Framing, Headers, How, Request, UntilClose

KEPT_BYTES = 8 * 1024 * 1024
"""Bytes of a body that a record keeps; the rest is only counted and included in the digest."""

KEPT_PIECES = 65_536
"""Number of pieces whose arrival times are kept."""

_OPENINGS = (b"event:", b"data:", b"id:", b"retry:", b":", b"\xef\xbb\xbfevent:", b"\xef\xbb\xbfdata:")


class Arrivals(Struct, frozen=True):
    """When pieces came: parallel arrays of sizes in bytes and of seconds since the request was sent."""

    sizes: array[int]
    moments: array[float]
    count: int


class Exchange(Struct, frozen=True, eq=False):
    """One request, its response, and the ending. Exchanges compare by identity.

    `status` is None when no complete response head arrived. `body` is the body after transfer decoding, at most
    `KEPT_BYTES` of it; `size` and `sha256` describe all of it. `reason` is the phrase of the status line, "" if
    there is no phrase or no line. `excuse` is why the exchange proves nothing about the target, "" if it does.
    `interrupted`: the client ended what it is about while it was read, so that its end proves nothing, either.
    `began` is when the request was sent, in seconds on the clock of its sender, None if that is not known:
    only the difference of two means something. `notes` is not part of the record: readers keep there, under their
    own name, what they computed from it.
    """

    request: Request
    status: int | None
    headers: Headers
    framing: Framing
    body: bytes
    size: int
    sha256: str
    truncated: bool
    arrivals: Arrivals
    ending: Ending
    seconds: float
    reason: str = ""
    excuse: str = ""
    interrupted: bool = False
    began: float | None = None
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether a whole response arrived according to its framing."""
        return self.status is not None and self.ending.complete

    @property
    def curtailed(self) -> bool:
        """Whether this side read or kept only a part of the response: what that lacks proves nothing."""
        return self.truncated or self.interrupted or self.ending.by is not By.SERVER

    @property
    def hung(self) -> bool:
        """Whether the harness stopped waiting for the response, or for the rest of it."""
        return self.ending.by is By.LIMIT and self.ending.how is How.TIMEOUT

    @property
    def first_byte(self) -> float:
        """Seconds until the first byte of the body; all of them if none came."""
        return self.arrivals.moments[0] if self.arrivals.moments else self.seconds

    @property
    def silence(self) -> float:
        """Seconds from the last piece that came to the end of the record; all of them if nothing came."""
        return self.seconds - (self.arrivals.moments[-1] if self.arrivals.moments else 0.0)

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events: by its media type, or by how it begins if that is wrong."""
        if self.status is None:
            return False
        return self.headers.media_type() == EVENT_STREAM or self.body.lstrip().startswith(_OPENINGS)

    def with_excuse(self, why: str) -> Exchange:
        """This exchange, which from now on proves nothing about the target.

        It stays one object: a copy beside it would look like a second create that was given the same id.
        """
        force_setattr(self, "excuse", why)
        return self

    def with_interruption(self, sent: Iterable[Exchange]) -> Exchange:
        """This exchange, interrupted if one `sent` meanwhile deleted its subject; it stays one object."""
        for other in sent:
            refused = other.status is not None and 400 <= other.status < 500
            if other.request.method == "DELETE" and not refused and (other.began or 0.0) >= (self.began or 0.0):
                name = other.request.segments[-1]
                if name in self.request.segments or name.encode() in self.body:
                    force_setattr(self, "interrupted", True)
        return self

    @property
    def succeeded(self) -> bool:
        """Whether the status is a 2xx."""
        return self.status is not None and 200 <= self.status < 300


class ExchangeBuilder:
    """Builds an `Exchange` while pieces pass; buffers nothing beyond `KEPT_BYTES` and `KEPT_PIECES`.

    If `most` is given, it replaces both bounds: that many bytes of the body are kept, and the arrivals of all
    their pieces. `began` is as in `Exchange`.
    """

    def __init__(self, request: Request, *, most: int | None = None, began: float | None = None) -> None:
        self._request = request
        self._began = began
        self._most = most
        self.status: int | None = None
        self.headers = Headers()
        self.framing: Framing = UntilClose()
        self.reason = ""
        self._body = io.BytesIO()  # its value is the only copy of a body, whatever the size
        self._size = 0
        self._count = 0
        self._digest = hashlib.sha256()
        self._sizes: array[int] = array("Q")
        self._moments: array[float] = array("d")

    def head(self, status: int, headers: Headers, framing: Framing, reason: str = "") -> None:
        """Record the complete response head."""
        self.status = status
        self.headers = headers
        self.framing = framing
        self.reason = reason

    def chunk(self, piece: Chunk, moment: float) -> None:
        """Record bytes that arrived `moment` seconds after the request was sent."""
        data = piece.data
        self._digest.update(data)
        self._size += len(data)
        self._count += 1
        room = (KEPT_BYTES if self._most is None else self._most) - self._body.tell()
        if room > 0:
            self._body.write(data[:room])
        if len(self._sizes) < KEPT_PIECES or (self._most is not None and room > 0):
            self._sizes.append(len(data))
            self._moments.append(moment)

    def chunks(self, pieces: Sequence[Chunk], moment: float) -> None:
        """Record pieces that arrived at the same moment."""
        for piece in pieces:
            self.chunk(piece, moment)

    @property
    def size(self) -> int:
        """Bytes of the body seen so far."""
        return self._size

    def span(self, start: int, end: int) -> bytes:
        """The bytes of the body from `start` to `end`, as far as they are kept."""
        with self._body.getbuffer() as kept:
            return bytes(kept[start:end])

    def finish(self, ending: Ending, seconds: float) -> Exchange:
        """Build the record; the exchange ended `seconds` after the request was sent."""
        return Exchange(
            request=self._request,
            status=self.status,
            headers=self.headers,
            framing=self.framing,
            body=self._body.getvalue(),
            size=self._size,
            sha256=self._digest.hexdigest(),
            truncated=self._size > self._body.tell(),
            arrivals=Arrivals(self._sizes, self._moments, self._count),
            ending=ending,
            seconds=seconds,
            reason=self.reason,
            began=self._began,
        )
