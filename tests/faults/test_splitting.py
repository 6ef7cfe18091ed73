"""Events with every byte that belongs to them, whatever the pieces they come in."""

from __future__ import annotations

import pytest

from harness.faults.splitting import Splitter
from tests.faults.streams import BODY, CRLF_STREAM, STREAM, slices

CR_STREAM = tuple(block.replace(b"\n", b"\r") for block in STREAM)


@pytest.mark.parametrize("stream", [STREAM, CRLF_STREAM, CR_STREAM], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_events_do_not_depend_on_pieces(stream: tuple[bytes, ...], size: int) -> None:
    """A LF after the CR that ends an event belongs to the event."""
    splitter = Splitter()
    events = [event for part in slices(b"".join(stream), size) for event in splitter.feed(part)]
    last, rest = splitter.finish()
    assert [event.raw for event in [*events, *last]] == list(stream)
    assert rest == b""


def test_comments_lead_the_event_they_precede() -> None:
    """They are in `raw`, not in `block`; what is left of a cut stream is the rest."""
    splitter = Splitter()
    event = splitter.feed(b": ping\n\n" + STREAM[0] + b"data: x")[0]
    assert (event.raw, event.block) == (b": ping\n\n" + STREAM[0], STREAM[0])
    assert splitter.finish() == ([], b"data: x")


def test_an_endless_event_is_given_up() -> None:
    """Memory is bounded: its bytes come out, and events after it are found."""
    splitter = Splitter()
    out = 0
    for _ in range(40):
        assert splitter.feed(b"x" * 1_000_000) == []
        out += len(splitter.spill())
    assert out > 30_000_000
    assert [event.block for event in splitter.feed(b"\n\n" + BODY)] == list(STREAM)
