"""Streams read later: replays, cursors, several readers, and the resume oracle at every cut."""

from __future__ import annotations

import pytest

from tests.emulator.client import Api, read


@pytest.fixture
def api() -> Api:
    """A client of an emulator that gives every event an id."""
    return Api.with_settings(platform="any")


@pytest.fixture
def finished(api) -> tuple[str, list]:
    """The id of a settled background run, and its events."""
    events = api.create(background=True, stream=True).events
    return events[0]["interaction"]["id"], events


def test_resume_inclusive_repeats_one():
    """With resume=inclusive, a resumed stream begins with the event of the cursor."""
    api = Api.with_settings(resume="inclusive", event_ids="all")
    events = api.create(background=True, stream=True).events
    rest = api.get(events[0]["interaction"]["id"], stream="true", last_event_id=events[4]["event_id"]).events
    assert rest == events[4:]


def test_readers_that_wait_together_move_a_run_once(api):
    """Five readers that pause at the same time advance a run by one event, not five."""
    found = api.created(background=True)
    bodies = [api.open(found) for _ in range(5)]
    for body in bodies:
        read(body, 2)
        assert type(next(body)).__name__ == "Pause"
    assert [len(read_ready(body)) for body in bodies] == [1] * 5


def read_ready(body) -> list:
    """Return the chunks that come before the next pause."""
    found = []
    while hasattr(piece := next(body), "data"):
        found.append(piece)
    return found


REFUSED = [
    ({"last_event_id": "x", "stream": "true"}, "not the event_id"),
    ({"last_event_id": "x"}, "stream=true"),
    ({"stream": "maybe"}, "true or false"),
    ({"include_input": "maybe"}, "true or false"),
]


@pytest.mark.parametrize(("query", "words"), REFUSED, ids=[str(case[0]) for case in REFUSED])
def test_wrong_queries_are_refused(api, finished, query, words):
    """A wrong cursor or flag is refused with a 400 that says why."""
    answer = api.get(finished[0], **query)
    assert answer.error == (400, "invalid_request")
    assert words in answer.message


def test_a_cursor_of_the_future_is_unknown(api, finished):
    """The id of an event that has not happened yet is refused as a cursor."""
    found, events = finished
    api.emulator.reply(hold={"after": 3})
    held = api.created(background=True)
    future = events[8]["event_id"].replace(found[3:], held[3:])
    assert api.get(held, stream="true", last_event_id=future).status == 400


def test_held_reader_pauses_longer_and_longer(api):
    """A reader of a held run gets no data, only pauses that grow up to a limit."""
    api.emulator.reply(hold={"after": 3})
    body = api.open(api.created(background=True))
    assert len(read(body, 3)) == 3
    pauses = [next(body).seconds for _ in range(10)]
    assert pauses == sorted(pauses)
    assert pauses[0] == api.emulator.clock.tick_seconds
    assert pauses[-1] == pauses[-2] == 25 * api.emulator.clock.tick_seconds


def test_long_runs_are_bounded_in_pauses(api):
    """A run with thousands of events has fewer than 250 pauses."""
    api.emulator.reply("word " * 1000, deltas=2000)
    pieces = list(api.open(api.created(background=True)))
    assert sum(type(piece).__name__ == "Pause" for piece in pieces) < 250
