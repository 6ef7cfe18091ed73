"""The emulator outside a single test: shared by a module or a session, in unittest, and without pytest."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

import harness
from tests.plugin.toys import run

pytestmark = pytest.mark.filterwarnings("ignore")

KEY = {"x-goog-api-key": "k"}
BODY = {"model": "gemini-3.8-flash", "input": "Hi"}
HEAD = """
import os, socket
import httpx, pytest

PATH, KEY = "/v1beta/interactions", {"x-goog-api-key": "k"}
BODY = {"model": "gemini-3.8-flash", "input": "Hi"}
early = httpx.Client(base_url="https://generativelanguage.googleapis.com", headers=KEY)
"""
SCOPES = ("module", "session")
SHARED = """
@pytest.fixture(scope="module")
def made(interactions_SCOPE_emulator):
    interactions_SCOPE_emulator.reply("Once.")
    url = interactions_SCOPE_emulator.base_url
    return httpx.post(url + PATH, json=BODY, headers=KEY).json()["id"]

def test_one(interactions_SCOPE_emulator, made):
    assert interactions_SCOPE_emulator.look(made)
    assert os.environ["GOOGLE_GEMINI_BASE_URL"]
    assert early.get(f"{PATH}/{made}").status_code == 200

def test_client(interactions_SCOPE_emulator, interactions_client, made):
    assert interactions_client.interactions.get(made).output_text == "Once."
    with pytest.raises(RuntimeError, match="only this machine can be reached"):
        socket.create_connection(("192.0.2.1", 9), timeout=1)

def test_own(interactions_emulator, made):
    assert interactions_emulator.look(made) is None
    assert early.get(f"{PATH}/{made}").status_code == 404

def test_without():
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
    assert httpx.HTTPTransport.handle_request.__module__.startswith("httpx")
"""


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a key nor a base URL is set."""
    for name in ("GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY", "INTERACTIONS_HARNESS_BEFORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_shared_emulator(pytester: pytest.Pytester, scope: str) -> None:
    """A wider emulator keeps its interactions from test to test, and leaves tests that do not use it alone."""
    pytest.importorskip("google.genai")
    pytester.makepyfile(HEAD + SHARED.replace("SCOPE", scope))
    run(pytester).assert_outcomes(passed=4)


def test_a_shared_plan_that_nothing_met(pytester: pytest.Pytester) -> None:
    """What a shared emulator was told, and never happened, is an error when it is closed; it names the test."""
    pytester.makepyfile(
        HEAD
        + """
def test_plans(interactions_module_emulator, interactions_session_emulator):
    interactions_module_emulator.fail(503, on="cancel")
    interactions_session_emulator.reply("B")
    interactions_session_emulator.drop("event:3,rst")

def test_innocent():
    pass
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=1)
    module, session = (f"(interactions_{scope}_emulator, planned in test_*.py::test_plans)" for scope in SCOPES)
    for said in (
        f"fail(503, on='cancel') {module} was never met",
        f"drop('event:3,rst') {session} never took effect",
        f"reply('B') {session} was never used",
    ):
        result.stdout.fnmatch_lines([f"*{said}*"])


def test_plain_python() -> None:
    """`harness.InteractionsEmulator()` serves while the block runs, with a URL, and then lets go of its port."""
    with harness.InteractionsEmulator(event_ids="none") as emulator:
        emulator.reply("One.").reply("Two.")
        url = f"{emulator.base_url}/v1beta/interactions"
        assert httpx.post(url, json=BODY, headers=KEY).status_code == 200
        with pytest.raises(AssertionError, match=r"reply\('Two.'\) was never used"):
            emulator.assert_all_met()
        with emulator.client() as client:
            made = client.interactions.create(**BODY) if hasattr(client, "interactions") else None
        assert made is None or made.output_text == "Two."
        emulator.requests.assert_count("create", exactly=2 if made else 1)
    with pytest.raises(httpx.ConnectError):
        httpx.post(url, json=BODY, headers=KEY)
    with pytest.raises(AttributeError, match="has no attribute 'Emulater'"):
        harness.Emulater  # type: ignore[attr-defined]


def test_an_async_client_in_plain_python() -> None:
    """Its block may be an `async with`, as people write it, or a `with`."""

    async def ask() -> None:
        with harness.InteractionsEmulator() as emulator:
            async with emulator.async_client() as client:
                await create(client)
            with emulator.async_client() as client:
                await create(client)
            emulator.requests.assert_count("create", exactly=2)

    async def create(client: Any) -> None:
        if hasattr(client, "interactions"):
            await client.interactions.create(**BODY)
        else:
            await client.post("/v1beta/interactions", json=BODY)

    asyncio.run(ask())
