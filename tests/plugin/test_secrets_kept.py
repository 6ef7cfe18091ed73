"""Claims about secrets that a service repeats: not in a recording that leaves them out, not in a test's report."""

from __future__ import annotations

import json

import pytest

from harness.emulator import Emulator
from harness.interactions import INTERACTIONS
from harness.plugin.sent_requests import TrafficLog
from harness.wire import Headers, Request, Response
from tests.plugin.toys import run

pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")
pytestmark = pytest.mark.filterwarnings("ignore")

KEY, PLAIN, QUERY = "zq1canary0123456789abc", "zq2canary0123456789abc", "zq3canary0123456789abc"

TOY = f"""
import httpx, pytest

@pytest.fixture(scope="module")
def vcr_config():
    return {{"filter_headers": ["x-goog-api-key", "x-plain"], "filter_query_parameters": ["mine"]}}

@pytest.mark.interactions_cassette(record_mode="once")
def test_it(interactions_cassette):
    headers = {{"x-goog-api-key": "{KEY}", "x-plain": "{PLAIN}"}}
    with httpx.Client(transport=interactions_cassette.transport, base_url="http://x.test", headers=headers) as c:
        body = {{"model": "{KEY} {PLAIN} {QUERY}", "input": "Hi"}}
        c.post("/v1beta/interactions?mine={QUERY}", json=body)
"""


def test_what_a_recording_leaves_out_is_not_in_an_answer(pytester: pytest.Pytester, live: Emulator) -> None:
    """Filtered headers and parameters are written nowhere, even if the service repeats their values."""
    pytester.makepyfile(test_app=TOY)
    run(pytester).assert_outcomes(passed=1)
    text = (pytester.path / "cassettes" / "test_app" / "test_it.yaml").read_text("utf-8")
    assert "REDACTED" in text
    assert [secret for secret in (KEY, PLAIN, QUERY) if secret in text] == []


def test_a_story_repeats_no_key() -> None:
    """The report of a failing test shows the answers without the client's credentials."""
    headers = Headers([("x-goog-api-key", KEY), ("cookie", f"sid={PLAIN}")])
    request = Request("GET", f"/v1beta/interactions/a?key={QUERY}", headers)
    said = json.dumps({"error": {"message": f"no {KEY} {PLAIN} {QUERY}", "code": "x"}}).encode()
    story = TrafficLog(INTERACTIONS)
    for _ in story.note_answer(request, Response.json(400, said)).body:
        pass
    assert [secret for secret in (KEY, PLAIN, QUERY) if secret in "".join(story.lines())] == []
