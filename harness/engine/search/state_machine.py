"""The state machine: Hypothesis chooses what a client does next, the world judges the responses.

Layer 4. The machine has one rule for each strategy of the API's steps, so that Hypothesis can leave whole kinds
out of a history (swarm testing). A step that does not apply does nothing, so what is drawn never depends on the
target's responses: one that responds differently the next time does not confuse the search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from harness.engine.search.search_target import SearchTarget
from harness.engine.search.tally import Tally
from harness.kit.search import Step


class Histories(RuleBasedStateMachine):
    """The base of the machines that `machine` makes, which set the place and the tally."""

    place: SearchTarget
    tally: Tally

    def __init__(self) -> None:
        super().__init__()
        self.world = self.place.open()

    def do(self, step: Step) -> None:
        """Play one step."""
        self.tally.play(self.world, step)

    def teardown(self) -> None:
        """End the history."""
        self.tally.add_history(self.world)
        self.place.finish(self.world)


def machine(place: SearchTarget, tally: Tally) -> type[Histories]:
    """Build the machine for one place."""
    body: dict[str, Any] = {"place": place, "tally": tally, "__doc__": "Histories."}
    for name, steps in place.model.draw_steps(place.able).items():
        body[name] = (initialize if name == "first" else rule)(step=steps)(_new_rule())
    return type("Machine", (Histories,), body)


def _new_rule() -> Callable[[Histories, Step], None]:
    """Return a new function each time: Hypothesis sets attributes on those it decorates."""

    def play(self: Histories, step: Step) -> None:
        self.do(step)

    return play
