"""One server-sent event as bytes: the value that the decoder in `harness.wire.sse` yields.

Layer 0.
"""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """One dispatched event and the span of stream bytes that it came from, blank line included.

    `data` is the joined payload without its final newline, still encoded. `event` and `id` are None when the
    block had no such field (`id` of earlier blocks is not repeated here). `start` and `end` are byte offsets
    from the first byte of the stream, byte order mark included.
    """

    data: bytes
    event: bytes | None
    id: bytes | None
    start: int
    end: int


class StrayBlock(NamedTuple):
    """A block that begins like JSON in place of a field: something wrote it past the framing of the stream.

    Decoders drop it. `raw` is its beginning; `start` and `end` are byte offsets as in `Frame`.
    """

    raw: bytes
    start: int
    end: int


class CutFrame(NamedTuple):
    """The rest of a stream that ended inside a block; it is never dispatched.

    `would_be` is the frame that one more blank line would have completed, None when no `data:` line was complete.
    """

    raw: bytes
    start: int
    end: int
    would_be: Frame | None
