"""Web pages against `serve`, `replay` and `proxy`: each test sends what a browser would send for such a page."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.emulator import Emulator
from harness.transport import ServerThread
from tests.cli.conftest import Harness, fits
from tests.cli.test_recordings import ask, standing

EVIL = "http://evil.test"
JSON = {"content-type": "application/json"}
CREATE = b'{"model": "gemini-3.8-flash", "input": "a secret prompt"}'
KEYED = {"x-goog-api-key": "any"}
COMMANDS = ("serve", "replay", "proxy")
LOCAL = "127.0.0.1:{port}"


class Answer(NamedTuple):
    """A status, the headers that open an answer to pages, and the body."""

    status: int
    cors: list[str]
    text: str

    @property
    def message(self) -> str:
        """The message of a refusal in the API's error shape."""
        return str(json.loads(self.text)["error"]["message"])


class Server(NamedTuple):
    """A running command, with the path of a control call that only looks and of one that changes something."""

    port: int
    looking: str
    changing: str
    body: bytes
    line: dict[str, Any]

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        host: str = LOCAL,
    ) -> Answer:
        """Send one request, with exactly these headers besides Host and Content-Length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            fields = {"host": host.format(port=self.port), "content-length": str(len(body)), **(headers or {})}
            for name, value in fields.items():
                connection.putheader(name, value.format(port=self.port))
            connection.endheaders(body)
            answer = connection.getresponse()
            cors = [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]
            return Answer(answer.status, cors, answer.read().decode())
        finally:
            connection.close()

    def untouched(self) -> bool:
        """Whether no control call has changed anything."""
        if self.changing.endswith("/scripts"):
            answer = self.ask("POST", "/v1beta/interactions", {**KEYED, **JSON}, CREATE)
            return "evil" not in answer.text
        return bool(json.loads(self.ask("GET", self.changing).text)["plan"] is None)


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A function that starts a command with options; the same command line is started once."""
    folder = tmp_path_factory.mktemp("pages")
    with ExitStack() as stack:
        emulator = stack.enter_context(ServerThread(Emulator())).url
        cassette = folder / "a.yaml"
        started: dict[tuple[str, ...], Server] = {}

        def start(command: str, *options: str) -> Server:
            words = (command.split()[0], *_target(command, emulator, cassette), *options)
            if words not in started:
                line, _ = stack.enter_context(standing(*words))
                port = int(line["base_url"].rpartition(":")[2])
                calls = ("/__harness__/faults", "/__harness__/faults", b'{"plan": "event:0,rst"}')
                if command == "serve":
                    calls = ("/__harness__/requests", "/__harness__/scripts", b'{"text": "evil"}')
                started[words] = Server(port, *calls, line)
            return started[words]

        yield start


def _target(command: str, emulator: str, cassette: Path) -> tuple[str, ...]:
    if command in ("replay", "record known", "record more") and not cassette.exists():
        from harness.cli import main

        main(["record", "--target", emulator, "--cassette", str(cassette), "--port", "0", "--", *ask("hi")])
    target = ("--target", emulator)
    return {
        "serve": (),
        "replay": (str(cassette),),
        "proxy": target,
        "record new": (*target, "--cassette", str(cassette.with_name("new.yaml"))),
        "record known": (*target, "--cassette", str(cassette)),
        "record more": (*target, "--cassette", str(cassette), "--record-mode", "new_episodes"),
    }[command]


