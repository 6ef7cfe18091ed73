"""Exhaustive search of short histories: it is complete, merges equal states, and finds defects."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine.search.exhaustive import StateDigest, _require_service, digest_state, every
from harness.engine.search.search_target import SearchTarget
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions import INTERACTIONS
from harness.outcome import UsageFault
from tests.engine.search.places import history, mutant, reference

pytestmark = pytest.mark.slow

READING = INTERACTIONS.load_search().state
assert READING is not None


def test_no_history_of_two_steps_breaks_the_reference() -> None:
    done = every(reference(), 2)
    assert done.failures == ()
    assert done.counts["depth"] == 2
    assert done.counts["histories"] >= done.counts["states"] > 30


@pytest.mark.parametrize(("name", "rule", "depth"), [("delete-twice-crashes", "fuzz.no-5xx", 3)])
def test_a_defect_is_found_with_its_shortest_history(name: str, rule: str, depth: int) -> None:
    found = {failure.rule: failure for failure in every(mutant(name), depth).failures}
    assert len(found[rule].history) == depth


def test_what_was_judged_is_counted() -> None:
    """The answers to the last step of each history are counted."""
    whole = every(reference(), 2)
    assert 0 < whole.answers.requests <= whole.counts["histories"]


def test_time_says_which_depth_is_complete() -> None:
    """If time runs out, the note names the last depth that was completed, not the one in progress."""
    done = every(reference(), 9, seconds=0.3)
    assert done.counts["depth"] < 9
    assert "is complete" in done.notes[0]


def test_a_url_cannot_be_rewound() -> None:
    """A URL target cannot be rewound, so the engine refuses it before it sends anything."""
    target = resolve_target(INTERACTIONS, "http://127.0.0.1:9", TargetOptions())
    with pytest.raises(UsageFault, match=r"needs a service in this process, .*: a remote server cannot be reset"):
        every(SearchTarget(target, frozenset()), 2)


def state_after(words: str) -> bytes:
    """The canonical state of the emulator after a history."""
    with reference().world(same_input=True) as world:
        for operation in history(words):
            world.play(operation)
        return digest_state(_require_service(world), world.player, READING)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("create", "create unstored", False),
        ("create", "create background", False),
        ("create; poll; poll", "create; poll", True),
        ("create; create background", "create background; create", True),
        ("create; delete; create", "create; create; delete", True),
        ("create background; poll", "create background", False),
        ("create background; cancel; poll", "create background; poll; cancel; poll", False),
    ],
)
def test_states_are_the_same_up_to_renaming(one: str, other: str, same: bool) -> None:
    """States are equal if they differ only in ids, times or the order of creation; a run's own history counts."""
    assert (state_after(one) == state_after(other)) is same


def test_ids_are_named_by_their_order() -> None:
    """Ids are numbered in the order of their appearance, so values that differ only in ids are equal."""
    digests = []
    for number in ("0123456789abcdef", "fedcba9876543210"):
        walk = StateDigest(READING)
        walk.add({"id": f"v1_{number}", "again": [f"v1_{number}"], "signature": number})
        digests.append(walk.digest())
    assert digests[0] == digests[1]


def test_what_is_left_out_of_a_state_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ignored name is a field that the walk really meets, so renaming a field cannot go unnoticed."""
    met: set[str] = set()
    list_fields = StateDigest._list_fields

    def noting(self: StateDigest, value: Any) -> list[str]:
        for base in type(value).__mro__:
            slots = vars(base).get("__slots__", ())
            met.update((slots,) if isinstance(slots, str) else slots)
        met.update(getattr(value, "__dict__", ()))
        return list_fields(self, value)

    monkeypatch.setattr(StateDigest, "_list_fields", noting)
    state_after("create background; open x1; create background-stream; open 1 x2; drop; resume x1; cancel; poll")
    assert READING.ignored - met == set()


def test_nothing_of_the_contract_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract is the same in every state: to walk its schemas takes most of a search, and shows nothing."""
    met: set[str] = set()
    walk = StateDigest._walk_object

    def noting(self: StateDigest, value: Any) -> None:
        met.add(type(value).__module__)
        walk(self, value)

    monkeypatch.setattr(StateDigest, "_walk_object", noting)
    state_after("create; create background")
    assert "harness.emulator.engine" in met
    assert {name for name in met if name.startswith("harness.contract.schema")} == set()
