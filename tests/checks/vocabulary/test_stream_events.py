"""How judges read the events of a stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks.vocabulary import stream_events
from harness.outcome import Severity, Unmet
from harness.wire import By, Ending, Frame, How
from tests.checks._play import answer, interaction, refusal
from tests.checks._streams import call_events, event, numbered, streamed, text_events

GOOD = text_events("He", "llo")


def frame(data):
    """A frame with this payload."""
    return Frame(data, None, None, 0, len(data))


def test_events_of_a_stream():
    """`events_in` returns the events of a stream in order, without the `[DONE]` sentinel."""
    assert stream_events.events_in(streamed(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("exchange", "why"),
    [
        (answer(body=interaction()), "no stream"),
        (refusal(400), "no stream"),
        (answer(None), "no response"),
        (replace(streamed(GOOD), truncated=True), "more than the limit"),
    ],
)
def test_what_is_no_stream_has_no_events(exchange, why):
    with pytest.raises(Unmet, match=why):
        stream_events.events_in(exchange)


def test_a_wrong_label_hides_no_events():
    """A stream with a wrong Content-Type is still read as a stream; another check reports the header."""
    assert stream_events.is_stream(answer(body=streamed(GOOD).body, label="text/plain"))


@pytest.mark.parametrize(
    ("exchange", "severities"),
    [
        (streamed(GOOD), []),
        (
            answer(body=streamed(GOOD).body, label="text/event-stream", ending=Ending(By.SERVER, How.FIN)),
            [Severity.INFORMATION],
        ),
        (answer(body=interaction()), [Severity.BROKEN]),
        (refusal(400), [Severity.BROKEN]),
        (answer(None), [Severity.BROKEN]),
    ],
)
def test_where_a_stream_was_due(exchange, severities):
    """Where a stream is required, anything else breaks the rule; a stream that was cut is only noted."""
    assert [finding.severity for finding in stream_events.expect_stream(exchange)] == severities


def test_frames_that_cannot_be_decoded_are_left_out():
    """The sentinel, broken JSON, values that are not objects and endless nesting are skipped."""
    odd = [b"[DONE]", b'{"a":', b"7", b"[{}]", b"\xff", b'{"a":' * 100_000, b'{"event_type": "x"}']
    assert stream_events.decode_frames(map(frame, odd)) == [{"event_type": "x"}]


def test_the_last_cursor_is_the_latest_one():
    """The last cursor is the latest event id, however many events without an id follow it."""
    some = [*numbered(GOOD)[:3], *GOOD[3:5]]
    assert stream_events.last_cursor(some) == "ev2"
    assert stream_events.last_cursor(GOOD) is None


def test_deltas_of_one_type():
    assert len(stream_events.deltas(GOOD, "text")) == 2
    assert len(stream_events.deltas(call_events("{", "}"), "arguments_delta")) == 2
    assert stream_events.deltas([event("step.delta", delta="text")], "text") == []


@pytest.mark.parametrize(
    ("stream", "status"),
    [(GOOD, "completed"), (GOOD[:-1], None), ([event("interaction.completed", interaction=7)], None)],
)
def test_the_completion(stream, status):
    """A completion event without an interaction still counts as the completion, with an empty interaction."""
    end = stream_events.completion(stream)
    assert (end or {}).get("status") == status
    assert (end is None) is (stream == GOOD[:-1])


def test_the_id_a_stream_tells():
    """The id of a stream comes from the first event that names an interaction; without one it is empty."""
    assert stream_events.stream_id(GOOD) == "v1_one"
    assert stream_events.stream_id(GOOD[1:]) == "v1_one"
    assert stream_events.stream_id(GOOD[2:5]) == ""
    assert stream_events.stream_id(text_events("Hi", found="")) == ""
