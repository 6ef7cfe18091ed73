"""The emulator walks the contract's table of order beside its writer, and its mutants are not watched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.contract import load
from harness.emulator import Emulator
from harness.emulator.engine import Engine
from harness.emulator.mutants.parts import part
from harness.emulator.run.event_writer import EventWriter, OrderWatch
from harness.emulator.run.run import Run
from harness.outcome import HarnessFault
from tests.contract.streams import THOUGHT, WHOLE, completed, created, delta, start, stop
from tests.emulator.client import Api

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
