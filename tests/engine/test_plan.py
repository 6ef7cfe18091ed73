"""Selecting checks: every check of the catalogue gets a result, and every exclusion has its reason."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from harness.engine.events import Capabilities, everything, parse_capabilities
from harness.engine.plan import make_plan, needed_capabilities
from harness.engine.selection import Selection
from harness.interactions.servers import SERVERS
from harness.outcome import Level, Outcome, UsageFault
from tests.engine import toys

CATALOGUE = (toys.CREATE, toys.GET, toys.SHOULD, toys.STREAM)
KNOWN, PROFILES = SERVERS.load_capabilities(), SERVERS.load_profiles()
ABLE = everything(KNOWN)


def fates(selection: Selection, able: Capabilities = ABLE) -> dict[str, str]:
    """Each check's outcome, or `runs` if it will run."""
    plan = make_plan(CATALOGUE, selection, able, PROFILES)
    return {p.check.id: p.skip.outcome if p.skip else "runs" for p in plan.checks}


@pytest.mark.parametrize(
    ("said", "running"),
    [
        ({}, {"create.ok", "get.ok", "get.should", "stream.any"}),
        ({"checks": ("get.*",)}, {"get.ok", "get.should"}),
        ({"checks": ("get",)}, {"get.ok", "get.should"}),
        ({"checks": ("create.ok,stream.any",)}, {"create.ok", "stream.any"}),
        ({"exclude": ("get",)}, {"create.ok", "stream.any"}),
        ({"level": Level.MUST}, {"create.ok", "get.ok", "stream.any"}),
        ({"profiles": ("streaming",)}, {"stream.any"}),
        ({"checks": ("get",), "exclude": ("get",)}, set()),
    ],
)
def test_selection(said: dict[str, Any], running: set[str]) -> None:
    """Globs, areas, levels and profiles select checks; all others are EXCLUDED, and none is missing."""
    expected = {check.id: "runs" if check.id in running else Outcome.EXCLUDED for check in CATALOGUE}
    assert fates(Selection(**said)) == expected


def test_profile_off_without_capability() -> None:
    """By default a profile whose capabilities the target lacks is not applicable, and core runs."""
    seen, off = fates(Selection(), Capabilities()), Outcome.NOT_APPLICABLE
    assert seen == {"create.ok": "runs", "get.ok": off, "get.should": off, "stream.any": off}


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ({"checks": ("get.okk",)}, "'get.ok'"),
        ({"exclude": ("strem",)}, "'stream'"),
        ({"profiles": ("streming",)}, "'streaming'"),
        ({"checks": ("zzz",)}, "no check has the id 'zzz'"),
    ],
)
def test_unknown_names_are_usage_faults(said: dict[str, Any], hint: str) -> None:
    """A pattern or profile that matches nothing is an error that suggests the nearest name."""
    with pytest.raises(UsageFault, match=hint):
        fates(Selection(**said))


def test_groups_share_exercises_and_cost_counts_them_once() -> None:
    plan = make_plan(CATALOGUE, Selection(), ABLE, PROFILES)
    assert [(e.name, len(members)) for e, members in plan.groups] == [("create_and_get", 3), ("open_stream", 1)]
    assert plan.cost == (3, 2)
    whole = make_plan(SERVERS.load_catalogue(), Selection(), ABLE, PROFILES)
    pauses = [exercise.pauses for exercise, _ in replace(whole, longest_first=True).groups]
    assert pauses == sorted(pauses, reverse=True) > [1.5], "others play while these wait"


def test_needed_capabilities_follow_the_selection() -> None:
    assert needed_capabilities(CATALOGUE, Selection(checks=("create.ok",)), PROFILES) == frozenset()
    assert needed_capabilities(CATALOGUE, Selection(checks=("get.ok",)), PROFILES) == {"store"}
    assert "stream" in needed_capabilities(CATALOGUE, Selection(), PROFILES)


@pytest.mark.parametrize(("words", "hint"), [(["+strem"], "'stream'"), (["+v1", "-v1"], "both claimed")])
def test_wrong_capability_words(words: list[str], hint: str) -> None:
    """Unknown and contradictory capabilities are usage faults."""
    with pytest.raises(UsageFault, match=hint):
        parse_capabilities(words, KNOWN)
