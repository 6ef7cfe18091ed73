"""Advancing held runs event by event."""

from __future__ import annotations

import json

from harness.emulator import Emulator
from harness.wire import Headers, Request
from tests.inspector.conftest import KEYED

HEADERS = Headers(KEYED)


def ask(emulator: Emulator, method: str, target: str, value: object = None) -> dict[str, object]:
    """The JSON of one answer."""
    body = b"" if value is None else json.dumps(value).encode()
    response = emulator(Request(method, target, HEADERS, body))
    return json.loads(next(response.body).data)  # type: ignore[union-attr, no-any-return]


def begin(emulator: Emulator, **script: object) -> str:
    """Start a background run, perhaps scripted, and return its id."""
    emulator.script({"text": "Hi.", **script})
    created = ask(
        emulator, "POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "x", "background": True}
    )
    return str(created["id"])


def test_a_held_run_advances_by_one_event_to_its_end() -> None:
    """Each advance shows one more event and holds the run there; after the last event it ends."""
    emulator = Emulator().hold()
    name = begin(emulator)
    run = emulator.engine().store.get(name)
    assert run is not None
    shown = []
    while emulator.advance(name):
        shown.append(run.shown)
        if not run.settled:
            assert ask(emulator, "GET", f"/v1beta/interactions/{name}")["status"] == "in_progress"
    assert shown[:3] == [3, 4, 5]
    assert run.settled
    assert ask(emulator, "GET", f"/v1beta/interactions/{name}")["status"] == "completed"


def test_a_queued_run_leaves_the_queue_first() -> None:
    """The first advance of a queued run starts it."""
    emulator = Emulator().hold()
    name = begin(emulator, queued=3)
    assert ask(emulator, "POST", "/__harness__/advance", {"id": name}) == {"advanced": 1}
    assert ask(emulator, "GET", f"/v1beta/interactions/{name}")["status"] == "in_progress"


def test_only_held_runs_advance() -> None:
    """A run that nobody holds, and one that has not come to the place of its hold, are left alone."""
    emulator = Emulator()
    begin(emulator)
    begin(emulator, hold={"after": 6})
    assert ask(emulator, "POST", "/__harness__/advance", {}) == {"advanced": 0}


def test_scripts_are_counted_put_first_and_dropped() -> None:
    """A script can be put before those that wait, and the queue can be looked at and emptied."""
    emulator = Emulator().reply("later")
    scripts = "/__harness__/scripts"
    assert ask(emulator, "POST", f"{scripts}/next", {"text": "first"}) == {"queued": 2}
    created = ask(emulator, "POST", "/v1beta/interactions", {"model": "gemini-3.8-flash", "input": "x"})
    assert "first" in json.dumps(created)
    assert ask(emulator, "GET", scripts)["queued"] == 1
    assert ask(emulator, "DELETE", scripts) == {"queued": 0}
