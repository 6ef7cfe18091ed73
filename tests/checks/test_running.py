"""Runs that last, and lists in pages, as exercises get them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import pytest

from harness.checks import CAPABILITIES, Open, Send
from harness.checks.pages import MOST, pages
from harness.checks.running import begin, let_go, read_to_a_cursor, script, scripted
from harness.outcome import Unmet
from harness.wire import Exchange, Frame
from tests.checks._play import TARGET, answer, interaction, refusal

SCRIPTABLE = replace(TARGET, capabilities=frozenset(CAPABILITIES))
RUNNING = answer(body=interaction(status="in_progress"))
TAKEN = answer(body={"queued": 1})


def drive(part, *answers: Exchange):
    """The result of a part of an exercise that gets these answers, and the targets it asked."""
    asked = []
    left = iter(answers)
    action = next(part, None)
    try:
        while True:
            if isinstance(action, Send | Open):
                asked.append(f"{action.request.method} {action.request.target}")
                action = part.send(next(left))
            else:
                action = part.send(None)
    except StopIteration as stop:
        return stop.value, asked


def test_a_scriptable_target_is_made_to_stand_still():
    """The script is queued before the create, and the run is let go by its own id."""
    run, asked = drive(begin(SCRIPTABLE, "mark"), TAKEN, RUNNING)
    assert (run.id, run.held) == ("v1_one", True)
    assert asked == ["POST /__harness__/scripts", "POST /v1beta/interactions"]
    assert drive(let_go(SCRIPTABLE, run), TAKEN)[1] == ["POST /__harness__/release"]


def test_any_other_target_is_asked_for_a_long_answer():
    """Nothing of the harness's own is sent to a target that was not said to be scriptable."""
    run, asked = drive(begin(TARGET, "mark"), RUNNING)
    assert (run.held, asked) == (False, ["POST /v1beta/interactions"])
    assert drive(let_go(TARGET, run)) == (None, [])


def test_a_run_that_is_over_at_once_is_a_race_lost():
    """A target that finishes before it answers breaks no promise."""
    with pytest.raises(Unmet) as unmet:
        drive(begin(TARGET, "mark"), answer(body=interaction()))
    assert unmet.value.race_lost


def test_a_create_that_is_refused_is_unmet():
    """Without a run there is nothing to act on."""
    with pytest.raises(Unmet) as unmet:
        drive(begin(TARGET, "mark"), refusal(400))
    assert not unmet.value.race_lost


@pytest.mark.parametrize(
    ("cursors", "read"),
    [("-c-c", 2), ("--c-", 3), ("------", 5), ("--", 2), ("", 0)],
    ids=["at once", "later", "too late", "over before", "no event"],
)
def test_a_reader_goes_on_to_a_cursor(cursors: str, read: int):
    """Who hangs up without a cursor could not come back; a stream that has none is not read for ever."""
    events = [{"event_id": "c"} if sign == "c" else {} for sign in cursors]
    left = iter([Frame(json.dumps(event).encode(), None, None, 0, 0) for event in events])
    part, had = read_to_a_cursor(None, 2, most=5), None
    action = next(part)
    while had is None:
        try:
            action = part.send(list(islice(left, action.events)))
        except StopIteration as stop:
            had = stop.value
    assert had == events[:read]


def test_a_script_speaks_of_one_create():
    """Exercises side by side do not take each other's scripts: the input's marker tells them apart."""
    part = script(SCRIPTABLE, "mark", text="Hi.")
    assert b'"input_contains": "(mark)"' in next(part).request.body


@pytest.mark.parametrize("taken", [refusal(404), answer(None)])
def test_what_needs_a_script_is_unmet_without(taken):
    """A target that was said to take scripts and does not is no error of ours."""
    with pytest.raises(Unmet):
        drive(scripted(SCRIPTABLE, "mark"), taken)


def test_pages_are_read_to_the_end():
    """Each page is asked for with the token of the one before."""
    listed, asked = drive(
        pages(TARGET, "agents", 1), answer(body={"next_page_token": "a b"}), answer(body={"agents": []})
    )
    assert len(listed) == 2
    assert asked == ["GET /v1beta/agents?page_size=1", "GET /v1beta/agents?page_size=1&page_token=a+b"]


def test_pages_without_end_are_left():
    """A target whose pages never end cannot hold an exercise."""
    listed, _ = drive(pages(TARGET, "agents", 1), *[answer(body={"next_page_token": "more"})] * (MOST + 1))
    assert len(listed) == MOST
