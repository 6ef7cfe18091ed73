"""What markers make of a test, and what they do not know or cannot read: that fails it in words; others run."""

from __future__ import annotations

import re

import httpx
import pytest

from harness.plugin import DroppedStream, InteractionsEmulator, cases_of
from tests.plugin.toys import run

pytestmark = pytest.mark.filterwarnings("ignore")

KEY = {"x-goog-api-key": "k"}

WRONG = {
    "interactions_cassette(hide=5)": "hide=5 cannot be read: Expected `str | list`, got `int`",
    "interactions_cassette(5)": "path=5 cannot be read: Expected `str`, got `int`",
    "interactions_cassette(allow_unused='no')": "allow_unused='no' cannot be read: Expected `bool`, got `str`",
    "interactions_cassette('x.yaml', record_mode='sometimes', mode='b', file='y')": (
        "has no option 'file': known are path,", "record_mode='sometimes' is not one of none, once,",
        "mode='b' is not one of strict, resume",
    ),
    "interactions_dropped_stream('every-event')": "takes its options by name, and no 'every-event' alone",
    "interactions_dropped_stream(cuts='outages')": "nor a list of fault plans: did you mean 'outage'",
    "interactions_dropped_stream(cuts=['evnt:5,rst'])": "did you mean 'event'",
    "interactions_dropped_stream(cut='x', first='3')": (
        "has no option 'cut': did you mean 'cuts'", "first='3' cannot be read: Expected `int`, got `str`",
    ),
    "interactions_dropped_stream(event_ids=5)": "event_ids=5 cannot be read: Expected `str | list`",
    "interactions_dropped_stream(mode='lop')": "mode='lop' is not one of tests, loop: did you mean 'loop'",
    "interactions_dropped_stream(first=15)": "the stream has the events 0 to 13",
    "interactions_emulator('sparse')": "takes its options by name, and no 'sparse' alone",
    "interactions_emulator(judge_turns='no')": "judge_turns='no' cannot be read: Expected `bool`, got `str`",
    "interactions_emulator(event_idz='none', resume='maybe', ticks=-1)": (
        "no setting 'event_idz': did you mean 'event_ids'", "resume='maybe' is not one of", "ticks=-1 must be",
    ),
    "interactions_incident('stale-chain-idd', 5)": ("did you mean 'stale-chain-id'", "no incident is named '5'"),
    "interactions_incident('stale-chain-id', speed=2, pace=3)": ("one after the other, and no speed=", "no pace="),
    "interactions_incident()": "plays the incidents that a marker names",
    "interactions_lifecycle('canceled', ['x'])": ("did you mean 'cancelled'", "\"['x']\" is none"),
    "interactions_lifecycle('failed', routes='queued')": "takes names, one after the other, and no routes=",
    "interactions_schedule(seed=-1)": "seed=-1 cannot be read: Expected `int` >= 0",
    "interactions_schedule(seeds=0)": "seeds=0 cannot be read: Expected `int` >= 1",
    "interactions_schedule(seed_=3)": "has no option 'seed_': did you mean 'seed'",
    "interactions_schedule(seed=1, seeds=2)": "takes one option: seeds=20, or seed=17 for this one alone",
    "interactions_schedule(3, 4)": ("takes its options by name, and no 3 alone", "and no 4 alone"),
    "interactions_torture(only=['clean-ends'], exclude=['nois'])":
        "no kind of the set 'application' has the id 'clean-ends': did you mean 'clean-end'",
    "interactions_torture(timeout='60')": "timeout='60' cannot be read: Expected `float | None`, got `str`",
}  # fmt: skip
"""Markers of tests that take the fixture of the same name."""

UNREAD = {
    "interactions_dropped": "there is no marker interactions_dropped: did you mean interactions_dropped_stream?",
    "interactions_q": "there is no marker interactions_q: known are interactions_cassette, ",
    "interactions_chain": "the fixture interactions_chain has no marker: add it to the test's arguments",
    "interactions_dropped_stream(cuts='every-event')": "has no effect on a test that does not take the fixture",
    "interactions_lifecycle('queued')": "has no effect",
    "interactions_incident('stale-chain-id')": "has no effect",
    "interactions_emulator(event_ids='none')": "has no effect",
}
"""Markers of tests that take no fixture."""

ALL_AT_ONCE = ("interactions_cassette(hide=5)", "interactions_schedule(seeds=0)", "interactions_lifecycle('x')")


