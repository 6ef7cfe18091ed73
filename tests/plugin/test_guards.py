"""What the fixtures prevent: network access, real sleeps, leaks; and how they work with other plugins."""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from harness.plugin import EnvironmentVariables, OutsideConnection, loopback_only, no_sleep
from tests.plugin.toys import run

FROM_IMPORT = time.sleep
sleep = time.sleep  # as a module has it after `from time import sleep`


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_guard_refuses_the_outside(host: str) -> None:
    """Neither a connection nor a look-up leaves this machine, and the message says what to do."""
    said = r"base_url=interactions_emulator\.base_url.*interactions_early = true"
    with loopback_only(), pytest.raises(OutsideConnection, match=said):
        socket.create_connection((host, 80), timeout=1)


def test_the_variables_of_proxies_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is built meanwhile asks the emulator, not the proxy of a company."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:8080")
    with loopback_only():
        assert "HTTPS_PROXY" not in os.environ
    with loopback_only(proxies=True):
        assert "HTTPS_PROXY" in os.environ
    assert os.environ["HTTPS_PROXY"] == "http://proxy.example.org:8080"


def test_guard_refuses_datagrams_to_the_outside() -> None:
    """A datagram leaves this machine neither by `sendto` nor by `sendmsg`, and arrives if it stays here."""
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, loopback_only():
        here.bind(("127.0.0.1", 0))
        sender.sendto(b"a", here.getsockname())
        sender.sendto(b"b", 0, here.getsockname())
        sender.sendmsg([b"c"], [], 0, here.getsockname())
        assert [here.recv(9) for _ in range(3)] == [b"a", b"b", b"c"]
        for send in (
            lambda: sender.sendto(b"x", ("192.0.2.1", 53)),
            lambda: sender.sendto(b"x", 0, ("192.0.2.1", 53)),
            lambda: sender.sendmsg([b"x"], [], 0, ("192.0.2.1", 53)),
        ):
            with pytest.raises(OutsideConnection):
                send()


