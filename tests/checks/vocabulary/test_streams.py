"""How judges read the events of a stream, and the resume oracle: every cut, and every kind of wrong resume."""

from __future__ import annotations

import pytest

from harness.checks.vocabulary import streams
from harness.checks.vocabulary.streams import cuts, losses
from harness.contract import load
from harness.contract.data.diffs import EventDiff, compare
from harness.wire import Frame
from tests.checks._streams import numbered, text_events


def frame(data):
    """A frame with this payload."""
    return Frame(data, None, None, 0, len(data))


def test_frames_that_cannot_be_decoded_are_left_out():
    """The sentinel, broken JSON, values that are not objects and endless nesting are skipped."""
    odd = [b"[DONE]", b'{"a":', b"7", b"[{}]", b"\xff", b'{"a":' * 100_000, b'{"event_type": "x"}']
    assert streams.decode_frames(map(frame, odd)) == [{"event_type": "x"}]


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


@pytest.mark.parametrize(("limit", "count"), [(2, 2), (3, 3), (8, 8), (99, len(WHOLE) - 1)])
def test_cuts_keep_both_ends(limit, count):
    """However few cuts are chosen, they include the first and the last cursor, and never the final event."""
    found = cuts(WHOLE, limit)
    assert (found[0], found[-1], len(set(found))) == (0, len(WHOLE) - 2, count)


def test_without_cursors_there_are_no_cuts():
    """A stream without event ids has no cuts, because it cannot be resumed."""
    assert cuts(text_events("Hi"), 8) == []


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
