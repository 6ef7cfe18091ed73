"""`interactions_dropped_stream`, `interactions_lifecycle` and `interactions_chain` in toy repositories."""

from __future__ import annotations

import re

import httpx
import pytest

from harness.plugin import DroppedStream, InteractionsEmulator, cases_of
from tests.plugin.toys import run

pytestmark = pytest.mark.filterwarnings("ignore")

KEY = {"x-goog-api-key": "k"}

APP = """
import httpx, json, time

KEY = {"x-goog-api-key": "k"}

def naive(client, id):
    text = ""
    try:
        with client.stream("GET", f"/v1beta/interactions/{id}?stream=true") as response:
            for line in response.iter_lines():
                if '"step.delta"' in line:
                    text += json.loads(line[6:])["delta"].get("text", "")
    except httpx.HTTPError:
        pass
    return text

def wait(client, id):
    while True:
        answer = client.get(f"/v1beta/interactions/{id}")
        if answer.status_code == 404:
            return None
        if answer.json()["status"] not in ("queued", "in_progress"):
            return answer.json()
        time.sleep(5)
"""

CONFTEST = """
import httpx, pytest

@pytest.fixture
def client(interactions_emulator):
    with httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test",
                      headers={"x-goog-api-key": "k"}) as client:
        yield client
"""


@pytest.fixture
def toy(pytester: pytest.Pytester) -> pytest.Pytester:
    """A repository with an application and a client fixture."""
    pytester.makepyfile(app=APP)
    pytester.makeconftest(CONFTEST)
    return pytester


@pytest.mark.slow
def test_one_test_for_each_cut(toy: pytest.Pytester) -> None:
    """A marked test becomes one per cut and ending; the message names the cut and how to run it alone."""
    toy.makepyfile(
        """
        import app, pytest
        from harness.resume import follow

        @pytest.mark.interactions_dropped_stream(endings=["rst"], event_ids=["all", "none"])
        def test_helper(interactions_dropped_stream, client, interactions_no_sleep):
            stream = follow(client, interactions_dropped_stream.id)
            interactions_dropped_stream.assert_seen_once(list(stream))
            assert stream.text == interactions_dropped_stream.text

        @pytest.mark.interactions_dropped_stream(cuts=["event:7,rst"])
        def test_naive(interactions_dropped_stream, client):
            interactions_dropped_stream.assert_seen_once(app.naive(client, interactions_dropped_stream.id))
        """
    )
    result = run(toy)
    result.assert_outcomes(passed=2 * 15, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*dropped at event:7,rst, the client lost*it did not resume after the drop*",
            "*pytest 'test_*test_naive?event:7,rst?'*",
        ]
    )
    alone = run(toy, "test_one_test_for_each_cut.py::test_naive[event:7,rst]")
    alone.assert_outcomes(failed=1)


@pytest.mark.slow
def test_a_loop_in_one_test(toy: pytest.Pytester) -> None:
    """mode="loop" goes through all cuts in one test, and the failure names its cut."""
    toy.makepyfile(
        """
        import app, pytest
        from harness.resume import follow

        @pytest.mark.interactions_dropped_stream(
            cuts="structural", endings=["end"], mode="loop", script={"text": "Hi."}
        )
        def test_helper(interactions_dropped_stream, client, interactions_no_sleep):
            turns = 0
            for stream in interactions_dropped_stream:
                turns += 1
                events = list(follow(client, stream.id))
                stream.assert_seen_once(events)
            assert turns > 50

        @pytest.mark.interactions_dropped_stream(cuts="structural", mode="loop")
        def test_naive(interactions_dropped_stream, client):
            for stream in interactions_dropped_stream:
                stream.assert_seen_once(app.naive(client, stream.id))
        """
    )
    result = run(toy)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*dropped at event:0,rst, the client lost*", "*cuts=?'event:0,rst'?*"])