def test_guard_leaves_loopback_and_itself() -> None:
    """This machine stays reachable; afterwards nothing is patched."""
    before = patchable()
    with loopback_only(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.getaddrinfo("localhost", 80)
        assert patchable() != before
    assert patchable() == before


def patchable() -> list[object]:
    """The attributes that the guard replaces, and whether each is defined on the class itself."""
    own = (vars(socket.socket).get(name) for name in ("connect", "connect_ex", "sendto", "sendmsg"))
    return [*own, socket.getaddrinfo]


def test_guard_lets_configured_hosts_pass(pytester: pytest.Pytester) -> None:
    """`interactions_allowed_hosts` opens the guard for a database or another service, and for nothing else."""
    pytester.makeini("[pytest]\ninteractions_allowed_hosts = db.internal *.corp\n")
    pytester.makepyfile(
        """
        import socket, pytest
        from harness.plugin import OutsideConnection

        @pytest.fixture(autouse=True)
        def found(monkeypatch):
            def look_up(host, *rest, **more):
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 1))]
            look_up.__module__ = "socket"
            monkeypatch.setattr(socket, "getaddrinfo", look_up)

        @pytest.mark.parametrize("host", ["db.internal", "any.CORP", "corp.example.org", "other.internal"])
        def test_it(found, interactions_emulator, host):
            assert socket.getaddrinfo(host, 5432)
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines([f"*`interactions_allowed_hosts = {host}`*" for host in ("corp.*", "other.*")])


async def by_name(loop: asyncio.AbstractEventLoop) -> None:
    """Look up and connect in one call."""
    await loop.create_connection(asyncio.Protocol, "example.org", 80)


async def by_datagram(loop: asyncio.AbstractEventLoop) -> None:
    """Connect as QUIC does."""
    await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("192.0.2.1", 80))


async def by_socket(loop: asyncio.AbstractEventLoop) -> None:
    """Connect with the client's own socket."""
    with socket.socket() as one:
        one.setblocking(False)
        await loop.sock_connect(one, ("192.0.2.1", 80))


@pytest.mark.parametrize("connect", [by_name, by_datagram, by_socket])
def test_guard_of_event_loops(connect: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """Event loops cannot connect to the outside either, whoever makes their sockets; loopback stays open."""
    said: list[str] = []

    async def tried() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        transport.close()
        server.close()
        await loop.getaddrinfo("localhost", 80)
        with pytest.raises(OutsideConnection):
            await connect(loop)

    with loopback_only(tell=said.append):
        asyncio.run(tried())
    assert "was refused" in said[0]


def test_no_sleep() -> None:
    """Sync and async sleeps are skipped and counted, however they were imported."""

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
    with pytest.raises(AssertionError, match=r"slept 10000 s in 4 sleeps \(3000, 4000.*expected at most 9999 s"):
        sleeps.assert_total(at_most=9999)
    with pytest.raises(AssertionError, match=r"expected at least 20000 s"):
        sleeps.assert_total(at_least=20_000)


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_no_sleep_ends_what_has_an_end(library: str) -> None:
    """Under either library, sleeps are counted once, deadlines hold, and an infinite sleep stays infinite."""
    module = pytest.importorskip(library)

    named = next(iter(inspect.signature(module.sleep).parameters))

    async def waits() -> None:
        await module.sleep(1000)
        await module.sleep(**{named: 500})
        await anyio.sleep(2000)
        with pytest.raises(TypeError):
            await module.sleep()
        for endless in (anyio.sleep_forever, lambda: anyio.sleep(math.inf)):
            with anyio.move_on_after(0.01) as scope:
                await endless()
            assert scope.cancelled_caught

    with no_sleep() as sleeps:
        anyio.run(waits, backend=library)
    assert sleeps == [1000, 500, 2000]


def test_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """`uninstall` restores variables that were set and removes the others; a real key is never replaced."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://mine.test")
    monkeypatch.setenv("GOOGLE_API_KEY", "mine")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    environment = EnvironmentVariables(["GOOGLE_GEMINI_BASE_URL"])
    environment.install()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == environment.url
    assert "GEMINI_API_KEY" not in os.environ
    environment.route(False)
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == "http://mine.test"
    environment.uninstall()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == "http://mine.test"


def test_environment_of_a_child_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that inherits our variables (a worker of xdist) knows their original values."""
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    outer, inner = (EnvironmentVariables(["GOOGLE_GEMINI_BASE_URL"]) for _ in range(2))
    outer.install()
    inner.install()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == inner.url != outer.url
    inner.route(False)
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ
    inner.uninstall()
    assert os.environ["GOOGLE_GEMINI_BASE_URL"] == outer.url
    outer.uninstall()
    assert "GOOGLE_GEMINI_BASE_URL" not in os.environ


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
    assert set(threading.enumerate()) <= threads  # a thread or socket of an earlier test may have ended meanwhile
    assert open_sockets() <= sockets
    left = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    assert left == {name: environment[name] for name in environment if name != "PYTEST_CURRENT_TEST"}


def open_sockets() -> int:
    """The open sockets of this process; skip the test on platforms without /proc."""
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
    run = await api.create(model="gemini-3.8-flash", input="Hi", background=True)
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


@pytest.mark.slow
def test_outside_connection_in_a_test(pytester: pytest.Pytester) -> None:
    """Code under test that connects to another machine fails its test with the reason, even if it swallows it."""
    pytester.makepyfile(
        """
        import httpx

        def test_it(interactions_emulator):
            httpx.get("https://named.example.org/v1beta/interactions/v1_x")

        def test_swallowed(interactions_emulator):
            try:
                httpx.get("https://swallowed.example.org/v1beta/interactions/v1_x")
            except Exception:
                assert not "no answer"
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*OutsideConnection: a connection to named.example.org was refused*",
            "*interactions*",
            "a connection to named.example.org was refused*",
            "*assert not*",
            "*interactions*",
            "a connection to swallowed.example.org was refused*",
        ]
    )
