"""The sets of cases are what the page says, and each case has a name and a plan of its own."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from harness.benches.client.ready.survey import TABLES
from harness.checks.clients.modes import MODES
from harness.checks.clients.sets import SETS
from harness.outcome import UsageFault
from tests.benches.client.cases import cases_of_set, new_case

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "torture.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "torture-reference.md").read_text(encoding="utf-8")
TABLE_SETS = set(TABLES.values())
KINDS = {kind.name: kind for name in SETS if name not in TABLE_SETS for kind in SETS[name]}


def test_the_page_lists_all_kinds() -> None:
    sets, _, kinds = REFERENCE.partition("## Sets")[2].partition("## Options")[0].partition("| Kind |")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", kinds, re.MULTILINE))
    wrong = sorted({*rows.items()} ^ {(kind.name, kind.about) for kind in KINDS.values()})
    assert not wrong, (
        f"the rows of kinds in docs/torture-reference.md and the kinds differ in these, mend one: {wrong}"
    )
    assert re.findall(r"^\| `([a-z][a-z-]+)`", sets, re.MULTILINE) == list(SETS)


def test_the_page_lists_all_modes() -> None:
    """Each mode is on the page, in the words of the code, with its usual set."""
    section = PAGE.partition("## Modes")[2].partition("## Clients by name")[0]
    rows = re.findall(r"^\| `([a-z]+)`(?: \(default\))? \| (.*) \| `([a-z]+)` \|$", section, re.MULTILINE)
    assert rows == [(name, mode.about, mode.usual_set) for name, mode in MODES.items()]


@pytest.mark.parametrize("name", SETS)
def test_each_case_has_a_name_of_its_own(name: str) -> None:
    """No two cases of a set share a name, by which a baseline knows them; kinds come one after another."""
    brief = new_case(plan="pass", script={"text": "Brief."})
    base = new_case(mode="tools") if name == "tools" else brief
    cases = cases_of_set(name, base)
    assert len({str(case) for case in cases}) == len(cases)
    kinds = [case.kind for case in cases]
    assert sorted(set(kinds), key=kinds.index) == [kind.name for kind in SETS[name]]


def test_the_larger_sets_have_what_the_smaller_ones_have() -> None:
    """Each of quick, standard, thorough and every-byte has all kinds of the one before it."""
    order = [{kind.name for kind in SETS[name]} for name in ("quick", "standard", "thorough", "every-byte")]
    assert all(smaller <= larger for smaller, larger in pairwise(order))


def test_a_recording_keeps_its_own_ids() -> None:
    """For a recorded stream, the kinds that fix ids or output are left out."""
    cases = cases_of_set("quick", new_case(plan="pass", cassette="cassettes/emulator/background-stream.yaml"))
    assert {case.event_ids for case in cases} == {"all"}
    assert {"no-ids", "ends"}.isdisjoint(case.kind for case in cases)
    with pytest.raises(UsageFault, match="did you mean 'noise'"):
        cases_of_set("quick", new_case(), only=["nois"])
