"""Enumerated places: all there, in order, each a different byte of the body."""

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
    """One place before the first event and one after each."""
    assert [str(place) for place in every_event(BODY)] == [f"event:{number}" for number in range(7)]


def test_every_byte() -> None:
    """As many places as the body has bytes, and one."""
    assert [place.at for place in every_byte(b"abc")] == [0, 1, 2, 3]


def cut_at(place: Place, body: bytes) -> int:
    """How many bytes a cut there delivers."""
    return len(through(f"{place},end", [body]))


@pytest.mark.parametrize("name", BODIES)
def test_structural_places_differ_and_are_in_order(name: str) -> None:
    """Each cuts at another byte; both ends of the body are among them."""
    body = BODIES[name]
    offsets = [cut_at(place, body) for place in structural(body)]
    assert offsets == sorted(set(offsets))
    assert offsets[0] == 0
    assert offsets[-1] >= len(body) - 1


def test_structural_places_are_where_readers_break() -> None:
    """Of an event: around its start, in both names, after both colons, mid JSON, in é, at both newlines."""
    start, block = after(1), STREAM[1]
    wanted = {0, 1, 3, 6, block.index(b"\n"), block.index(b"ata:") + 1, block.index(b"data:") + 5}
    wanted |= {block.index(b"\xc3") + 1, len(block) - 2, len(block) - 1}
    found = {cut_at(place, BODY) - start for place in structural(BODY) if place.at == 1}
    assert wanted <= found
    assert len(found) <= 12


def test_recorded_streams_have_about_ten_places_an_event(corpus: Path) -> None:
    """On real traffic too."""
    for path in (corpus / "files").glob("*.sse"):
        body = path.read_bytes()
        events = len(list(every_event(body))) - 1
        assert 8 * events <= len(list(structural(body))) <= 13 * events
