"""All places where a recorded body can be cut, from coarse to exhaustive.

Knows bytes and where events end in them; must not know what a cut does. Places are yielded lazily, in stream order
and without duplicates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.faults.cut_faults import Place, Spot
from harness.faults.splitting import Splitter

_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_LINE = re.compile(rb"[^\r\n]+")


def every_event(body: bytes) -> Iterator[Place]:
    """Before the first event, and after each event."""
    events, _ = _split_segments(body)
    for number in range(len(events) + 1):
        yield Place(Spot.EVENT, number)


def structural(body: bytes) -> Iterator[Place]:
    """About ten places per event, each of which has broken some reader, and the end of the body."""
    events, rest = _split_segments(body)
    for number, segment in enumerate(events):
        for offset in sorted(_choose_offsets(segment)):
            yield Place(Spot.EVENT, number, offset)
    yield Place(Spot.EVENT, len(events))
    for offset in sorted(_choose_offsets(rest) - {0}):
        yield Place(Spot.EVENT, len(events), offset)


def every_byte(body: bytes) -> Iterator[Place]:
    """Before the first byte, and after each byte."""
    for number in range(len(body) + 1):
        yield Place(Spot.BYTE, number)


def _split_segments(body: bytes) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    events = splitter.feed(body)
    last, rest = splitter.finish()
    return [event.raw for event in [*events, *last]], rest


def _choose_offsets(segment: bytes) -> set[int]:
    """Offsets in one event: its start, the names, middles and ends of its lines, inside a character, its end."""
    whole = len(segment) - segment.endswith(b"\r\n")  # the CR of a blank line already completes its event
    offsets = {0, 1, whole - 2, whole - 1}
    for line in _LINE.finditer(segment):
        name, colon, _ = line[0].partition(b":")
        offsets |= {line.start() + (len(name) + 1) // 2, line.start() + len(name) + len(colon)}
        offsets |= {(line.start() + line.end()) // 2, line.end()}
    character = _CHARACTER.search(segment)
    if character is not None:
        offsets.add(character.start() + 1)
    return {offset for offset in offsets if 0 <= offset < whole}
