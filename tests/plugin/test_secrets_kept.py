"""Claims about secrets that a service repeats: not in a recording that leaves them out, not in a test's report."""

from __future__ import annotations

import json

import pytest

from harness.emulator import Emulator
from harness.transport import ServerThread
from harness.wire import Request, Response
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


REPEATED = """
import logging
import httpx, pytest

@pytest.mark.interactions_cassette(record_mode="all", upstream="UPSTREAM")
def test_it(interactions_cassette, record_property):
    with httpx.Client(transport=interactions_cassette.transport, base_url="http://x.test") as client:
        response = client.post("/v1beta/interactions", headers={"x-goog-api-key": "interactions-harness"}, json={})
    print(response.text)
    logging.getLogger().error(response.text)
    text = response.text
    record_property("answer", text)
    assert interactions_cassette.requests == [text + "."], text * 9
"""


WRITTEN = (
    "--junitxml=report.xml", "-o", "junit_logging=all", "-o", "junit_family=xunit1",
)  # fmt: skip


def test_the_report_of_a_test_repeats_no_key(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that gets the key of the user while a test records may repeat it. pytest may cut it."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("OTHER_GEMINI_API_KEY", f"{PLAIN}\n")
    came = list[str]()

    def refuse(request: Request) -> Response:
        came.append(request.headers.get("x-goog-api-key"))
        return Response.json(
            400, json.dumps({"error": {"message": f"bad key {came[-1]} {PLAIN}", "code": "x"}}).encode()
        )

    with ServerThread(refuse) as server:
        pytester.makepyfile(test_app=REPEATED.replace("UPSTREAM", server.url))
        result = run(pytester, "-l", *WRITTEN)
    result.assert_outcomes(failed=1)
    assert KEY in came
    result.stdout.fnmatch_lines(["*bad key [*][*][*]*", "FAILED *::test_it - AssertionError: *"])
    file = (pytester.path / "report.xml").read_text("utf-8")
    assert "bad key ***" in file
    assert 'name="answer" value="{&quot;error' in file
    shown = result.stdout.str() + file
    assert [secret for secret in (KEY[:16], PLAIN[:16]) if secret in shown] == []
