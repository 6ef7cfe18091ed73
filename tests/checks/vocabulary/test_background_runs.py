"""The parts of exercises that hold a run open and that read lists page by page."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import pytest

from harness.checks.capabilities import CAPABILITIES
from harness.checks.vocabulary.resources import MOST, pages
from harness.checks.vocabulary.runs import read_to_a_cursor, release_run, require_script, script, start_held_run
from harness.kit.actions import Open, Send
from harness.outcome import Unmet
from harness.wire import Exchange, Frame
from tests.checks._play import TARGET, answer, interaction, refusal

SCRIPTABLE = replace(TARGET, capabilities=frozenset(CAPABILITIES))
RUNNING = answer(body=interaction(status="in_progress"))


def drive(part, *answers: Exchange):
    """Play a part of an exercise with these answers: its result, and the targets of its requests."""
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


def test_any_other_target_is_asked_for_a_long_answer():
    """A target that was not declared scriptable gets a prompt for a long answer, and no control requests."""
    run, asked = drive(start_held_run(TARGET, "mark"), RUNNING)
    assert (run.held, asked) == (False, ["POST /v1beta/interactions"])
    assert drive(release_run(TARGET, run)) == (None, [])


def test_a_run_that_is_over_at_once_is_a_race_lost():
    """A run that finishes before the create is answered is a lost race, not a failure."""
    with pytest.raises(Unmet) as unmet:
        drive(start_held_run(TARGET, "mark"), answer(body=interaction()))
    assert unmet.value.race_lost


def test_a_create_that_is_refused_is_unmet():
    with pytest.raises(Unmet) as unmet:
        drive(start_held_run(TARGET, "mark"), refusal(400))
    assert not unmet.value.race_lost


@pytest.mark.parametrize(
    ("cursors", "read"),
    [("-c-c", 2), ("--c-", 3), ("------", 5), ("--", 2), ("", 0)],
    ids=["at once", "later", "too late", "over before", "no event"],
)
def test_a_reader_goes_on_to_a_cursor(cursors: str, read: int):
    """A reader reads on until it has a cursor to resume from, up to a limit if the stream has none."""
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
    """A script applies only to the create with its marker, so parallel exercises do not mix up their scripts."""
    part = script(SCRIPTABLE, "mark", text="Hi.")
    assert b'"input_contains": "(mark)"' in next(part).request.body


@pytest.mark.parametrize("taken", [refusal(404), answer(None)])
def test_what_needs_a_script_is_unmet_without(taken):
    """If a target that was declared scriptable refuses a script, that is Unmet, not an error of the harness."""
    with pytest.raises(Unmet):
        drive(require_script(SCRIPTABLE, "mark"), taken)


def test_pages_without_end_are_left():
    """A list whose pages never end is read only up to a limit."""
    listed, _ = drive(pages(TARGET, "agents", 1), *[answer(body={"next_page_token": "more"})] * (MOST + 1))
    assert len(listed) == MOST
