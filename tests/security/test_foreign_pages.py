"""Web pages that a developer visits while a server runs: what they may read of it, and what they may not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.benches.server.page_guard import PageGuard, Pages
from harness.cli.arguments import load_options
from harness.cli.main import COMMANDS, main
from harness.cli.options import Trust
from harness.contract import PROTOCOL
from harness.transport import ServerThread
from harness.transport.client import courier
from harness.transport.tap.exchange_tracker import Wiretap
from harness.wire import By, Headers, How, Request, Response
from harness.wire.addresses import HeadReaddresser, is_loopback

API = "/v1beta/interactions"
LOCAL = (
    "http://localhost:3000",
    "http://127.0.0.1:5173",
    "https://app.localhost",
    "http://[::1]:8080",
    "HTTP://LOCALHOST",
)
FOREIGN = (
    "https://evil.example", "null", "file://", "http://localhost.evil.example", "http://evil.example:3000",
    "http://127.0.0.1.evil.example", "http://10.0.0.2:3000", "chrome-extension://abc", "http://evil@localhost:1",
    "localhost", "http://notlocalhost", "http://",
)  # fmt: skip


def ask(pages: Pages, method: str = "GET", **fields: str) -> int:
    """The status of a call of the API with these fields, `sec_fetch_site` for `Sec-Fetch-Site`."""
    named = [("host", "127.0.0.1:8000"), *((name.replace("_", "-"), value) for name, value in fields.items())]
    guard = PageGuard(PROTOCOL, pages=pages)
    return guard.around(lambda _: Response.json(200, {}))(Request(method, API, Headers(named))).status


@pytest.mark.parametrize("origin", LOCAL)
def test_a_page_of_this_machine_may_call(origin: str) -> None:
    """What a developer serves on this machine calls the API, whatever its port; --no-cors refuses it, too."""
    assert ask(Pages.LOCAL, "POST", origin=origin, sec_fetch_site="cross-site") == 200
    assert ask(Pages.NONE, "POST", origin=origin, sec_fetch_site="cross-site") == 403


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_may_not_call(origin: str) -> None:
    """No page of another origin calls the API by default; --cors lets all of them call."""
    assert ask(Pages.LOCAL, "POST", origin=origin) == 403
    assert ask(Pages.LOCAL, "GET", origin=origin) == 403
    assert ask(Pages.ANY, "POST", origin=origin) == 200


def test_a_request_without_an_origin_shows_a_page_nothing() -> None:
    """A page cannot load an image or a script of ours, nor open a window of it, and any program is answered."""
    assert ask(Pages.LOCAL, sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403
    assert ask(Pages.LOCAL, "POST", sec_fetch_site="cross-site", sec_fetch_mode="navigate") == 403
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_user": "?1"}
    for dest in ("document", "iframe"):
        assert ask(Pages.LOCAL, **followed, sec_fetch_dest=dest) == 403
        assert ask(Pages.ANY, **followed, sec_fetch_dest=dest) == 200
    assert ask(Pages.LOCAL, sec_fetch_site="same-site") == 200
    guard = PageGuard(PROTOCOL, pages=Pages.LOCAL, allowed_hosts=["api.dev.example"])
    for host, status in (("api.dev.example:8000", 403), ("app.localhost:8000", 200)):
        image = Request("GET", API, Headers([("host", host), ("sec-fetch-site", "same-site")]))
        assert guard.around(lambda _: Response.json(200, {}))(image).status == status
    assert ask(Pages.LOCAL) == 200


def test_what_a_browser_opens_reaches_nothing() -> None:
    """A redirect of a page that the user opened is marked as if it had been typed; the inspector opens."""
    for user in ({}, {"sec_fetch_user": "?1"}):
        typed = {"sec_fetch_site": "none", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document", **user}
        assert [ask(pages, **typed) for pages in (Pages.NONE, Pages.LOCAL, Pages.ANY)] == [403, 403, 200]
        assert ask(Pages.LOCAL, **{**typed, "sec_fetch_site": "same-origin"}) == 200
        named = [("host", "127.0.0.1:8000"), *((name.replace("_", "-"), value) for name, value in typed.items())]
        guard = PageGuard(PROTOCOL, pages=Pages.LOCAL)
        assert guard.refusal(Request("GET", "/__harness__/inspector", Headers(named))) is None


def test_what_a_browser_fetches_ahead_reaches_nothing() -> None:
    """Speculation rules of any page send requests that are marked as if the user had typed the address."""
    typed = {"sec_fetch_site": "none", "sec_fetch_dest": "document"}
    for user in ({}, {"sec_fetch_user": "?1"}):
        for ahead in ({"sec_purpose": "prefetch;prerender"}, {"sec_purpose": "prefetch"}, {"purpose": "prefetch"}):
            assert ask(Pages.LOCAL, **typed, **user, **ahead) == 403
            assert ask(Pages.NONE, **typed, **user, **ahead) == 403
    assert ask(Pages.LOCAL, sec_purpose="prefetch") == 403
    assert ask(Pages.LOCAL, sec_fetch_site="same-site", sec_purpose="prefetch") == 200
    assert ask(Pages.LOCAL, origin="http://localhost:3000", sec_purpose="prefetch") == 200
    assert ask(Pages.ANY, **typed, sec_purpose="prefetch") == 200


@pytest.mark.parametrize("host", ["host.docker.internal:8000", "192.0.2.7:8000"])
def test_a_browser_calls_no_name_for_which_it_marks_no_page(host: str) -> None:
    """A container calls by such a name, and is a program; what a page loads from there has no mark of the page."""
    for agent, status in (("Mozilla/5.0 (X11)", 403), ("python-httpx/1", 200)):
        for pages, expected in ((Pages.LOCAL, status), (Pages.ANY, 200)):
            guard = PageGuard(PROTOCOL, pages=pages).around(lambda _: Response.json(200, {}))
            request = Request("GET", API, Headers([("host", host), ("user-agent", agent)]))
            assert guard(request).status == expected


BROWSERS = (
    {"user-agent": "Mozilla/5.0"}, {"origin": "http://gw.evil.example:7321"}, {"sec-fetch-site": "same-origin"},
    {"origin": "http://gw.evil.example:7321", "sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0"},
)  # fmt: skip


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("pages", Pages)
def test_the_name_of_a_gateway_is_for_programs(pages: Pages, host: str) -> None:
    """Its owner may point it at this machine: by it, no page reads anything, and no control call is sent."""
    token = "" if host == "127.0.0.1" else "t0ken"
    guard = PageGuard(
        PROTOCOL, host=host, pages=pages, program_hosts=["GW.evil.example", "192.168.1.5"], token=token,
    ).around(lambda _: Response.json(200, {}))  # fmt: skip
    for path in (API, "/__harness__/inspector/feed", "/__harness__/faults"):
        for name in ("gw.evil.example:7321", "GW.EVIL.EXAMPLE.:7321", "gw.evil.example"):
            for fields in BROWSERS:
                for method in ("GET", "POST", "DELETE"):
                    named = Headers([("host", name), *fields.items()])
                    assert guard(Request(method, path, named)).status == 403
            program = Headers([("host", name), ("user-agent", "gateway/1")])
            assert guard(Request("GET", path, program)).status == (200 if path == API else 401 if token else 403)
    shown = Headers([("host", "192.168.1.5:7321"), ("user-agent", "Mozilla/5.0")])
    assert (guard(Request("GET", API, shown)).status == 200) is (bool(token) or pages is Pages.ANY)
    allowed = PageGuard(PROTOCOL, program_hosts=["gw.mine"], allowed_hosts=["gw.mine"])
    named = Headers([("host", "gw.mine"), ("user-agent", "Mozilla/5.0")])
    assert allowed.refusal(Request("GET", "/__harness__/inspector/feed", named)) is None


def test_no_service_worker_is_served() -> None:
    """The script of one would control the pages of this server, of later runs, too; none is sent to a browser."""
    for pages in Pages:
        assert ask(pages, sec_fetch_site="same-origin", service_worker="script") == 403


def test_no_script_runs_at_an_address_for_which_a_browser_sends_no_fields() -> None:
    """Such as one of this machine in its network; what a connection asked before changes nothing."""
    guard = PageGuard(PROTOCOL, host="0.0.0.0").around(lambda _: Response.json(200, {}))
    headers = Headers([("host", "192.168.1.5:8000"), ("accept", "text/html,*/*;q=0.8")])
    for _ in range(2):
        answer = guard(Request("GET", API, headers))
        assert (answer.status, answer.headers.get("content-security-policy")[:8]) == (200, "sandbox;")


CASSETTE = """\
version: 1
interactions:
- request: {method: GET, uri: 'https://example.com/v1beta/interactions/x', body: null, headers: {}}
  response:
    status: {code: 200, message: OK}
    headers:
      content-type: [text/html]
      cache-control: ["public, max-age=86400"]
      content-security-policy-report-only: ["default-src 'none'; report-uri http://evil.example/"]
      refresh: ["0; url=http://evil.example/"]
      set-cookie: ["sess=evil; Path=/"]
      location: ["http://evil.example/"]
      clear-site-data: ['"cookies"']
      speculation-rules: ['"http://evil.example/rules.json"']
      x-sourcemap: ["http://evil.example/map"]
      x-request-id: [abc]
    body: {string: "<script>fetch('/__harness__/faults', {method: 'DELETE'})</script>"}