READING = {
    "a page of another origin": {"origin": EVIL},
    "a sandboxed page": {"origin": "null"},
    "a page on another port": {"origin": "http://127.0.0.1:1"},
    "an element of a page": {"sec-fetch-site": "cross-site"},
    "an element on another port": {"sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("page", READING)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_cannot_read_the_control_api(command: str, page: str, start: Start) -> None:
    """A control call from a page of another origin gets 403, no CORS header, and a sentence with what came."""
    server, headers = start(command), READING[page]
    answer = server.ask("GET", server.looking, headers)
    assert (answer.status, answer.cors) == (403, [])
    assert next(iter(headers.values())) in answer.message
    assert "program" in answer.message


SPELLINGS = ("/%5F_harness__/{}", "/__harness__/sessions/s1/__harness__/{}", "http://127.0.0.1/__harness__/{}")


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_cannot_steer_a_server(command: str, kind: str, start: Start) -> None:
    """A page's simple request, which needs no preflight, is refused and changes nothing."""
    server = start(command)
    answer = server.ask("POST", server.changing, {"origin": EVIL, "content-type": kind}, server.body)
    assert (answer.status, answer.cors) == (403, [])
    assert EVIL in answer.message
    assert server.untouched()


@pytest.mark.parametrize("words", [("serve",), ("replay", "--cors"), ("proxy",)], ids=COMMANDS)
def test_no_preflight_of_a_control_call_succeeds(words: tuple[str, ...], start: Start) -> None:
    """A browser that asks whether a page may send a control call is told no, even where pages may call the API."""
    server = start(*words)
    asking = {"origin": EVIL, "access-control-request-method": "POST"}
    answer = server.ask("OPTIONS", server.changing, asking)
    assert (answer.status, answer.cors) == (403, [])


REBOUND = ("evil.test:{port}", "evil.test", "127.0.0.1.evil.test", "localhost.evil.test:{port}", "x@127.0.0.1", "")


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_rebound_name_reaches_nothing(command: str, host: str, start: Start) -> None:
    """A page whose own name points at this machine reads neither the control API nor stored interactions."""
    server = start(command)
    for path in (server.looking, "/v1beta/interactions/x", "/v1beta1/projects/p/locations/l/interactions"):
        answer = server.ask("GET", path, KEYED, host=host)
        assert answer.status == 403
        assert "--allow-host" in answer.message
        assert host.format(port=server.port) in answer.message
        origin = {"origin": "http://" + host}
        assert server.ask("POST", server.changing, {**origin, **JSON}, server.body, host=host).status == 403
    assert server.untouched()


@pytest.mark.parametrize("command", ["record new", "record known", "record more"])
def test_a_rebound_name_passes_no_recorder(command: str, start: Start) -> None:
    """A recorder gives each request the target's own Host, so it sends none on that came by a foreign one."""
    recorder = start(command)
    for host in REBOUND:
        for path in ("/__harness__/requests", "/v1beta/interactions/x"):
            refused = recorder.ask("GET", path, KEYED, host=host)
            assert (refused.status, refused.cors) == (403, [])
            assert "--allow-host" in refused.message
    assert recorder.ask("GET", "/v1beta/interactions/x", KEYED).status in (400, 404)


CARRIERS = ("replay", "proxy", "record new", "record more")
SIMPLE = {"content-type": "text/plain;charset=UTF-8"}
FOREIGN_PAGES = {
    "a form": {"origin": EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", **SIMPLE},
    "a script": {"origin": EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", **SIMPLE},
    "an old browser": {"origin": EVIL, **SIMPLE},
    "a sandboxed page": {"origin": "null", **SIMPLE},
    "an element": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
}
FRAMES = ("iframe", "frame", "embed", "object", "document")
"""Destinations in which a page opens an address by itself; the last one is a window."""


@pytest.mark.parametrize("page", FOREIGN_PAGES)
@pytest.mark.parametrize("command", CARRIERS)
def test_a_page_of_another_origin_passes_no_carrier(command: str, page: str, start: Start) -> None:
    """Its simple requests, which need no preflight, use up no recording, reach no target and are not recorded."""
    server = start(command)
    for path, body in (("/v1beta/interactions", CREATE), ("/__harness__/scripts", b"{}"), ("/", b"x")):
        answer = server.ask("POST", path, {**KEYED, **FOREIGN_PAGES[page]}, body)
        assert (answer.status, answer.cors) == (403, [])
        assert "a web page of another origin" in answer.message
    assert server.ask("GET", "/favicon.ico").message == "The inspector has no GET /favicon.ico."
    for place in FRAMES:
        opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": place}
        assert server.ask("GET", "/v1beta/interactions/x", {**KEYED, **opened}).status == 403
    preflight = {"origin": EVIL, "access-control-request-method": "POST"}
    assert server.ask("OPTIONS", "/v1beta/interactions", preflight)[:2] == (403, [])
    assert "--cors" in server.ask("GET", "/v1beta/interactions/x", {**KEYED, "origin": EVIL}).message


@pytest.mark.parametrize("command", CARRIERS)
def test_a_page_of_this_machine_passes_a_carrier(command: str, start: Start) -> None:
    """The page that a developer works on calls a carrier, whatever its port."""
    local = {"origin": "http://localhost:3000", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
    answer = start(command).ask("GET", "/v1beta/interactions/x", {**KEYED, **local})
    assert answer.status in (400, 404)
    assert "another origin" not in answer.text


@pytest.mark.parametrize("command", COMMANDS)
def test_local_names_are_served(command: str, start: Start) -> None:
    """Every name of this machine's own loopback serves, and a page of the server's own origin may look."""
    server = start(command)
    for host in ("127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "127.9.9.9", "[::1]:{port}", "localhost."):
        assert server.ask("GET", server.looking, host=host).status == 200
        own = {"origin": "http://" + host, "sec-fetch-site": "same-origin"}
        assert server.ask("GET", server.looking, own, host=host).status == 200


def test_names_that_no_page_can_have_reach_only_the_api(start: Start) -> None:
    """A container's names reach the API; the control API needs 127.0.0.1, localhost or --allow-host."""
    names = ("host.docker.internal", "192.0.2.7", "harness")
    server = start("serve")
    allowed = start("serve", *(word for name in (*names, "Build7.example.com") for word in ("--allow-host", name)))
    for host in names:
        assert server.ask("POST", "/v1beta/interactions", {**KEYED, **JSON}, CREATE, host=host).status == 200
        assert server.ask("GET", server.looking, host=host).status == 403
        assert allowed.ask("GET", server.looking, host=f"{host}:{{port}}").status == 200
    for path, headers in ((server.looking, {}), ("/v1beta1/projects/p/locations/l/interactions", KEYED)):
        assert allowed.ask("GET", path, headers, host="build7.example.com:{port}").status == 200
        assert allowed.ask("GET", path, headers, host="build8.example.com").status == 403


def test_no_cors_keeps_pages_out(start: Start) -> None:
    """With --no-cors a page's calls of the API are refused, simple ones too, and no answer is open to pages."""
    server, path = start("serve", "--no-cors"), "/v1beta/interactions"
    asking = {"origin": EVIL, "access-control-request-method": "POST"}
    for headers in ({"origin": EVIL, "content-type": "text/plain"}, {"sec-fetch-site": "cross-site", **JSON}):
        answer = server.ask("POST", path, {**headers, **KEYED}, CREATE)
        assert (answer.status, answer.cors) == (403, [])
        assert "--no-cors" in answer.message
    assert server.ask("OPTIONS", path, asking)[:2] == (403, [])
    assert server.ask("POST", path, {**KEYED, **JSON}, CREATE)[:2] == (200, [])
    assert len(json.loads(server.ask("GET", server.looking).text)["requests"]) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_beyond_this_machine_control_calls_need_a_token(command: str, start: Start) -> None:
    """A server that other machines can reach makes a token, announces it, and wants it in every control call."""
    server = start(command, "--host", "0.0.0.0")
    token = fits("serve", server.line)["control_token"]
    for sent in ({}, {"x-harness-token": ""}, {"x-harness-token": token[:-1]}, {"x-harness-token": f"{token}x"}):
        assert server.ask("POST", server.changing, {**JSON, **sent}, server.body).status == 401
        refused = server.ask("GET", server.looking, sent)
        assert (refused.status, "x-harness-token" in refused.message, token in refused.text) == (401, True, False)
    assert server.ask("GET", server.looking, {"x-harness-token": token}, host="192.0.2.7:{port}").status == 200
    assert server.ask("GET", server.looking, {"x-harness-token": token, "origin": EVIL}).status == 403


@pytest.mark.slow
def test_the_token_can_be_chosen(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable sets the token, on any address."""
    monkeypatch.setenv("HARNESS_CONTROL_TOKEN", "chosen")
    server = start("serve", "--host", "127.0.0.1")
    assert start("serve", "--host", "::").line["control_token"] == server.line["control_token"] == "chosen"
    assert server.ask("GET", server.looking).status == 401


@pytest.mark.slow
def test_a_command_gets_the_token(harness: Harness) -> None:
    """The command that a server runs for finds the token in its environment."""
    code = """
import os, urllib.request as u
url = os.environ["INTERACTIONS_BASE_URL"] + "/__harness__/requests"
u.urlopen(u.Request(url, headers={"x-harness-token": os.environ["HARNESS_CONTROL_TOKEN"]}))
"""
    done = harness("serve", "--host", "0.0.0.0", "--port", "0", "--", sys.executable, "-c", code)
    assert done.code == 0, done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "HARNESS_CONTROL_TOKEN is not a token: use visible ASCII characters"),
        (["--allow-host", "http://x"], "--allow-host: 'http://x' is not a host"),
        (["--allow-host", "x:8000"], "--allow-host: 'x:8000' is not a host"),
        (["--allow-host", "*"], "--allow-host: '*' is not a host"),
    ],
)
def test_usage(words: list[str], told: str, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that no header carries and a name that is none are refused before anything listens."""
    monkeypatch.setenv("HARNESS_CONTROL_TOKEN", "two words")
    done = harness("serve", *words)
    assert done.code == 2
    assert told in done.err
