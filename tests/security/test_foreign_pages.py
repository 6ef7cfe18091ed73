"""Web pages that a developer visits while a server runs: what they may read of it, and what they may not."""

from __future__ import annotations

import sys

import pytest

from harness.benches.server.page_guard import PageGuard, Pages
from harness.cli.arguments import load_options
from harness.cli.main import COMMANDS, main
from harness.cli.options import Trust
from harness.contract import PROTOCOL
from harness.transport.client import courier
from harness.wire import Headers, Request, Response
from harness.wire.addresses import is_loopback

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


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("mode", ["no-cors", "navigate"])
def test_a_request_without_an_origin_shows_a_page_nothing(site: str, mode: str) -> None:
    """A page cannot load an image or a script of ours, nor open a window of it, and any program is answered."""
    fields = {"sec_fetch_site": site, "sec_fetch_mode": mode}
    assert [ask(pages, **fields) for pages in (Pages.NONE, Pages.LOCAL, Pages.ANY)] == [403, 403, 200]
    assert [ask(pages, sec_fetch_site="same-origin") for pages in Pages] == [200] * 3
    assert [ask(pages) for pages in Pages] == [200] * 3


@pytest.mark.parametrize("pages", Pages)
@pytest.mark.parametrize("token", ["", "t0ken"])
def test_the_name_of_a_gateway_is_for_programs(pages: Pages, token: str) -> None:
    """Its owner may point it at this machine: by it, no page is answered, and no control call is sent."""
    guard = PageGuard(PROTOCOL, pages=pages, program_hosts=["GW.evil.example"], token=token)
    serve = guard.around(lambda _: Response.json(200, {}))
    for name in ("gw.evil.example:7321", "GW.EVIL.EXAMPLE.:7321"):
        for fields in ({"origin": "http://gw.evil.example:7321"}, {"sec-fetch-site": "same-origin"}):
            for path in (API, "/__harness__/faults"):
                assert serve(Request("GET", path, Headers([("host", name), *fields.items()]))).status == 403
        assert serve(Request("GET", API, Headers([("host", name)]))).status == 200
        assert serve(Request("GET", "/__harness__/faults", Headers([("host", name)]))).status == 403
    allowed = PageGuard(PROTOCOL, program_hosts=["gw.mine"], allowed_hosts=["gw.mine"])
    asked = Request("GET", "/__harness__/inspector/feed", Headers([("host", "gw.mine")]))
    assert allowed.refusal_of_control(asked) is None


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
    assert len(defaults) >= 5
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
