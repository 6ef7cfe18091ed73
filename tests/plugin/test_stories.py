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
