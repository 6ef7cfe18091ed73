"""What a mutant is, and how the area modules declare them.

Layer 2. A mutant is the reference with one named defect: a subclass of one part of the emulator, whose docstring
states the defect in one sentence. Must not know the checks that should notice it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.contract import Contract
from harness.emulator.create.validation import Admission
from harness.emulator.engine import Engine
from harness.emulator.http.auth import Auth
from harness.emulator.reply.replies import Replies
from harness.emulator.resources import Neighbours
from harness.emulator.run.event_writer import Events
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.store import Store
from harness.emulator.run.stream_response import Streams
from harness.emulator.service import Emulator
from harness.emulator.values.ids import Ids
from harness.emulator.values.settings import Settings
from harness.emulator.values.usage import Meter
from harness.wire import Clock

_SLOTS: dict[type, str] = {
    Admission: "admission_type",
    Auth: "auth_type",
    Bodies: "bodies_type",
    Events: "events_type",
    Ids: "ids_type",
    Meter: "meter_type",
    Neighbours: "neighbours_type",
    Replies: "replies_type",
    Run: "run_type",
    Store: "store_type",
    Streams: "streams_type",
}
"""Maps each part of the engine to the class attribute that holds its type."""

Part = TypeVar("Part", bound=type)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong implementation: `summary` says what a user would notice."""

    id: str
    area: str
    summary: str
    emulator: type[Emulator]

    def build(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        contract: Contract | None = None,
    ) -> Emulator:
        """Create a new emulator with this defect; the arguments are those of the reference."""
        return self.emulator(settings, clock=clock, seed=seed, contract=contract)


class Area:
    """Collects the mutants of one module, in the order of their definition."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mutants: list[Mutant] = []

    def mutant(self, mutant_id: str) -> Callable[[Part], Part]:
        """Register the decorated part under an id; its docstring becomes the summary."""

        def register(part: Part) -> Part:
            summary = (part.__doc__ or "").strip()
            if not summary:
                raise ValueError(f"the mutant {mutant_id!r} needs a docstring that names its defect")
            self.mutants.append(Mutant(mutant_id, self.name, summary, _emulator(part)))
            return part

        return register


def _emulator(part: type) -> type[Emulator]:
    """An emulator class that uses `part` in place of the reference's own part."""
    if issubclass(part, Emulator):
        return part
    if issubclass(part, Engine):
        return type(part.__name__, (Emulator,), {"engine_type": part})
    for base, slot in _SLOTS.items():
        if issubclass(part, base):
            return _emulator(type(part.__name__, (Engine,), {slot: part}))
    raise ValueError(f"{part.__name__} is no part of the emulator: {', '.join(b.__name__ for b in _SLOTS)}")
