"""Advancing held runs event by event, and the queue of scripts."""

from __future__ import annotations

import json

from tests.emulator.client import Api


def begin(api: Api, **script: object) -> str:
    """Start a scripted background run and return its id."""
    api.emulator.script({"text": "Hi.", **script})
    return api.created(background=True)


def test_a_held_run_advances_by_one_event_to_its_end(api: Api) -> None:
    """Each advance shows one more event and holds the run there; after the last event it ends."""
    api.emulator.hold()
    found = begin(api)
    run = api.emulator.engine().store.get(found)
    assert run is not None
    shown = []
    while api.emulator.advance(found):
        shown.append(run.shown)
        assert api.status(found) == ("completed" if run.settled else "in_progress")
    assert shown[:3] == [3, 4, 5]
    assert run.settled


def test_a_queued_run_leaves_the_queue_first(api: Api) -> None:
    """The first advance of a queued run starts it."""
    api.emulator.hold()
    found = begin(api, queued=3)
    assert api.control("POST", "advance", {"id": found}).json == {"advanced": 1}
    assert api.status(found) == "in_progress"


def test_only_held_runs_advance(api: Api) -> None:
    """A run that nobody holds, and one that has not come to the place of its hold, are left alone."""
    begin(api)
    begin(api, hold={"after": 6})
    assert api.control("POST", "advance", {}).json == {"advanced": 0}


def test_scripts_are_counted_put_first_and_dropped(api: Api) -> None:
    """A script can be put before those that wait, and the queue can be looked at and emptied."""
    api.emulator.reply("later")
    assert api.control("POST", "scripts/next", {"text": "first"}).json == {"queued": 2}
    assert "first" in json.dumps(api.create().json)
    assert api.control("GET", "scripts").json["queued"] == 1
    assert api.control("DELETE", "scripts").json == {"queued": 0}
