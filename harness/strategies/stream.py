"""A generated stream as a value: its events, how it was requested, and the rule it breaks, if any.

Layer 2. Knows how events become frames; must not know how they are generated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.wire import Decoder, encode

DONE = b"[DONE]"
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStream:
    """Events in order; a `bytes` item is a payload that is not a JSON object, or a misplaced sentinel.

    `start` and `background` are the arguments a `StreamJudge` needs for it. `breaks` is the id of the rule that an
    illegal stream breaks, "" for a legal one. `done`: a [DONE] frame ends the stream.
    """

    events: tuple[Event | bytes, ...]
    done: bool = True
    start: str = "fresh"
    background: bool = False
    breaks: str = ""

    def payloads(self) -> list[tuple[str, bytes]]:
        """Return the name and data of each frame, including the closing one."""
        named = [(_name(event), event if isinstance(event, bytes) else compact(event)) for event in self.events]
        return [*named, ("done", DONE)] if self.done else named

    def frames(self) -> list[bytes]:
        """Return the frames in the usual form: LF line ends, one data line each."""
        return [encode(name, data) for name, data in self.payloads()]

    def data(self) -> bytes:
        """Return the whole stream as bytes."""
        return b"".join(self.frames())

    def having(self, *events: Event | bytes, breaks: str, done: bool = True) -> EventStream:
        """Return the same stream with other events, which break a rule."""
        return replace(self, events=events, breaks=breaks, done=done)


def compact(event: Event) -> bytes:
    """Encode an event the way a service does."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _name(event: Event | bytes) -> str:
    return "done" if isinstance(event, bytes) else str(event.get("event_type", "message"))


# Different wire forms of the same stream: line ends, comments, fields, pieces; and where to cut it.
# Knows the grammar of server-sent events (WHATWG HTML, "server-sent events") and no API.


BOM = b"\xef\xbb\xbf"
_ENDS = (b"\n", b"\r\n", b"\r")
_COMMENTS = (b":", b": keepalive", b":data: no", ":déjà 🦊".encode())
_STRANGERS = (b"retry: 3000", b"retry: soon", b"unknown: x", b"data2", b" data: indented")
"""Lines that do not change any event."""


@st.composite
def wire_framings(draw: st.DrawFn, stream: EventStream | bytes | list[tuple[str, bytes]]) -> list[bytes]:
    """Pieces of bytes that carry the same events: `event_streams().flatmap(wire_framings)`.

    Takes a stream, its bytes, or (name, data) pairs. Line ends, comments, unknown fields, spaces and the pieces
    are drawn; data with line breaks spans several lines. A decoder must return the same names and payloads.
    """
    writer = _Writer(draw)
    for name, data in _read_payloads(stream):
        writer.event(name, data)
    return draw(splits(bytes(writer.out)))


def splits(data: bytes) -> SearchStrategy[list[bytes]]:
    """`data` in pieces, some possibly empty, cut anywhere, even between CR and LF or inside a character."""
    places = st.lists(cuts(data), max_size=6).map(sorted)
    return places.map(lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)])


def cuts(data: bytes) -> SearchStrategy[int]:
    """Where a connection may drop: an offset from 0 to the end, biased towards critical places.

    These are the ends of lines and events, one byte before and after them, and the inside of characters.
    """
    anywhere = st.integers(0, len(data))
    notable = sorted(
        {place for at in _find_borders(data) for place in (at - 1, at, at + 1) if 0 <= place <= len(data)}
    )
    return st.one_of(st.sampled_from(notable), anywhere) if notable else anywhere


def _find_borders(data: bytes) -> list[int]:
    """Offsets after each line end and inside each multi-byte character, within the first 4096 bytes."""
    return [at + 1 for at, byte in enumerate(data[:4096]) if byte in b"\r\n" or byte >= 0xC0]


def _read_payloads(stream: EventStream | bytes | list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    if isinstance(stream, EventStream):
        return stream.payloads()
    if isinstance(stream, bytes):
        return [((frame.event or b"").decode("utf-8", "replace"), frame.data) for frame in Decoder().feed(stream)]
    return stream


class _Writer:
    """Writes events line by line and draws the form of each line."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._ends = draw(st.sampled_from((_ENDS[:1], _ENDS[1:2], _ENDS[2:], _ENDS)))
        self._noise = draw(st.booleans())
        self.out = bytearray(BOM if draw(st.booleans()) else b"")

    def event(self, name: str, data: bytes) -> None:
        """Write one event and the blank line that dispatches it."""
        spaced = self._draw(st.booleans())
        lines = [_write_field(b"data", part, spaced) for part in data.split(b"\n")]
        if name:
            lines.insert(
                self._draw(st.sampled_from((0, len(lines)))), _write_field(b"event", name.encode(), spaced)
            )
        if self._noise:
            noise = self._draw(st.sampled_from(_COMMENTS + _STRANGERS))
            lines.insert(self._draw(st.integers(0, len(lines))), noise)
        for line in [*lines, b""]:
            self._write_line(line)

    def _write_line(self, line: bytes) -> None:
        """Write a line and a line end; an LF must not form a CRLF with a CR before it."""
        end = self._ends[0] if len(self._ends) == 1 else self._draw(st.sampled_from(self._ends))
        if not line and end == b"\n" and self.out.endswith(b"\r"):
            end = b"\r"
        self.out += line + end


def _write_field(name: bytes, value: bytes, spaced: bool) -> bytes:
    """A decoder strips one space after the colon, so a value that begins with a space needs an extra one."""
    return name + (b": " if spaced or value.startswith(b" ") else b":") + value
