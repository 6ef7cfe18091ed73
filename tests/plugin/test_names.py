"""Fixtures and markers share a prefix and a name, the pages list them, and a wrong name proposes the right one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugin.toys import PLUGIN, options, run

pytestmark = pytest.mark.filterwarnings("ignore")

DOCS = Path(__file__).resolve().parents[2] / "docs"
PREFIX = "interactions_"
_FIXTURE = re.compile(r"^(\w+)(?: \[\w+ scope\])? -- ", re.MULTILINE)
_MARKER = re.compile(r"^@pytest\.mark\.(\w+)", re.MULTILINE)
_OPTION = re.compile(r"^  (--[\w-]+)", re.MULTILINE)
_SETTING = re.compile(r"^  (\w+) \(\w+\):", re.MULTILINE)


def registered(pytester: pytest.Pytester, option: str, pattern: re.Pattern[str]) -> set[str]:
    """What pytest lists with the plugin and does not list without it."""
    listed = [run(pytester, option), pytester.runpytest_inprocess(*without_plugin(), option)]
    present, absent = (set(pattern.findall("\n".join(result.outlines))) for result in listed)
    return present - absent


def without_plugin() -> list[str]:
    """The options of a toy repository, without the plugin: neither named nor found by its entry point."""
    words = options()
    return [*(words[:-2] if words[-1] == PLUGIN else words), "-p", "no:interactions"]


def table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of a page, without its head."""
    below = (DOCS / page).read_text("utf-8").split(f"## {heading}\n", 1)[1]
    rows = below[below.index("|") :].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


@pytest.mark.slow
def test_a_marker_has_the_name_of_its_fixture(pytester: pytest.Pytester) -> None:
    """Every fixture and marker of the plugin begins with the prefix, and every marker is named like a fixture."""
    fixtures = registered(pytester, "--fixtures", _FIXTURE)
    markers = registered(pytester, "--markers", _MARKER)
    assert len(fixtures) > 7
    assert not [name for name in fixtures | markers if not name.startswith(PREFIX)]
    assert markers < fixtures


def test_the_page_lists_fixtures_and_markers(pytester: pytest.Pytester) -> None:
    """The table of fixtures has each of them, and says of each whether it has a marker."""
    fixtures, markers = set(), set()
    for _, cell, marker, _ in table("pytest.md", "Which fixture to use"):
        names = set(re.findall(rf"`({PREFIX}\w+)`", cell))
        fixtures |= names
        markers |= names if marker else set()
    assert fixtures == registered(pytester, "--fixtures", _FIXTURE)
    assert markers == registered(pytester, "--markers", _MARKER)


def test_the_page_lists_options(pytester: pytest.Pytester) -> None:
    """The table of options has each option and each setting of the plugin, all with the prefix."""
    rows = table("pytest-reference.md", "Options and settings")
    listed = {re.split(r"[` ]", row[0].strip("`"))[0] for row in rows}
    known = registered(pytester, "--help", _OPTION) | registered(pytester, "--help", _SETTING)
    assert len(known) > 6
    assert {name for name in known if not name.removeprefix("--").startswith(("interactions-", PREFIX))} == set()
    assert listed - {"INTERACTIONS_RECORD_URL"} == known


@pytest.mark.slow
def test_the_suite_marks_with_the_prefix(pytester: pytest.Pytester) -> None:
    """The markers of the catalogue's items begin with the prefix, and none has the name of a fixture."""
    pytester.makeconftest(
        """
        def pytest_collection_finish(session):
            for name in {mark.name for item in session.items for mark in item.iter_markers()}:
                print("marked", name)
        """
    )
    result = run(pytester, "--pyargs", "harness.suite", "--interactions-url", "emulator", "--collect-only", "-q")
    marks = {line.removeprefix("marked ") for line in result.outlines if line.startswith("marked ")}
    ours = {name for name in marks if name.startswith(PREFIX)}
    assert {"interactions_must", "interactions_area_get"} < ours
    assert marks - ours <= {"parametrize", "xdist_group", "filterwarnings"}
    assert ours.isdisjoint(registered(pytester, "--fixtures", _FIXTURE))


PROPOSED = {
    "interactions_casette": "did you mean interactions_cassette?",
    "interaction_chain": "did you mean interactions_chain?",
    "interactions_q": "known are interactions_async_client, ",
}


ASKED = (
    "def test_{0}({0}): pass",
    "@pytest.fixture\ndef mine_{0}({0}): pass\ndef test_fixture_{0}(mine_{0}): pass",
    "def test_value_{0}(request): request.getfixturevalue('{0}')",
    "@pytest.mark.usefixtures('{0}')\ndef test_used_{0}(): pass",
)


def test_a_wrong_fixture(pytester: pytest.Pytester) -> None:
    """However it is asked for, the report of one that does not exist proposes what was probably meant."""
    pytester.makepyfile("\n".join(["import pytest", *(way.format(name) for way in ASKED for name in PROPOSED)]))
    told = str(run(pytester).stdout)
    for name, proposal in PROPOSED.items():
        assert told.count(f"there is no fixture {name}: {proposal}") == len(ASKED)


def test_names_of_others(pytester: pytest.Pytester) -> None:
    """A name that the user defines or registers is the user's, and a wrong name without the prefix is pytest's."""
    pytester.makeini("[pytest]\nmarkers =\n    interactions_mine(why): ours\n    interaction_lifecycle: too\n")
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def interactions_own(): return 1

        @pytest.mark.interactions_mine("so")
        @pytest.mark.interaction_lifecycle
        def test_it(interactions_own): pass

        def test_other(cliet): pass
        """
    )
    result = run(pytester, "--strict-markers")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*there is no*")
