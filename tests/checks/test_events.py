"""What is asked of the events in a stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks import events
from harness.outcome import Severity, Unmet
from harness.wire import By, Ending, Frame, How
from tests.checks._play import answer, interaction, refusal
from tests.checks._streams import call_events, event, numbered, streamed, text_events

GOOD = text_events("He", "llo")


def frame(data):
    """A frame with this payload."""
    return Frame(data, None, None, 0, len(data))


def test_events_of_a_stream():
    """A stream gives its events in order, without the sentinel."""
    assert events.events_in(streamed(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("exchange", "why"),
    [
        (answer(body=interaction()), "no stream"),
        (refusal(400), "no stream"),
        (answer(None), "no answer"),
        (replace(streamed(GOOD), truncated=True), "more than is kept"),
    ],
)
def test_what_is_no_stream_has_no_events(exchange, why):
    """Where there is nothing to look at, a judge is told why."""
    with pytest.raises(Unmet, match=why):
        events.events_in(exchange)


def test_a_wrong_label_hides_no_events():
    """A stream under another label is one finding elsewhere, not a blind spot everywhere."""
    assert events.is_stream(answer(body=streamed(GOOD).body, label="text/plain"))


@pytest.mark.parametrize(
    ("exchange", "severities"),
    [
        (streamed(GOOD), []),
        (replace(streamed(GOOD), ending=Ending(By.SERVER, How.FIN)), [Severity.INFORMATION]),
        (answer(body=interaction()), [Severity.BROKEN]),
        (refusal(400), [Severity.BROKEN]),
        (answer(None), [Severity.BROKEN]),
    ],
)
def test_where_a_stream_was_due(exchange, severities):
    """Anything but a stream breaks the rule; a stream that was cut is noted."""
    assert [finding.severity for finding in events.expect_stream(exchange)] == severities


def test_frames_that_cannot_be_decoded_are_left_out():
    """The sentinel, broken JSON, other values and endless nesting are no events."""
    odd = [b"[DONE]", b'{"a":', b"7", b"[{}]", b"\xff", b'{"a":' * 100_000, b'{"event_type": "x"}']
    assert events.decoded(map(frame, odd)) == [{"event_type": "x"}]


def test_the_last_cursor_is_the_latest_one():
    """A client goes on from the last event that had an id, however many came after it."""
    some = [*numbered(GOOD)[:3], *GOOD[3:5]]
    assert events.last_cursor(some) == "ev2"
    assert events.last_cursor(GOOD) is None


def test_deltas_of_one_type():
    """Deltas are told apart by the type inside them."""
    assert len(events.deltas(GOOD, "text")) == 2
    assert len(events.deltas(call_events("{", "}"), "arguments_delta")) == 2
    assert events.deltas([event("step.delta", delta="text")], "text") == []


@pytest.mark.parametrize(
    ("stream", "status"),
    [(GOOD, "completed"), (GOOD[:-1], None), ([event("interaction.completed", interaction=7)], None)],
)
def test_the_completion(stream, status):
    """A completion without an interaction in it is still one, of nothing."""
    end = events.completion(stream)
    assert (end or {}).get("status") == status
    assert (end is None) is (stream == GOOD[:-1])


def test_the_id_a_stream_tells():
    """The first event that names an interaction tells whose stream it is."""
    assert events.stream_id(GOOD) == "v1_one"
    assert events.stream_id(GOOD[1:]) == "v1_one"
    assert events.stream_id(GOOD[2:5]) == ""
    assert events.stream_id(text_events("Hi", found="")) == ""
