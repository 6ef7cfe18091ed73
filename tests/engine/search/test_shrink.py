"""A failing history is shrunk as far as possible, and kept unchanged if it does not fail again."""

from __future__ import annotations

import pytest

from harness.engine.search.failure import Failure
from harness.engine.search.search_target import play
from harness.engine.search.shrink import minimal
from tests.engine.search.places import history, mutant, reference


@pytest.mark.parametrize(
    ("name", "long", "least"),
    [
        (
            "delete-keeps",
            "create tools; create; poll 1; replay 0; delete 1; cancel; poll 1",
            "create; delete; poll",
        ),
        (
            "cancel-noop",
            "create; create; chain background 0; cancel 2; settle 2",
            "create background; cancel; settle",
        ),
        (
            "resume-skips-one",
            "create; create background-stream; open 1 x9; open 1 x4; resume 1 x5",
            "create background-stream; open x1; resume x1",
        ),
    ],
)
def test_steps_go_and_those_left_get_simpler(name: str, long: str, least: str) -> None:
    """Shrinking removes superfluous steps, turns a chain into a create, and lowers counts and indices."""
    rule = {"delete-keeps": "del.gone", "cancel-noop": "cancel.state", "resume-skips-one": "resume.no-gap"}[name]
    found = {failure.rule: failure for failure in play(mutant(name), history(long), "history")}
    done = minimal(mutant(name), found[rule])
    assert len(done.history) <= len(history(least))
    assert done.rule == rule


def test_a_failure_that_does_not_return_is_kept_as_it_was() -> None:
    """A failure that cannot be reproduced keeps its history, and says that it did not fail again."""
    failure = play(mutant("delete-keeps"), history("create; create; delete; poll"), "history")[0]
    done = minimal(reference(), failure)
    assert done.history == failure.history
    assert done.unshrunk == "it did not fail again"
    assert done.replays.lost


def test_another_failure_is_no_substitute() -> None:
    """A history is only replaced by one that breaks the same rule with the same strictness."""
    failure = play(mutant("delete-keeps"), history("create; delete; replay"), "history")[0]
    assert isinstance(failure, Failure)
    assert minimal(mutant("delete-keeps"), failure).defect.name == "del.gone-stream"
