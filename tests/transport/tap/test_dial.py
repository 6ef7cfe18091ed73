"""Which targets a recorder or a proxy refuses, and when it gives up dialling."""

from __future__ import annotations

import contextlib

import pytest

from harness.outcome import UsageFault
from harness.transport import ServerThread
from harness.transport.client.origin import refuse_itself
from harness.transport.http1.reader import Limits
from harness.transport.server.server import InThread
from harness.transport.tap.tap import Tap
from harness.wire import At, By, Chunk, Exchange, How, Pause
from tests.transport.peers import Serving, deaf, get, raw_exchange


@pytest.mark.parametrize(
    ("target", "host", "refused"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", True),
        ("http://localhost:8000", "127.0.0.1", True),
        ("http://127.0.0.1:8000", "localhost", True),
        ("http://api.localhost:8000", "127.0.0.1", True),
        ("http://127.0.0.1:8000", "0.0.0.0", True),
        ("http://127.0.0.2:8000", "0.0.0.0", True),
        ("http://127.0.0.1:8001", "127.0.0.1", False),
        ("http://127.0.0.2:8000", "127.0.0.1", False),
        ("http://192.0.2.1:8000", "0.0.0.0", False),
        ("http://nosuch.invalid:8000", "127.0.0.1", False),
    ],
)
def test_nobody_stands_in_front_of_itself(target: str, host: str, refused: bool) -> None:
    """A target that is the listening address itself is refused, under any name; another port or machine is not."""
    told = pytest.raises(UsageFault, match="would ask itself") if refused else contextlib.nullcontext()
    with told:
        refuse_itself(target, host, 8000)


@pytest.mark.parametrize("proxied", [False, True])
def test_a_target_that_takes_too_long_is_given_up(proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's connection is reset; the record names our limit and the place that did not answer."""
    seen: list[Exchange] = []
    with deaf() as port:
        target, place = f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"
        if proxied:
            monkeypatch.setenv("HTTPS_PROXY", target)
            target, place = "https://target.invalid", f"the proxy {place}"
        with InThread(Tap(target, seen.append, limits=Limits(connect_seconds=0.1))) as tap:
            assert raw_exchange(tap.port, get()) == (b"", "rst")
    ending = seen[0].ending
    assert (ending.by, ending.how, ending.at) == (By.LIMIT, How.TIMEOUT, At.BEFORE_HEADERS)
    assert ending.detail == f"no connection to {place} in 0.1 s"


def test_a_connection_that_stands_is_not_given_up() -> None:
    """`connect_seconds` limits only dialling; a response may take longer."""
    seen: list[Exchange] = []
    answer = Serving(Pause(1.3), Chunk(b"ab"))
    with (
        ServerThread(answer) as server,
        InThread(Tap(server.url, seen.append, limits=Limits(connect_seconds=1))) as tap,
    ):
        raw_exchange(tap.port, get(connection="close"))
    assert seen[0].complete
