"""How judges read the events of a stream, and the resume oracle: every cut, and every kind of wrong resume."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from harness.checks.vocabulary import streams
from harness.checks.vocabulary.streams import additions, cuts, leniencies, losses
from harness.contract import load
from harness.contract.data.diffs import EventDiff, compare
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
    assert streams.events_in(streamed(GOOD)) == GOOD


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
        streams.events_in(exchange)


def test_a_wrong_label_hides_no_events():
    """A stream with a wrong Content-Type is still read as a stream; another check reports the header."""
    assert streams.is_stream(answer(body=streamed(GOOD).body, label="text/plain"))


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
    assert [finding.severity for finding in streams.expect_stream(exchange)] == severities


def test_frames_that_cannot_be_decoded_are_left_out():
    """The sentinel, broken JSON, values that are not objects and endless nesting are skipped."""
    odd = [b"[DONE]", b'{"a":', b"7", b"[{}]", b"\xff", b'{"a":' * 100_000, b'{"event_type": "x"}']
    assert streams.decode_frames(map(frame, odd)) == [{"event_type": "x"}]


def test_the_last_cursor_is_the_latest_one():
    """The last cursor is the latest event id, however many events without an id follow it."""
    some = [*numbered(GOOD)[:3], *GOOD[3:5]]
    assert streams.last_cursor(some) == "ev2"
    assert streams.last_cursor(GOOD) is None


def test_deltas_of_one_type():
    assert len(streams.deltas(GOOD, "text")) == 2
    assert len(streams.deltas(call_events("{", "}"), "arguments_delta")) == 2
    assert streams.deltas([event("step.delta", delta="text")], "text") == []


@pytest.mark.parametrize(
    ("stream", "status"),
    [(GOOD, "completed"), (GOOD[:-1], None), ([event("interaction.completed", interaction=7)], None)],
)
def test_the_completion(stream, status):
    """A completion event without an interaction still counts as the completion, with an empty interaction."""
    end = streams.completion(stream)
    assert (end or {}).get("status") == status
    assert (end is None) is (stream == GOOD[:-1])


def test_the_id_a_stream_tells():
    """The id of a stream comes from the first event that names an interaction; without one it is empty."""
    assert streams.stream_id(GOOD) == "v1_one"
    assert streams.stream_id(GOOD[1:]) == "v1_one"
    assert streams.stream_id(GOOD[2:5]) == ""
    assert streams.stream_id(text_events("Hi", found="")) == ""


# --- differences


WHOLE = numbered(text_events("He", "llo ", "world"))
CUT = 6
DUE = WHOLE[CUT + 1 :]
RESPLIT = text_events("He", "llo wor", "ld")[CUT + 1 :]


@pytest.mark.parametrize("at", range(-1, len(WHOLE)))
def test_the_exact_rest_is_right_at_every_cut(at):
    """At every cut, exactly the events after it are right; their ids are not compared (another rule does that)."""
    assert compare(WHOLE, at, [{**event, "event_id": "x"} for event in WHOLE[at + 1 :]], load()) == EventDiff()


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_the_boundary_event_may_come_once_more(at):
    """At every cut, a resume that begins by repeating the cursor's event is `repeated`, not wrong."""
    assert compare(WHOLE, at, WHOLE[at:], load()).repeated


@pytest.mark.parametrize("at", range(len(WHOLE) - 2))
def test_one_event_too_few_is_a_loss(at):
    """A resume that skips the event after its cursor is missing exactly that event."""
    rest = compare(WHOLE, at, WHOLE[at + 2 :], load())
    assert rest.missing == (at + 1,)
    assert not rest.extra


