"""What fixtures keep away: the network, real sleeps, leaks; and how they live with other plugins."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from pathlib import Path

import anyio
import pytest

from harness.plugin import Environment, OutsideConnection, loopback_only, no_sleep
from tests.plugin.toys import run

FROM_IMPORT = time.sleep
sleep = time.sleep  # as a module has it after `from time import sleep`


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "2001:db8::1"])
def test_guard_refuses_the_outside(host: str) -> None:
    """Neither a connection nor a look-up leaves this machine, and the message says what to do."""
    with loopback_only(), pytest.raises(OutsideConnection, match=r"base_url=interactions_emulator\.base_url"):
        socket.create_connection((host, 80), timeout=1)


def test_guard_leaves_loopback_and_itself() -> None:
    """This machine stays reachable; afterwards nothing is patched."""
    before = (socket.socket.connect, socket.getaddrinfo, "connect" in vars(socket.socket))
    with loopback_only(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.getaddrinfo("localhost", 80)
    assert (socket.socket.connect, socket.getaddrinfo, "connect" in vars(socket.socket)) == before


def test_guard_lets_named_hosts_pass() -> None:
    """A host that is allowed is tried; that nobody answers there is another matter."""
    with loopback_only(allow=("192.0.2.1",)), socket.socket() as one:
        one.setblocking(False)
        with pytest.raises(OSError):
            one.connect(("192.0.2.1", 9))


def test_no_sleep() -> None:
    """Sync and async sleeps cost nothing and are counted, whatever name they were imported by."""

    async def waits() -> None:
        await asyncio.sleep(1000)
        await anyio.sleep(2000)

    begin = time.monotonic()
    with no_sleep() as sleeps:
        time.sleep(3000)
        sleep(4000)
        asyncio.run(waits())
    assert time.monotonic() - begin < 100
    assert sleeps == [3000, 4000, 1000, 2000]
    assert sleep is time.sleep is FROM_IMPORT
    with pytest.raises(AssertionError, match=r"slept 10000 s in 4 sleeps \(3000, 4000"):
        sleeps.assert_total(at_most=9999)


def test_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was set comes back, what was not goes; a real key is never replaced."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://mine.test")
    monkeypatch.setenv("GOOGLE_API_KEY", "mine")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    environment = Environment()
    environment.install()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == environment.url
    assert "GEMINI_API_KEY" not in os.environ
    environment.route(False)
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == "http://mine.test"
    environment.uninstall()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == "http://mine.test"


def test_environment_of_a_child_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that inherits our variables (a worker of xdist) knows what they were before."""
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    outer, inner = Environment(), Environment()
    outer.install()
    inner.install()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == inner.url != outer.url
    inner.route(False)
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
    inner.uninstall()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == outer.url
    outer.uninstall()
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ


def test_switched_off(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty `interactions_environment` leaves the environment alone."""
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    pytester.makeini("[pytest]\ninteractions_environment =\n")
    pytester.makepyfile(
        """
        import os

        def test_it(interactions_emulator):
            assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
            assert interactions_emulator.base_url
        """
    )
    run(pytester, process=True).assert_outcomes(passed=1)


def test_nothing_is_left_behind(pytester: pytest.Pytester) -> None:
    """After a session with a server there is no thread, socket or variable of ours."""
    threads = set(threading.enumerate())
    sockets = open_sockets()
    environment = dict(os.environ)
    pytester.makepyfile(
        """
        import httpx

        def test_it(interactions_emulator):
            httpx.get(interactions_emulator.base_url + "/__harness__/")
        """
    )
    run(pytester).assert_outcomes(passed=1)
    assert set(threading.enumerate()) == threads
    assert open_sockets() == sockets
    left = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    assert left == {name: environment[name] for name in environment if name != "PYTEST_CURRENT_TEST"}


def open_sockets() -> int:
    """Sockets of this process; skips where /proc does not tell."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc here")
    links = [str(link.readlink()) for link in folder.iterdir() if link.is_symlink()]
    return sum(link.startswith("socket:") for link in links)


ASYNC = """
import pytest, asyncio, anyio
pytestmark = pytest.mark.{mark}

async def test_it(interactions_async_client, interactions_emulator, interactions_no_sleep):
    interactions_emulator.reply("Hello")
    api = interactions_async_client.interactions
    run = await api.create(model="gemini-3.5-flash", input="Hi", background=True)
    while (found := await api.get(run.id)).status == "in_progress":
        await {sleep}(5)
    assert found.output_text == "Hello"
    assert interactions_no_sleep.total == 10
"""


@pytest.mark.parametrize(
    ("mark", "sleep"), [("asyncio", "asyncio.sleep"), ("anyio", "anyio.sleep")], ids=["pytest-asyncio", "anyio"]
)
def test_async_plugins(pytester: pytest.Pytester, mark: str, sleep: str) -> None:
    """The async client and the skipped sleeps work under pytest-asyncio and anyio."""
    pytest.importorskip("google.genai")
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n")
    pytester.makepyfile(ASYNC.format(mark=mark, sleep=sleep))
    run(pytester).assert_outcomes(passed=1)


def test_sockets_forbidden(pytester: pytest.Pytester) -> None:
    """Where sockets are forbidden the in-process ways work, and base_url says why it cannot."""
    pytester.makeconftest(
        """
        import pytest, socket

        @pytest.fixture(autouse=True)
        def no_sockets(monkeypatch):
            def refuse(*args, **kwargs):
                raise RuntimeError("A test tried to use socket.socket.")
            import harness.transport.server
            monkeypatch.setattr(harness.transport.server.ServerThread, "start", refuse)
        """
    )
    pytester.makepyfile(
        """
        import httpx, pytest

        def test_it(interactions_emulator):
            with httpx.Client(transport=interactions_emulator.transport, base_url="http://x.test") as client:
                assert client.get("/__harness__/").status_code == 200
            with pytest.raises(Exception, match="sockets seem to be forbidden") as error:
                interactions_emulator.base_url
            assert "tried to use socket.socket" in str(error.value)
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_outside_connection_in_a_test(pytester: pytest.Pytester) -> None:
    """Code under test that goes to the live service fails with the reason."""
    pytester.makepyfile(
        """
        import httpx

        def test_it(interactions_emulator):
            httpx.get("https://generativelanguage.googleapis.com/v1beta/interactions/v1_x")
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*OutsideConnection: a connection to generativelanguage.googleapis.com was refused*"]
    )
