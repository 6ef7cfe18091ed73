"""Events of scripted outputs are encoded once and shared."""

from __future__ import annotations

from typing import Any

import pytest

from harness.emulator import Emulator
from harness.emulator.run.run import Run
from tests.emulator.client import Api

PIECES = ["Zwölf ", "Boxkämpfer ", "🦊"]
SHARED: dict[str, dict[str, Any]] = {
    "a text": {"text": "".join(PIECES), "deltas": 3},
    "pieces": {"deltas": PIECES},
    "steps": {"steps": [{"type": "model_output", "content": [{"type": "text", "text": "".join(PIECES)}]}]},
}


def runs(emulator: Emulator) -> list[Run]:
    """Return the runs that the default session has stored, oldest first."""
    return emulator._default.store.all()


def chunks(run: Run) -> list[int]:
    """Return the identities of the frames of a run's text deltas."""
    text = [index for index, event in enumerate(run.events) if event.get("delta", {}).get("type") == "text"]
    return [id(run.frames.chunk(index)) for index in text]


@pytest.mark.parametrize("name", SHARED)
def test_runs_of_one_script_share_the_frames_of_its_text(api: Api, name: str) -> None:
    """Runs of one script share the encoded frames of its text; ids and usage are each run's own."""
    api.emulator.reply(times=0, thought=False, **SHARED[name])
    first, second = api.create(stream=True), api.create("Again, and longer.", stream=True)
    assert first.text == second.text == "".join(PIECES)
    assert first.events[0]["interaction"]["id"] != second.events[0]["interaction"]["id"]
    one, other = runs(api.emulator)
    assert chunks(one) == chunks(other)
    assert chunks(one)


def test_event_ids_are_never_shared(api: Api) -> None:
    """If events have ids, each run has its own frames, whichever run of the script came first."""
    api.emulator.reply(text="Hello", times=0)
    api.create(stream=True)
    api.emulator.change(event_ids="all", platform="any")
    ids = [[event["event_id"] for event in api.create(stream=True).events[:-1]] for _ in range(2)]
    assert len({*ids[0], *ids[1]}) == 2 * len(ids[0])


def test_a_cancelled_run_leaves_the_shared_events_alone(api: Api) -> None:
    """Cancelling one run does not shorten the shared events of the next run."""
    api.emulator.reply(deltas=PIECES, times=0, thought=False)
    run = api.created(background=True)
    api.get(run)
    api.cancel(run)
    assert api.create(stream=True).text == "".join(PIECES)
