"""Who gets the page, and who is told anything: the rules of control calls hold for all but the page itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files

import pytest

from harness.inspector.inspector import ROOT, read_file
from harness.wire import Chunk, Request
from harness.wire.message import Headers
from tests.inspector.conftest import Bench

HTML = ("accept", "text/html,application/xhtml+xml")
PAGE = files("harness.inspector").joinpath("page")
FILES = sorted(
    {*(file.name for file in PAGE.iterdir() if "." in file.name), "tokens.css", "picture.css", "theme.js"}
)


def ask(bench: Bench, target: str, *fields: tuple[str, str], method: str = "GET") -> tuple[int, str, Headers]:
    """Status, text and headers of an answer."""
    named = {"host": "127.0.0.1:8000", **dict(fields)}
    response = bench.service(Request(method, target, Headers(named.items())))
    piece = next(response.body)
    return response.status, piece.data.decode() if isinstance(piece, Chunk) else "", response.headers


def test_the_root_is_a_page_for_a_browser_only(bench: Bench) -> None:
    """A browser gets the page at the root; every other client gets what the API says there."""
    assert ask(bench, "/", HTML)[2].media_type() == "text/html"
    status, text, _ = ask(bench, "/")
    assert status == 404
    assert "There is no GET /" in text
    assert ask(bench, "/v1beta/interactions/x", HTML)[2].media_type() == "application/json"


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_with_its_type_and_policy(bench: Bench, name: str) -> None:
    """Each file of the page is served with a type that browsers accept and a policy that lets in nothing else."""
    status, text, headers = ask(bench, ROOT + name)
    assert (status, text) == (200, read_file(name))
    assert headers.media_type() in ("text/html", "text/css", "text/javascript")
    assert "default-src 'none'" in headers.get("content-security-policy")


@pytest.mark.parametrize("name", FILES)
def test_the_page_refers_to_nothing_outside(name: str) -> None:
    """No file names another host, uses markup from text, or refers to a file that is not there."""
    text = read_file(name) or ""
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    hosts = set(re.findall(r"https?://[^\s\"'`$)]+", text)) - {"http://www.w3.org/2000/svg"}
    assert hosts == set()
    own = re.findall(r'(?:from |src=|href=)"(?:\./|/__harness__/inspector/)([\w.]+)"', text)
    assert set(own) <= set(FILES)


@pytest.mark.parametrize(
    "name", ["../inspector.py", "..%2finspector.py", "page/main.js", "main.py", "", "x.js", "x" * 5_000 + ".js"]
)
def test_only_files_of_the_page_are_served(bench: Bench, name: str) -> None:
    """Nothing beside the page's own files can be read; the empty name is the page."""
    status, text, _ = ask(bench, ROOT + name)
    assert (status == 200 and text.startswith("<!doctype html>")) if name == "" else status == 404


@pytest.mark.parametrize("name", ["exchanges/", "exchanges/1/"])
@pytest.mark.parametrize("number", ["9" * 18, "9" * 19, "9" * 5_000])
def test_a_number_that_nothing_has_is_not_found(bench: Bench, name: str, number: str) -> None:
    """However long it is: Python refuses to read a number of more than 4,300 digits."""
    bench.open()
    bench.create()
    assert ask(bench, f"{ROOT}{name}{number}")[0] == 404


@pytest.mark.parametrize("name", ["feed", "exchanges/1", "exchanges/1/0", "exchanges/1/curl", "cassette"])
@pytest.mark.parametrize(
    ("field", "status"),
    [
        (("origin", "http://evil.test"), 403),
        (("sec-fetch-site", "cross-site"), 403),
        (("host", "evil.test"), 403),
        (("x-other", "field"), 401),
    ],
)
def test_nothing_is_told_to_strangers(
    new_bench: Callable[..., Bench], name: str, field: tuple[str, str], status: int
) -> None:
    """A page of another origin, a rebound name, and whoever has no token learn nothing of the traffic."""
    bench = new_bench(token="s3cret" if status == 401 else "")
    bench.inspector.traffic.listen()
    bench.create()
    assert ask(bench, ROOT + name, field)[0] == status
    assert not [seen for seen in bench.inspector.traffic.all() if seen.request.target.startswith(ROOT)]


def test_with_the_token_all_is_told(new_bench: Callable[..., Bench]) -> None:
    """The page itself needs no token, or it could not ask for one; the feed takes the token in its header."""
    bench = new_bench(token="s3cret")
    assert ask(bench, "/", HTML)[0] == 200
    assert ask(bench, f"{ROOT}feed", ("x-harness-token", "s3cret"))[0] == 200


def test_a_rebound_name_does_not_even_get_the_page(bench: Bench) -> None:
    """A name that a web page may own gets no page, so that its scripts never run under that origin."""
    assert ask(bench, "/", HTML, ("host", "evil.test"))[0] == 403


def test_control_calls_are_not_shown(bench: Bench) -> None:
    """The page's own calls, and those of tests, are no traffic."""
    page = bench.open()
    bench.control("POST", "hold", {})
    bench.ask("exchanges/1")
    assert page.all("request") == []
