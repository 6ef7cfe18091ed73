"""A stream is split into events with all bytes that belong to them, for any chunking."""

from __future__ import annotations

import pytest

from harness.faults.event_stage import Splitter
from tests.faults.streams import CRLF_STREAM, STREAM, slices

CR_STREAM = tuple(block.replace(b"\n", b"\r") for block in STREAM)


@pytest.mark.parametrize("stream", [STREAM, CRLF_STREAM, CR_STREAM], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_events_do_not_depend_on_pieces(stream: tuple[bytes, ...], size: int) -> None:
    """For any chunking the split events are the same, and an LF after a final CR belongs to the event."""
    splitter = Splitter()
    events = [event for part in slices(b"".join(stream), size) for event in splitter.feed(part)]
    last, rest = splitter.finish()
    assert [event.raw for event in [*events, *last]] == list(stream)
    assert rest == b""


def test_comments_lead_the_event_they_precede() -> None:
    """A comment before an event is in its `raw` but not in its `block`; unfinished bytes are the rest."""
    splitter = Splitter()
    event = splitter.feed(b": ping\n\n" + STREAM[0] + b"data: x")[0]
    assert (event.raw, event.block) == (b": ping\n\n" + STREAM[0], STREAM[0])
    assert splitter.finish() == ([], b"data: x")
