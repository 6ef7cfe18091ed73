"""Events of scripted outputs are encoded once and shared; the order of all is watched, but not that of mutants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.contract import load
from harness.emulator import Emulator
from harness.emulator.engine import Engine
from harness.emulator.mutants.parts import part
from harness.emulator.run.event_writer import KEPT_OUTPUTS, EventWriter, OrderWatch
from harness.emulator.run.run import Run
from harness.outcome import HarnessFault
from tests.contract.streams import THOUGHT, WHOLE, completed, created, delta, start, stop
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


def test_scripts_that_say_different_words_share_nothing(api: Api) -> None:
    """Each script's own text is streamed, even with more scripts than the cache keeps."""
    texts = [f"Text {number}." for number in range(KEPT_OUTPUTS + 3)]
    for text in texts:
        api.emulator.reply(text=text)
    assert [api.create(stream=True).text for _ in texts] == texts
    assert len(api.emulator._default.events._told) <= KEPT_OUTPUTS


def test_default_answers_are_not_kept(api: Api) -> None:
    """Default answers are not cached: each input gives another one, so caching would only cost memory."""
    api.create(stream=True)
    assert not api.emulator._default.events._told


def test_a_cancelled_run_leaves_the_shared_events_alone(api: Api) -> None:
    """Cancelling one run does not shorten the shared events of the next run."""
    api.emulator.reply(deltas=PIECES, times=0, thought=False)
    run = api.created(background=True)
    api.get(run)
    api.cancel(run)
    assert api.create(stream=True).text == "".join(PIECES)


Json = dict[str, Any]

ILLEGAL: dict[str, tuple[list[Json], str]] = {
    "no creation": ([start(0)], "stream.first"),
    "two creations": ([created(), created()], "created-once"),
    "a delta alone": ([created(), delta(0)], "stream.start-before"),
    "a gap": ([created(), start(1)], "index-next"),
    "two open steps": ([created(), start(0), start(1)], "none-open"),
    "a delta of another step": ([created(), *THOUGHT, start(1), delta(0)], "delta-index"),
    "a stop of another step": ([created(), start(0), stop(1)], "stop-index"),
    "an open end": ([created(), start(0), completed()], "all-stopped"),
    "an event too late": ([created(), completed(), start(0)], "stream.completed-last"),
}


def test_a_legal_stream_passes() -> None:
    """A legal stream passes in parts and as a whole."""
    OrderWatch(load().order).see(WHOLE)
    watch = OrderWatch(load().order)
    for event in WHOLE:
        watch.see([event])


@pytest.mark.parametrize(("events", "broken"), ILLEGAL.values(), ids=ILLEGAL)
def test_an_illegal_event_is_our_fault(events: list[Json], broken: str) -> None:
    """An event that may not come raises HarnessFault, which names the state and what is broken."""
    with pytest.raises(HarnessFault, match=broken):
        OrderWatch(load().order).see(events)


class _Unstopped(EventWriter):
    """Forgets the stops."""

    def step(self, run: Run, index: int, step: Json) -> Iterator[Json]:
        return (event for event in super().step(run, index, step) if event["event_type"] != "step.stop")


def test_the_writer_of_the_reference_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the reference's own writer broke the order, no client would see it: the emulator raises."""
    monkeypatch.setattr(Engine, "events_type", _Unstopped)
    with pytest.raises(HarnessFault, match="none-open"):
        Api(Emulator()).create(stream=True)


def test_a_mutant_acts_behind_the_watch() -> None:
    """A mutant may break the order, which is what it is for."""
    kinds = [event["event_type"] for event in Api(part(_Unstopped)(Emulator)()).create(stream=True).events[:-1]]
    assert "step.start" in kinds
    assert "step.stop" not in kinds
