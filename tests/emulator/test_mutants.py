"""Mutants: each has a name and a summary, and rows and hooks say what is wrong with them.

The kill matrix (`tests/engine/test_kill_matrix.py`) proves that every mutant can be built and noticed by a check,
so that it differs from the reference, on which no check fails, and that every check notices a mutant.
"""

from __future__ import annotations

import pytest

from harness.emulator import Settings
from harness.emulator.mutants import MUTANTS, hooks, parts
from harness.emulator.mutants.changes import answer, put, skip, turn
from harness.emulator.mutants.hooks import row
from harness.kit.mutant import table
from harness.wire import Headers
from tests.in_one_test import in_one_test

from .client import Api, drain

SETTINGS = Settings(platform="any", keys={"a": "one", "b": "two"})


def test_mutants_are_many_and_described():
    """There are mutants in every area, each with a one-line summary of its own that ends with a full stop."""
    assert len(MUTANTS) >= 420
    assert len({mutant.summary for mutant in MUTANTS.values()}) == len(MUTANTS)
    assert len({mutant.area for mutant in MUTANTS.values()}) >= 17
    for name, mutant in MUTANTS.items():
        assert mutant.id == name
        assert mutant.summary.endswith(".")
        assert "\n" not in mutant.summary


def test_a_part_of_nothing_is_refused():
    """A defect in what is not a part of the emulator, or a mutant without a summary, raises ValueError."""
    with pytest.raises(ValueError, match="is not a method of a part of the emulator"):
        parts.before(Headers.get, skip)
    with pytest.raises(
        ValueError, match="the mutant 'a' has the summary '': describe its defect in one sentence with a period"
    ):
        table("x", row("a", "", hooks.status(turn(queued="completed"))))


@pytest.mark.parametrize(("build", "message"), [
    (lambda: row("a", "A."), "'a' has no defect: write a hook of"),
    (lambda: row("a", "A.", "status"), "'a' has the defect 'status': write a hook of"),
    (lambda: hooks.request("GET interaction/*", skip), "no call is written 'GET interaction/*': give a method"),
    (lambda: hooks.response("interactions", skip), "no call is written 'interactions': give a method"),
])  # fmt: skip
def test_a_row_that_acts_nowhere_says_what_to_do(build, message):
    """A row without a hook, or with one that does not exist, raises ValueError and says which ones there are."""
    with pytest.raises(ValueError) as caught:
        build()
    assert message in str(caught.value)


def test_two_defects_of_one_part_add_up():
    """An emulator may have several defects, also in the same method."""
    defects = [
        hooks.status(lambda status, run: status.upper()),
        hooks.status(turn(COMPLETED="x")),
        hooks.status(turn(x="y")),
    ]
    for order in (defects, [hooks.body(put(object="z")), *defects]):
        api = Api(row("a", "A.", *order).build(SETTINGS), key="a")
        assert api.create("Hello").json["status"] == "y"
    assert api.create("Hello").json["object"] == "z"


@pytest.mark.parametrize(("calls", "target", "concerned"), [
    ("GET interactions/*", "interactions/a", True),
    ("GET interactions/*", "interactions/a/", True),
    ("GET interactions/*", "interactions/a:b", False),
    ("GET interactions/*", "interactions", False),
    ("POST interactions/*", "interactions/a", False),
    ("* interactions/**", "interactions", True),
    ("* interactions/**", "interactions/a/cancel", True),
    ("GET webhooks/*:ping", "webhooks/a:ping", True),
    ("GET webhooks/*:ping", "webhooks/a", False),
    (hooks.EVERY, "nope/nope", True),
])  # fmt: skip
def test_a_hook_concerns_the_calls_it_names(calls, target, concerned):
    """`*` stands for one segment without a colon, `*:verb` for one that ends so, `**` for any rest."""
    api = Api(row("a", "A.", hooks.request(calls, answer({"noticed": True}))).build(SETTINGS), key="a")
    reply = api.call("GET", target)
    assert (reply.json == {"noticed": True}) is concerned


@in_one_test(name=[name for name, mutant in MUTANTS.items() if mutant.area == "stream"])
def test_a_stream_of_a_mutant_ends_by_its_defect_alone(name: str) -> None:
    """On the default platform, too, where the id of an event names its step: no mutant breaks our own writer."""
    api = Api(MUTANTS[name].build(Settings()))
    created = api.create(background=True)
    assert created.status == 200
    drain(api.emulator, api.open(created.json["id"]))