"""
OPEN = """
import os, sys, urllib.request
link = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"}
html = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
cors = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
known = {"html": html, "fetch": cors, "image": {"User-Agent": "Mozilla/5.0 (X11)", "Accept": "image/*"}, "": {}}
fields = known.get(sys.argv[1], {"Sec-Fetch-Site": sys.argv[1], **link})
url = os.environ["INTERACTIONS_BASE_URL"] + "/v1beta/interactions/x"
answer = urllib.request.urlopen(urllib.request.Request(url, headers=fields))
assert answer.headers["content-type"] == "text/html" and b"<script>" in answer.read()
assert (answer.headers["content-security-policy"] == "sandbox; default-src 'none'") is bool(fields)
assert ("no-store" in answer.headers.get_all("cache-control", [])) is bool(fields)
obeyed = ["refresh", "set-cookie", "location", "clear-site-data", "speculation-rules", "x-sourcemap"]
obeyed += ["content-security-policy-report-only"]
recorded = answer.headers.get("x-request-id") == "abc"
assert [name in answer.headers for name in obeyed] == [recorded and not fields] * 7
"""


@pytest.mark.parametrize("site", ["same-origin", "html", "fetch", "image", ""])
def test_a_cassette_runs_no_script_in_the_origin_of_a_server(site: str, tmp_path: Path) -> None:
    """A browser that opens a recorded page runs nothing of it, not even from its cache, where a page may put it.

    A client gets the recording as it is.
    """
    (tmp_path / "evil.yaml").write_text(CASSETTE, encoding="utf-8")
    client = ["--", sys.executable, "-I", "-c", OPEN, site]
    assert main(["replay", str(tmp_path / "evil.yaml"), "--port", "0", *client]) == 0


@pytest.mark.parametrize("site", ["same-origin", "html", "fetch", "image", ""])
def test_a_target_runs_no_script_in_the_origin_of_a_recorder(site: str, tmp_path: Path) -> None:
    """The same while it records, adds to a cassette and replays; the cassette has the response as it came."""
    path = str(tmp_path / "evil.yaml")
    html = Headers([("content-type", "text/html"), ("cache-control", "public, max-age=86400")])
    client = ["--", sys.executable, "-I", "-c", OPEN, site]
    with ServerThread(lambda _: Response.whole(200, html, b"<script>fetch('/')</script>")) as target:
        words = ["record", "--target", target.url, "--cassette", path, "--port", "0"]
        for mode in ("all", "new_episodes", "none"):
            assert main([*words, "--record-mode", mode, *client]) == 0
        (tmp_path / "other.yaml").write_text(CASSETTE.replace("interactions/x", "interactions/y"))
        words[4] = str(tmp_path / "other.yaml")
        assert main([*words, "--record-mode", "new_episodes", *client]) == 0
    assert "content-security-policy" not in Path(path).read_text("utf-8")


FIELDS = b"Content-Type: text/html\r\nContent-Length: 6\r\n"
HEADS = {
    "plain": b"HTTP/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "old": b"HTTP/1.0 200\n" + FIELDS + b"\n",
    "hints": b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n" + FIELDS + b"\r\n",
}
ODD_HEADS = {
    "in lower case": b"http/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "behind a letter": b"xHTTP/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "behind an empty line": b"\r\nHTTP/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "behind a line feed": b"\nHTTP/1.1 200 OK\n" + FIELDS + b"\n",
    "behind a space": b" HTTP/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "without a version": b"HTTP 200 OK\r\n" + FIELDS + b"\r\n",
    "of version 2": b"HTTP/2.0 200 OK\r\n" + FIELDS + b"\r\n",
    "with a tab": b"HTTP/1.1\t200 OK\r\n" + FIELDS + b"\r\n",
    "with two spaces": b"HTTP/1.1  200 OK\r\n" + FIELDS + b"\r\n",
    "without a status": b"HTTP/1.1\r\n" + FIELDS + b"\r\n",
    "in carriage returns": b"HTTP/1.1 200 OK\r" + FIELDS.replace(b"\r\n", b"\r") + b"\r\n\r\n",
    "with a field without a name": b"HTTP/1.1 200 OK\r\n: x\r\n" + FIELDS + b"\r\n",
    "with a folded line": b"HTTP/1.1 200 OK\r\n x: y\r\n" + FIELDS + b"\r\n",
    "behind hints": b"HTTP/1.1 103 Early\r\n\r\nhttp/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "behind another protocol": b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n" + FIELDS + b"\r\n",
    "none": b"<html>",
}
GET = b"GET /v1beta/interactions/x HTTP/1.1\r\nhost: 127.0.0.1\r\n"
SHOWN = GET + b"sec-fetch-mode: navigate\r\n\r\n"


def pass_on(wire: Wiretap, request: bytes, response: bytes, size: int) -> bytes:
    """What a client gets of a response that comes in pieces, as a link of a recorder asks."""
    wire.upward(request, 0.0)
    out = b""
    for at in range(0, len(response), size):
        piece = response[at : at + size]
        passes = wire.passes(piece)
        passed = wire.downward(piece, 0.0).data
        out += piece if passes else passed
    return out


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("head", {**HEADS, **ODD_HEADS}.values(), ids={**HEADS, **ODD_HEADS})
def test_a_browser_gets_no_head_that_it_reads_in_another_way(head: bytes, size: int) -> None:
    """A recorder passes it to a program, byte by byte; a browser would run the script behind it."""
    response = head + b"script"
    assert pass_on(Wiretap("x"), GET + b"\r\n", response, size) == response
    wire = Wiretap("x")
    shown = pass_on(wire, SHOWN, response, size)
    if head in HEADS.values():
        assert shown.count(b"content-security-policy: sandbox") == head.count(b"HTTP/")
        assert shown.endswith(b"script")
        assert not wire.turned_away
    else:
        shown += wire.rest()
        wire.end(By.SERVER, How.FIN, 0.0)
        assert shown.startswith(b"HTTP/1.1 502") or not shown
        assert b"script" not in shown
        assert wire.upward(GET + b"\r\n", 0.0).data == b"" or not shown


@pytest.mark.parametrize("before", [ODD_HEADS["of version 2"], HEADS["plain"] + b"script" + HEADS["plain"]])
def test_a_browser_gets_nothing_behind_what_belongs_to_no_request(before: bytes) -> None:
    """On a connection with bytes of no response, the next may be one that the target sent ahead."""
    wire = Wiretap("x")
    pass_on(wire, GET + b"\r\n", before + b"script", 10_000)
    assert not wire.turned_away
    assert wire.upward(SHOWN, 0.0).data == b""
    assert wire.turned_away
    assert wire.downward(HEADS["plain"] + b"script", 0.0).data == b""


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_field_against_scripts_stands_in_every_head(size: int) -> None:
    """However a head is split, the field follows its status line, and nothing else changes."""
    head = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\n"
    reader = HeadReaddresser("", "", b"x: y\r\n")
    sent = b"".join(reader.feed(head[at : at + size]) for at in range(0, len(head), size)) + reader.rest()
    assert sent == head.replace(b"Hints\r\n", b"Hints\r\nx: y\r\n").replace(b"OK\r\n", b"OK\r\nx: y\r\n")


def test_several_origins_are_all_looked_at() -> None:
    """A second Origin does not hide behind the first."""
    guard = PageGuard(PROTOCOL, pages=Pages.LOCAL)
    named = [("host", "127.0.0.1"), ("origin", LOCAL[0]), ("origin", FOREIGN[0])]
    refusal = guard.refusal(Request("GET", API, Headers(named)))
    assert refusal is not None


def test_the_two_options_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """One cannot open and close the API at once."""
    assert main(["serve", "--cors", "--no-cors"]) == 2
    assert "leave one of them out" in capsys.readouterr().err


def test_a_server_listens_on_this_machine_alone() -> None:
    """The default of each option that names an interface is an address of loopback."""
    defaults = {
        f"{command} {item.key}": item.default
        for command in COMMANDS
        for item in load_options(command).list_options().values()
        if item.allowed is Trust.BIND
    }
    assert len(defaults) > 5
    assert {name for name, default in defaults.items() if not is_loopback(default)} == set()


@pytest.mark.parametrize(
    ("words", "is_allowed"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--host", "0.0.0.0"], False),
        (["--host", "::"], False),
        (["--host", "0.0.0.0", "--deliver-webhooks"], True),
    ],
)
def test_a_server_beyond_this_machine_delivers_no_webhook(
    words: list[str], is_allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`serve` delivers to this machine only if no other one can register the receiver, or if the user says so."""
    told: list[bool] = []
    monkeypatch.setattr(courier.Courier, "__init__", lambda _, __, *, is_allowed: told.append(is_allowed))
    monkeypatch.setattr(courier.Courier, "__enter__", lambda self: self)
    monkeypatch.setattr(courier.Courier, "__exit__", lambda *_: None)
    main(["serve", "--port", "0", *words, "--", sys.executable, "-c", ""])
    assert told == [is_allowed]
