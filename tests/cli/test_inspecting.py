"""The page at the root of every command that serves: it is there, it tells what passes, and only to its own."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from harness.cli import inspecting
from harness.emulator import Emulator
from harness.transport import ServerThread
from tests.cli.conftest import Harness, fits
from tests.cli.test_recordings import standing
from tests.transport.peers import free_port

ROOT = "/__harness__/inspector/"
COMMANDS = ("serve", "proxy", "record", "replay")
KEYED = {"x-goog-api-key": "a-key-that-is-long-enough"}
CREATE = {"model": "gemini-3.8-flash", "input": "Say hi.", "stream": True}


class Serving(NamedTuple):
    """A running command and its first line."""

    url: str
    line: dict[str, Any]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Serving]]:
    """Every command once, all in front of one emulator or what was recorded of it."""
    folder = tmp_path_factory.mktemp("inspected")
    with ExitStack() as stack:
        target = ("--target", stack.enter_context(ServerThread(Emulator())).url)
        recorded = str(folder / "recorded.yaml")
        _record(target, recorded)
        words = {
            "serve": ("serve",),
            "proxy": ("proxy", *target),
            "record": ("record", *target, "--cassette", str(folder / "new.yaml")),
            "replay": ("replay", recorded),
        }
        lines = {name: stack.enter_context(standing(*each))[0] for name, each in words.items()}
        yield {name: Serving(line["base_url"], line) for name, line in lines.items()}


def _record(target: tuple[str, ...], file: str) -> None:
    with standing("record", *target, "--cassette", file) as (line, process):
        for _ in COMMANDS:
            httpx.post(f"{line['base_url']}/v1beta/interactions", headers=KEYED, json=CREATE)
        process.terminate()
        process.wait(60)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_is_at_the_root(servers: dict[str, Serving], command: str) -> None:
    """A browser gets the page and its files at the root; the first line of `--json` names its address.

    Without a browser's Accept, the root is what it is without a page: an error in JSON. Pages of another origin,
    and those that rebound their name, get 403.
    """
    url, line = servers[command]
    page = httpx.get(url, headers={"accept": "text/html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert httpx.get(f"{url}{ROOT}main.js").status_code == 200
    assert fits("serve", line)["inspector"] == f"{url}/"
    assert "json" in httpx.get(url, headers=KEYED).headers["content-type"]
    for field in ({"origin": "http://evil.test"}, {"host": "evil.test"}):
        assert httpx.get(f"{url}{ROOT}feed", headers=field).status_code == 403


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_stream_is_told_as_it_flows(servers: dict[str, Serving], command: str) -> None:
    """An open page learns of a stream: request, status, every event, the end; and of each once."""
    url = servers[command].url
    with httpx.stream("GET", f"{url}{ROOT}feed", timeout=60) as feed:
        lines = feed.iter_lines()
        told = _read_until(lines, "ready")
        assert told[0]["command"] == command.split()[0]
        answer = httpx.post(f"{url}/v1beta/interactions", headers=KEYED, json=CREATE)
        told = _read_until(lines, "end")
    kinds = [change["is"] for change in told]
    assert kinds[:2] == ["request", "head"]
    assert kinds.count("event") == answer.text.count("data: ")
    assert told[-1]["complete"]
    assert KEYED["x-goog-api-key"] not in json.dumps(told)


def _read_until(lines: Iterator[str], last: str) -> list[dict[str, Any]]:
    """The changes of the feed up to the first of a kind."""
    told: list[dict[str, Any]] = []
    for line in lines:
        for change in json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else ():
            if change["is"] != "state":
                told.append(change)
            if change["is"] == last:
                return told
    raise AssertionError(f"the feed ended without {last}: {told}")


@pytest.mark.slow
def test_beyond_this_machine_the_address_carries_a_token() -> None:
    """A recorder that others can reach tells only who has the token, which the printed address carries."""
    with (
        ServerThread(Emulator()) as server,
        standing("record", "--target", server.url, "--cassette", "x.yaml", "--host", "0.0.0.0") as (line, _),
    ):
        page, _, token = line["inspector"].partition("#token=")
        assert page.startswith("http://127.0.0.1:")
        assert httpx.get(f"{page.rstrip('/')}{ROOT}cassette").status_code == 401
        asked = httpx.get(f"{page.rstrip('/')}{ROOT}cassette", headers={"x-harness-token": token})
        assert asked.status_code == 409  # nothing was seen yet


@pytest.mark.slow
def test_open_opens_the_page(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--open` opens the address of the page, also with a command, which is not kept waiting."""
    opened: list[str] = []
    monkeypatch.setattr(inspecting, "open_browser", lambda page: opened.append(page) or True)
    program = "import os; assert os.environ['INTERACTIONS_BASE_URL']"
    assert harness("serve", "--open", "--", sys.executable, "-c", program).code == 0
    assert [page.rpartition(":")[0] for page in opened] == ["http://127.0.0.1"]


@pytest.mark.slow
def test_without_a_browser_the_address_is_said(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no browser can be started, the address is printed."""
    monkeypatch.setattr(inspecting, "open_browser", lambda page: False)
    program = "import time; time.sleep(0.2)"
    done = harness("serve", "--open", "--", sys.executable, "-c", program)
    assert "no browser found: open http://127.0.0.1:" in done.err


@pytest.mark.slow
def test_the_upstream_of_a_gateway_has_the_page(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`gateway --open` opens a page at the upstream, which shows what the gateway asked.

    The gateway comes up when the page is there, so the page misses nothing: it is read to its proper end, which is
    after the last request.
    """
    told: list[Any] = []
    is_read = threading.Event()
    watched = tmp_path / "watched"

    def look(page: str) -> bool:
        with httpx.stream("GET", f"{page.rstrip('/')}{ROOT}feed", timeout=60) as feed:
            watched.touch()
            for line in feed.iter_lines():
                told.extend(json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else ())
        is_read.set()
        return True

    monkeypatch.setattr(inspecting, "open_browser", look)
    port = free_port()
    wait = f"while [ ! -e {watched} ]; do sleep 0.05; done"
    gateway = f"exec {sys.executable} -m harness proxy --port {port} --target $HARNESS_UPSTREAM_URL"
    words = ("--upstream-port", "0", "--open", "-c", "gw.status*", "--watch", "0", "--")
    harness("gateway", f"http://127.0.0.1:{port}", *words, "sh", "-c", f"{wait}; {gateway}")
    assert is_read.wait(60)  # the page reads in a thread of its own
    requests = [change for change in told if change["is"] == "request"]
    assert requests
    assert len([change for change in told if change["is"] == "end"]) == len(requests)