def test_one_turn_of_a_loop_alone(toy: pytest.Pytester) -> None:
    """The marker in the message selects exactly the case that failed, including its settings."""
    toy.makepyfile(
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
    run(toy).stdout.re_match_lines([f".*this one alone:.*{re.escape(marker)}.*"])


@pytest.mark.slow
def test_what_pytest_cannot_make_many_tests_of(toy: pytest.Pytester) -> None:
    """A TestCase, and a fixture looked up by name, get a message that parametrized fixtures do not work there."""
    toy.makepyfile(
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
    result = run(toy)
    result.assert_outcomes(failed=2, errors=1)
    assert result.stdout.str().count("makes one test for each of its cases") >= 3
    result.stdout.no_fnmatch_line("*has no attribute*")


def test_created_by_the_client(toy: pytest.Pytester) -> None:
    """Code that creates the interaction itself is judged by the interaction it created."""
    toy.makepyfile(
        """
        import pytest
        from harness.resume import follow

        @pytest.mark.interactions_dropped_stream(cuts=["event:4,rst", "event:9,end"], script={"text": "Mine."})
        def test_it(interactions_dropped_stream, client, interactions_no_sleep):
            stream = follow(client, create={"model": "gemini-3.8-flash", "input": "Hi"})
            interactions_dropped_stream.assert_seen_once(list(stream))
            assert stream.id != interactions_dropped_stream.id
        """
    )
    run(toy).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("interactions_dropped_stream('every-event')", "by name"),
        ("interactions_dropped_stream(cuts='every')", "not one of every-event"),
        ("interactions_dropped_stream(first='3')", "a value of first has a wrong type"),
        ("interactions_dropped_stream(event_ids=5)", "a value of event_ids has a wrong type"),
        ("interactions_dropped_stream(mode='for')", "'tests' or 'loop'"),
        ("interactions_dropped_stream(first=15)", "the stream has the events 0 to 13"),
    ],
)
def test_wrong_marker(toy: pytest.Pytester, marker: str, said: str) -> None:
    """A test whose marker has unknown options fails, with a message that names the test."""
    toy.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_it(interactions_dropped_stream): pass\n")
    result = run(toy)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"In test_wrong_marker.py::test_it: *{said}*"])
    result.stdout.no_fnmatch_line("*UsageFault*")


WRONG_VALUES = {
    "interactions_emulator(event_idz='none', resume='maybe', ticks=-1)": (
        "no setting 'event_idz': did you mean 'event_ids'", "resume='maybe' is not one of", "ticks=-1 must be",
    ),
    "interactions_lifecycle('canceled', 'queud', ['x'])": (
        "did you mean 'cancelled'", "did you mean 'queued'", "\"['x']\" is none",
    ),
    "interactions_dropped_stream(cut='x', cuts=['evnt:5,rst'])": ("no option 'cut'", "did you mean 'event'"),
    "interactions_incident('stale-chain-idd', 5)": ("did you mean 'stale-chain-id'", "no incident is named '5'"),
    "interactions_cassette('x.yaml', record_mode='sometimes', mode='b', file='y')": (
        "has no 'file'", "record_mode='sometimes' is not one of", "mode='b' is not one of strict, resume",
    ),
}  # fmt: skip


def test_every_wrong_value_of_several_markers(toy: pytest.Pytester) -> None:
    """Of several wrong markers, and of several wrong values in one, none hides another; other tests run."""
    marks = "".join(f"@pytest.mark.{marker}\n" for marker in WRONG_VALUES)
    fixtures = ", ".join(marker.partition("(")[0] for marker in WRONG_VALUES)
    toy.makepyfile(f"import pytest\n{marks}def test_it({fixtures}): pass\ndef test_other(): pass\n")
    result = run(toy)
    result.assert_outcomes(errors=1, passed=1)
    told = str(result.stdout)
    assert [said for all_said in WRONG_VALUES.values() for said in all_said if said not in told] == []


@pytest.mark.parametrize(
    ("marker", "fixture"),
    [
        ("interactions_dropped_stream(cuts='every-event')", "interactions_dropped_stream"),
        ("interactions_lifecycle('queued')", "interactions_lifecycle"),
        ("interactions_emulator(event_ids='none')", "interactions_emulator"),
    ],
)
def test_a_marker_without_its_fixture(toy: pytest.Pytester, marker: str, fixture: str) -> None:
    """A test whose own marker would have no effect does not pass silently; a module's marker may have none."""
    toy.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass\n")
    result = run(toy)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"In *::test_it: *has no effect*take the fixture {fixture}*"])
    toy.makepyfile(f"import pytest\npytestmark = pytest.mark.{marker}\ndef test_it(): pass\n")
    run(toy).assert_outcomes(passed=1)


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


@pytest.mark.slow
def test_lifecycle(toy: pytest.Pytester) -> None:
    """Without a marker the common routes run, with it the named ones, with 'all' those of a client that waits."""
    toy.makepyfile(
        """
        import app, pytest

        def test_common(interactions_lifecycle, client, interactions_no_sleep):
            interactions_lifecycle.assert_outcome(app.wait(client, interactions_lifecycle.id))

        @pytest.mark.interactions_lifecycle("deleted", "cancelled_late")
        def test_named(interactions_lifecycle, client, interactions_no_sleep):
            interactions_lifecycle.assert_outcome(app.wait(client, interactions_lifecycle.id))
            assert interactions_no_sleep.total >= 5

        @pytest.mark.interactions_lifecycle("all")
        def test_all(interactions_lifecycle):
            assert interactions_lifecycle.created["status"] in ("in_progress", "queued")
            assert interactions_lifecycle.expected_status not in ("in_progress", "queued")
        """
    )
    run(toy).assert_outcomes(passed=6 + 2 + 10)
