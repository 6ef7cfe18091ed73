"""The state machine: Hypothesis chooses what a client does next, the world judges the responses.

Layer 4. The machine has one rule for each kind of operation, so that Hypothesis can leave whole kinds out of a
history (swarm testing). What is drawn never depends on the target's responses: a step without a subject does
nothing. So a target that responds differently the next time does not confuse the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.strategies import SearchStrategy

from harness.engine.search.playing.operations_table import able_to
from harness.engine.search.search_target import SearchTarget
from harness.engine.search.tally import Tally
from harness.strategies.operations import CREATE_MODES, ILLEGAL_MODES, KINDS, ClientCommand

INTERACTIONS = 4
"""Number of subjects that a rule chooses from; more may be created."""

_FIRST = (*CREATE_MODES, "background", "background-stream", "background")
"""Modes of the first create; background is more frequent, as most defects need a run in progress."""

_SUBJECTS = st.integers(0, INTERACTIONS - 1)
_COUNTED = frozenset({"open", "read", "resume"})
_NOBODY = ("unknown", "orphan")


class Histories(RuleBasedStateMachine):
    """The base of the machines that `machine` makes, which set the place and the tally."""

    place: SearchTarget
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.world = self.place.open()

    def do(self, operation: ClientCommand) -> None:
        """Play one operation."""
        self.tally.step(self.world, operation)

    def teardown(self) -> None:
        """End the history."""
        self.tally.add_history(self.world)
        self.place.finish(self.world)


def machine(place: SearchTarget, tally: Tally) -> type[Histories]:
    """Build the machine for one place."""
    body: dict[str, Any] = {"place": place, "tally": tally, "__doc__": "Histories."}

    def add(name: str, kinds: Sequence[str], modes: Sequence[str]) -> None:
        """Add a rule with what the target is able to; what it is not would only take up steps."""
        able = {
            kind: [m for m in modes if m in KINDS[kind] and able_to(place.able, ClientCommand(kind, mode=m))]
            for kind in kinds
        }
        choices = [_operations(kind, tuple(found)) for kind, found in able.items() if found]
        if choices:
            body[name] = (initialize if name == "first" else rule)(operation=st.one_of(choices))(_fresh())

    add("first", ["create"], _FIRST)
    for kind, modes in KINDS.items():
        add(f"{kind}_", [kind], [mode for mode in modes if mode not in (*ILLEGAL_MODES, *_NOBODY, "foreign")])
    add("open_again_", ["open"], [""])  # twice as likely: reading in parts begins with it
    add("create_wrongly", ["create"], ILLEGAL_MODES)
    for name in ("unknown", "foreign"):
        add(f"{name}_", [kind for kind, modes in KINDS.items() if name in modes], [name])
    add("orphan_", ["answer"], ["orphan"])
    return type("Machine", (Histories,), body)


def _fresh() -> Callable[[Histories, ClientCommand], None]:
    """Return a new function each time: Hypothesis sets attributes on those it decorates."""

    def step(self: Histories, operation: ClientCommand) -> None:
        self.do(operation)

    return step


def _operations(kind: str, modes: tuple[str, ...]) -> SearchStrategy[ClientCommand]:
    subject = st.just(0) if kind == "create" or modes[0] in _NOBODY else _SUBJECTS
    count = st.integers(1, 12) if kind in _COUNTED else st.just(0)
    return st.builds(ClientCommand, st.just(kind), subject, st.sampled_from(modes), count)
