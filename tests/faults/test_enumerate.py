"""Enumerated places are complete, in order, and each cuts at a different byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.faults import Place, every_byte, every_event, structural
from tests.faults.streams import BODY, CRLF_STREAM, STREAM, after, through

BODIES = {
    "lf": BODY,
    "crlf": b"".join(CRLF_STREAM),
    "comments": b": hello\n\n" + BODY,
    "cut": BODY[:-7],
    "empty": b"",
    "no event": b"no event",
}


def test_every_event() -> None:
    """`every_event` yields one place before the first event and one after each event."""
    assert [str(place) for place in every_event(BODY)] == [f"event:{number}" for number in range(7)]


def test_every_byte() -> None:
    """`every_byte` yields one place more than the body has bytes."""
    assert [place.at for place in every_byte(b"abc")] == [0, 1, 2, 3]


def cut_at(place: Place, body: bytes) -> int:
    """The number of bytes that a cut at this place delivers."""
    return len(through(f"{place},end", [body]))


@pytest.mark.parametrize("name", BODIES)
def test_structural_places_differ_and_are_in_order(name: str) -> None:
    """Structural places cut at different, increasing offsets and include both ends of the body."""
    body = BODIES[name]
    offsets = [cut_at(place, body) for place in structural(body)]
    assert offsets == sorted(set(offsets))
    assert offsets[0] == 0
    assert offsets[-1] >= len(body) - 1


def test_structural_places_are_where_readers_break() -> None:
    """Structural places include field names, colons, mid-JSON, multi-byte characters and both newlines."""
    start, block = after(1), STREAM[1]
    wanted = {0, 1, 3, 6, block.index(b"\n"), block.index(b"ata:") + 1, block.index(b"data:") + 5}
    wanted |= {block.index(b"\xc3") + 1, len(block) - 2, len(block) - 1}
    found = {cut_at(place, BODY) - start for place in structural(BODY) if place.at == 1}
    assert wanted <= found
    assert len(found) <= 12


def test_recorded_streams_have_about_ten_places_an_event(corpus: Path) -> None:
    """Recorded streams too have about ten structural places for each event."""
    for path in (corpus / "files").glob("*.sse"):
        body = path.read_bytes()
        events = len(list(every_event(body))) - 1
        assert 8 * events <= len(list(structural(body))) <= 13 * events
