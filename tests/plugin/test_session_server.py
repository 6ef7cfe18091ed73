"""One server for many tests: whose clock advances, and which service answers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from harness.emulator import Emulator
from harness.interactions import INTERACTIONS
from harness.plugin import EnvironmentVariables, SessionServer, Tenant
from harness.wire import COMPLETE, Chunk, Chunked, Headers, LogicalClock, Pause, PieceBody, Request, Response

PAUSE = 0.02
STREAM = (Chunk(b"one"), Pause(PAUSE), Chunk(b"two"), Pause(PAUSE), Chunk(b"three"), COMPLETE)


def slow(request: Request) -> Response:
    """A body with two pauses."""
    return Response(200, Headers(), Chunked(), PieceBody(STREAM))


@pytest.fixture
def session() -> Iterator[SessionServer]:
    """A session that listens."""
    environment = EnvironmentVariables(())
    environment.install()
    session = SessionServer(environment, INTERACTIONS)
    yield session
    session.close()
    environment.uninstall()


def test_a_stream_moves_the_time_of_its_own_test(session: SessionServer) -> None:
    """The pauses of a stream that one test left open advance that test's clock, whichever test is running."""
    mine, running = LogicalClock(), LogicalClock()
    running.reached(100.0)
    with session.serving(Tenant(slow, mine)) as left_open, session.serving(Tenant(slow, running)):
        assert httpx.get(f"{session.url}{left_open}/any").text == "onetwothree"
        assert (mine.now, running.now) == (pytest.approx(2 * PAUSE), 100.0)
        assert httpx.get(f"{session.url}/any").text == "onetwothree"
        assert (mine.now, running.now) == (pytest.approx(2 * PAUSE), pytest.approx(100.0 + 2 * PAUSE))


FOREIGN = {
    "another origin": {"origin": "http://evil.test"},
    "an image": {"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"},
    "a rebound name": {"host": "evil.test"},
}


@pytest.mark.parametrize("page", FOREIGN)
def test_a_page_of_another_origin_reaches_no_emulator_of_a_test(session: SessionServer, page: str) -> None:
    """It could plan, use up or read responses; a page of this machine may be the client under test."""
    emulator = Emulator()
    with session.serving(Tenant(emulator, emulator.clock)) as prefix:
        for base in (f"{session.url}{prefix}", session.url):
            scripts = f"{base}/__harness__/scripts"
            assert httpx.post(scripts, content=b'{"text": "evil"}', headers=FOREIGN[page]).status_code == 403
            url = f"{base}/v1beta/interactions/x"
            assert httpx.get(url, headers=FOREIGN[page]).status_code == 403
            assert httpx.get(url, headers={"origin": "http://localhost:3000"}).status_code != 403
            assert httpx.get(url).status_code != 403


LATE = """
import sys

BROUGHT = {"asyncio", "ssl"} & set(sys.modules)

def test_without_a_socket(interactions_emulator):
    interactions_emulator.driver()
    assert not BROUGHT and not {"asyncio", "ssl"} & set(sys.modules)

def test_a_task(interactions_emulator):
    import asyncio
    import app
    async def begin():
        begin.task = asyncio.create_task(app.poll())
        await asyncio.sleep(0)
    asyncio.run(begin())

def test_a_client(interactions_emulator):
    import urllib.request
    assert urllib.request.urlopen(interactions_emulator.base_url + "/__harness__/").status == 200
"""


def test_late_imports(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a socket nothing imports an event loop; what a test imports itself is watched all the same."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    app = "import asyncio\n\nasync def poll():\n    await asyncio.sleep(3600)\n"
    pytester.makepyfile(app=app, test_app=LATE)
    result = pytester.runpytest_subprocess("-p", "harness.pytest_plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, warnings=1)
    assert "the task `poll` (app.py:3) still ran when the test had ended" in result.stdout.str()