@pytest.mark.parametrize("at", range(1, len(WHOLE)))
def test_a_replay_from_the_start_is_extra(at):
    """If a server ignores the cursor and replays from the start, the events the client already has are `extra`."""
    rest = compare(WHOLE, at, WHOLE, load())
    assert len(rest.extra) == at + 1
    assert not rest.missing


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        pytest.param(RESPLIT, EventDiff(resplit=True), id="split differently"),
        pytest.param([], EventDiff(missing=tuple(range(CUT + 1, len(WHOLE)))), id="nothing"),
        pytest.param(DUE[:-1], EventDiff(missing=(len(WHOLE) - 1,)), id="no completion"),
        pytest.param([DUE[1], DUE[0], *DUE[2:]], EventDiff(reordered=True), id="reordered"),
        pytest.param([*DUE, DUE[0]], EventDiff(extra=(4,)), id="one event again"),
        pytest.param(
            [event for event in DUE if event["event_type"] != "step.stop"], EventDiff(missing=(9,)), id="no stop"
        ),
        pytest.param(WHOLE[CUT - 1 :], EventDiff(extra=(0, 1)), id="two events again"),
    ],
)
def test_what_came_is_told_apart(came, expected):
    """Each kind of wrong resume after event 6 gets a description of its own."""
    assert compare(WHOLE, CUT, came, load()) == expected


def test_other_text_is_not_a_resplit():
    """Deltas that assemble to a different text are a loss, not a different split of the same text."""
    rest = compare(WHOLE, CUT, text_events("He", "llo wor", "lds")[CUT + 1 :], load())
    assert not rest.resplit
    assert rest.missing


def test_a_later_status_in_created_is_no_difference():
    """A replay after the end may already show the final status in its first event."""
    later = [{**WHOLE[0], "interaction": {"id": "v1_one", "status": "completed"}}, *WHOLE[1:]]
    assert compare(WHOLE, -1, later, load()) == EventDiff()


@pytest.mark.parametrize(("limit", "count"), [(2, 2), (3, 3), (8, 8), (99, len(WHOLE) - 1)])
def test_cuts_keep_both_ends(limit, count):
    """However few cuts are chosen, they include the first and the last cursor, and never the final event."""
    found = cuts(WHOLE, limit)
    assert (found[0], found[-1], len(set(found))) == (0, len(WHOLE) - 2, count)


def test_without_cursors_there_are_no_cuts():
    """A stream without event ids has no cuts, because it cannot be resumed."""
    assert cuts(text_events("Hi"), 8) == []


@pytest.mark.parametrize(
    ("rest", "severities"),
    [
        (EventDiff(), []),
        (EventDiff(missing=(1,)), [Severity.BROKEN]),
        (EventDiff(extra=(0,)), [Severity.BROKEN]),
        (EventDiff(reordered=True), [Severity.BROKEN]),
        (EventDiff(repeated=True), [Severity.BROKEN]),
        (EventDiff(resplit=True), [Severity.NON_STRICT]),
    ],
)
def test_findings_of_a_rest(rest, severities):
    """Missing, extra, reordered and repeated deltas break a rule; another split is non-strict."""
    deltas = WHOLE[CUT:]
    found = [*losses("it", WHOLE, rest), *additions("it", WHOLE, rest), *leniencies("it", deltas, rest)]
    assert [finding.severity for finding in found] == severities


def test_a_repeated_event_without_content_is_non_strict():
    """A client that has it twice has nothing twice."""
    [found] = leniencies("it", WHOLE, EventDiff(repeated=True))
    assert found.severity is Severity.NON_STRICT


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ((3,), "it skips event 3 (`step.delta`)"),
        ((3, 4), "it skips 2 events, the first is event 3 (`step.delta`)"),
    ],
)
def test_a_loss_in_words(missing, told):
    """The message of a loss says how many events are missing and where the gap begins."""
    assert [finding.message for finding in losses("it", WHOLE, EventDiff(missing=missing))] == [told]


def test_events_too_deep_to_compare_do_not_raise():
    deep: dict = {}
    inner = deep
    for _ in range(100_000):
        inner["x"] = {}
        inner = inner["x"]
    assert compare([{"event_type": "step.start", **deep}], -1, [], load()).missing == (0,)
    while deep:
        deep = deep["x"]