def test_wrong_markers(pytester: pytest.Pytester) -> None:
    """Each mistake of a test is told, with its name; none hides another, and none ends the collection."""
    told = [*WRONG.items(), *UNREAD.items()]
    lines = [
        f"@pytest.mark.{marker}\ndef test_{number}({marker.partition('(')[0] if marker in WRONG else ''}): pass"
        for number, (marker, _) in enumerate(told)
    ]
    several = [f"@pytest.mark.{marker}" for marker in ALL_AT_ONCE]
    fixtures = ", ".join(marker.partition("(")[0] for marker in ALL_AT_ONCE)
    pytester.makepyfile("\n".join(["import pytest", *lines, *several, f"def test_all({fixtures}): pass"]))
    pytester.makepyfile(test_module="import pytest\npytestmark = pytest.mark.interactions_q\ndef test_it(): pass")
    pytester.makepyfile(test_other="def test_it(): pass")
    result = run(pytester, "-W", "ignore::pytest.PytestUnknownMarkWarning")
    result.assert_outcomes(errors=len(told) + 2, passed=1)
    shown = [line for line in result.outlines if line.startswith("In ")]
    for number, (_, words) in enumerate(told):
        of_test = "\n".join(line for line in shown if f"::test_{number}: " in line)
        assert [word for word in ((words,) if isinstance(words, str) else words) if word not in of_test] == []
    assert sum("::test_all: " in line for line in shown) == len(ALL_AT_ONCE)
    assert any(line.startswith("In test_module.py::test_it: there is no marker") for line in shown)


RIGHT = """
import pathlib, pytest

pytestmark = [pytest.mark.interactions_lifecycle("queued"), pytest.mark.interactions_emulator(ticks=0)]

def test_no_fixture():
    pass

@pytest.mark.interactions_lifecycle("all")
def test_all(interactions_lifecycle):
    assert interactions_lifecycle.expected_status not in ("in_progress", "queued")

@pytest.mark.interactions_incident("clean-end-mistaken-for-end", "final-event-but-socket-open")
def test_names(interactions_incident):
    interactions_incident.note_checked()

@pytest.mark.interactions_dropped_stream(cuts=("event:1,rst", "event:2,rst"), script=None, cassette=None)
def test_options(interactions_dropped_stream):
    assert interactions_dropped_stream.events[0]["interaction"].pop("id")  # each test has a copy of its own

@pytest.mark.interactions_emulator(max_requests=3, keys={"a": "b"})
def test_settings(interactions_emulator):
    assert (interactions_emulator.limit, interactions_emulator.emulator.settings.ticks) == (3, 0)
"""


def test_right_markers(pytester: pytest.Pytester) -> None:
    """One test for each name or case; the markers of a module may have no effect, and add to those of a test."""
    pytester.makepyfile(RIGHT)
    run(pytester).assert_outcomes(passed=1 + 10 + 2 + 2 + 1)


def test_one_turn_of_a_loop_alone(pytester: pytest.Pytester) -> None:
    """The marker in the message selects exactly the case that failed, including its settings."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.interactions_dropped_stream(
            cuts=["event:8,rst"], event_ids=["sparse"], resume="inclusive", script={"text": "Hi."}, mode="loop"
        )
        def test_it(interactions_dropped_stream):
            for stream in interactions_dropped_stream:
                stream.assert_seen_once("")
        """
    )
    marker = "cuts=['event:8,rst'], event_ids=['sparse'], resume='inclusive', script=…"
    run(pytester).stdout.re_match_lines([f".*this one alone:.*{re.escape(marker)}.*"])


def test_what_pytest_cannot_make_many_tests_of(pytester: pytest.Pytester) -> None:
    """A TestCase, and a fixture looked up by name, get a message that parametrized fixtures do not work there."""
    pytester.makepyfile(
        """
        import unittest
        import pytest

        @pytest.mark.parametrize("name", ["interactions_dropped_stream", "interactions_lifecycle"])
        def test_by_name(request, name):
            request.getfixturevalue(name)

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def begin(self, interactions_dropped_stream):
                pass

            def test_it(self):
                pass
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=2, errors=1)
    assert result.stdout.str().count("makes one test for each of its cases") >= 3
    result.stdout.no_fnmatch_line("*has no attribute*")


@pytest.mark.parametrize("cuts", ["every-event", "every-byte"])
def test_first(cuts: str) -> None:
    """`first=1` leaves out only the cuts before the end of the first event, which carries the id."""
    whole, later = cases_of(cuts=cuts, endings=["end"]), cases_of(cuts=cuts, endings=["end"], first=1)
    assert set(later) < set(whole)
    for case in whole[:: 1 if cuts == "every-event" else 40]:
        stream = DroppedStream(InteractionsEmulator(), case)
        body = {"model": "gemini-3.8-flash", "input": "Hi", "stream": True}
        with httpx.Client(transport=stream.emulator.transport, base_url="http://x.test", headers=KEY) as client:
            told = client.post("/v1beta/interactions", json=body).text
        assert ("\n\n" in told) is (case in later), case
