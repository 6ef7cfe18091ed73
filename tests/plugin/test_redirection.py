"""Where requests go: nowhere else in a session without the fixtures, to the emulator in a test that uses one."""

from __future__ import annotations

import pytest

from tests.packages import NEEDS_GENAI
from tests.plugin.toys import run

pytestmark = [NEEDS_GENAI, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LIVE = "generativelanguage.googleapis.com"
PLAIN = """
import httpx

plain = httpx.Client(base_url="https://generativelanguage.googleapis.com", headers={"x-goog-api-key": "mine"})
"""
APP = f"""
from google import genai
{PLAIN}
client = genai.Client(api_key="mine")
"""
TRACE = """
import os, socket
import app

def of_the_environment():
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}

BEFORE = of_the_environment()

def test_nothing_is_set():
    assert of_the_environment() == BEFORE
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ and "GEMINI_API_KEY" not in os.environ

def test_a_module_level_client_is_as_it_was(monkeypatch):
    asked = []
    def look_up(host, *rest, **more):
        asked.append(host)
        raise socket.gaierror("no network here")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        app.client.interactions.create(model="gemini-3.8-flash", input="Hi")
    except Exception as error:
        print(error)
    assert asked and set(asked) == {"generativelanguage.googleapis.com"}
"""


@pytest.fixture(autouse=True)
def no_settings(lean: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a key nor a base URL is set; each client reads one certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", lean["SSL_CERT_FILE"])
    for name in ("GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY", "INTERACTIONS_HARNESS_BEFORE"):
        monkeypatch.delenv(name, raising=False)


def test_no_trace_where_it_is_not_used(pytester: pytest.Pytester) -> None:
    """In a session that uses no fixture, a client built at import time reaches what it always reached."""
    pytester.makepyfile(app=APP, test_it=TRACE)
    run(pytester).assert_outcomes(passed=2)


LATER = """
from google.oauth2.credentials import Credentials

later = genai.Client(api_key="mine").aio
vertex = {
    place: genai.Client(vertexai=True, project="p", location=place, credentials=Credentials("a token"))
    for place in ("global", "europe-west1")
}
"""


def test_an_application_that_conftest_imports(pytester: pytest.Pytester) -> None:
    """Clients that were built before any test, even in conftest.py, reach the emulator of the test that runs.

    So do those for Vertex, whose hosts differ with the region.
    """
    pytester.makeconftest("import app")
    pytester.makepyfile(
        app=APP + LATER,
        test_it="""
        import asyncio, app, os, pytest
        from google import genai

        ASKED = {"model": "gemini-3.8-flash", "input": "Hi"}

        @pytest.mark.parametrize("number", [1, 2])
        def test_sync(interactions_emulator, number):
            interactions_emulator.reply(f"Here, {number}.").reply("Here too.")
            assert app.client.interactions.create(**ASKED).output_text == f"Here, {number}."
            assert app.plain.post("/v1beta/interactions", json=ASKED).status_code == 200
            interactions_emulator.requests.assert_calls("create", "create")

        def test_async(interactions_emulator):
            interactions_emulator.reply("Here.")
            made = asyncio.run(app.later.interactions.create(**ASKED))
            assert made.output_text == "Here."

        @pytest.mark.parametrize("place", ["global", "europe-west1"])
        def test_vertex(interactions_emulator, place):
            interactions_emulator.reply("Here.")
            assert app.vertex[place].interactions.create(**ASKED).output_text == "Here."
            interactions_emulator.requests.assert_calls("create")

        def test_built_here(interactions_emulator):
            interactions_emulator.reply("Here.")
            assert genai.Client().interactions.create(**ASKED).output_text == "Here."
            assert os.environ["GEMINI_API_BASE"] == os.environ["GOOGLE_GEMINI_BASE_URL"]  # LiteLLM reads it

        def test_outside():
            assert "GOOGLE_GEMINI_BASE_URL" not in os.environ and "GEMINI_API_KEY" not in os.environ
        """,
    )
    run(pytester).assert_outcomes(passed=7)


def test_the_users_own_gateway(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that found another base URL at import time is redirected too; other requests are not."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://gateway.example.org:8443")
    pytester.makepyfile(
        app=APP,
        test_it="""
        import app, httpx, pytest

        def test_it(interactions_emulator):
            interactions_emulator.reply("Here.")
            made = app.client.interactions.create(model="gemini-3.8-flash", input="Hi")
            assert made.output_text == "Here."
            with pytest.raises(Exception, match="only this machine can be reached"):
                httpx.get("https://gateway.example.org/other")
        """,
    )
    run(pytester).assert_outcomes(passed=1)


NO_KEY = """
from google import genai
client = genai.Client()
"""
USES = """
import app, os, pytest

def test_it(interactions_emulator):
    interactions_emulator.reply("Here.")
    assert app.client.interactions.create(model="gemini-3.8-flash", input="Hi").output_text == "Here."

def test_without():
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ and "GEMINI_API_KEY" not in os.environ
    with pytest.raises(Exception, match="this is the server of interactions-harness in pytest"):
        app.client.interactions.create(model="gemini-3.8-flash", input="Hi")
"""


def test_a_client_without_a_key(pytester: pytest.Pytester) -> None:
    """A client built at import time without a key cannot be; the report names the setting that helps."""
    pytester.makepyfile(app=NO_KEY, test_it=USES)
    result = run(pytester, process=True)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*`interactions_early = true`*"])
    pytester.makeini("[pytest]\ninteractions_early = true\n")
    pytester.makeconftest("import app")
    run(pytester).assert_outcomes(passed=2)


def test_switched_off(pytester: pytest.Pytester) -> None:
    """An empty `interactions_environment` redirects nothing: the guard refuses the connection instead."""
    pytester.makeini("[pytest]\ninteractions_environment =\n")
    pytester.makepyfile(
        app=PLAIN,
        test_it=f"""
        import app, os, pytest

        def test_it(interactions_emulator):
            with pytest.raises(Exception, match="{LIVE} was refused"):
                app.plain.post("/v1beta/interactions", json={{}})
            assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
            assert interactions_emulator.base_url
        """,
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_a_library_that_a_test_imports(pytester: pytest.Pytester, library: str) -> None:
    """httpx is not imported for a fixture; where a test imports it later, its clients reach the emulator, too."""
    pytester.makepyfile(f"""
        import sys

        def test_late(interactions_emulator):
            assert "httpx" not in sys.modules and "httpx2" not in sys.modules
            import {library}

            url = "https://generativelanguage.googleapis.com/v1beta/interactions"
            body = {{"model": "gemini-3.8-flash", "input": "Hi"}}
            answer = {library}.post(url, json=body, headers={{"x-goog-api-key": "mine"}})
            assert answer.json()["status"] == "completed"
    """)
    run(pytester, process=True).assert_outcomes(passed=1)
