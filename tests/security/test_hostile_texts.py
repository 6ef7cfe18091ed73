"""Texts and numbers of strangers in what a person copies, joins or compares: they stay texts and numbers."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.cli.main import main
from harness.emulator import Emulator, Settings
from harness.interactions import INTERACTIONS
from harness.kit.wrong_call import explain_redirect
from harness.outcome import Exit
from harness.outcome.words import write_docstring
from harness.report.evidence.curl import Display, curl
from harness.transport import ServerThread
from harness.wire import Headers, LogicalClock, Request, Response
from harness.wire.mask import Mask
from tests.in_one_test import in_one_test

TEXTS = (
    '/x"""; __import__("os").system("id") #', "/\\", '/"', "/'''", "/\n__import__('os')", "/$(id)", "/`id`",
    "/'; id; '", "/\u2028x", "/\x1b]0;x\x07", "/{__import__}", "/\\N{DOLLAR SIGN}", "/\udc80", "/%s", "/'\"'",
    "/!!", "/\\\n",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_copied_test_holds_the_text_as_a_literal(text: str) -> None:
    """A path that a client chose cannot end the docstring of a copied test: the module has nothing but it."""
    written = write_docstring(f"The recorded response to GET {text}.")
    assert "\n" not in written
    source = f"def test():\n    {written}\n    ...\n"
    (function,) = ast.parse(source.encode("utf-8")).body
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 2
    assert ast.get_docstring(function, clean=False) == f"The recorded response to GET {text}."


@pytest.mark.parametrize("method", ["`id`", "$(id)", "GET;id", "|id", "'id'", "A&B", "GET"])
@pytest.mark.parametrize("text", ["/$(id)`id`'\"; id", "/x"])
def test_a_copied_command_holds_the_request_as_words(method: str, text: str) -> None:
    """Method, path, headers and body of a curl line are words of a shell that it does not expand."""
    request = Request(method, text, Headers([("x-a", "$(id) `id` ' \" \\")]), b'{"a": "$(id)\' `id`"}')
    line = curl(request, Display(INTERACTIONS, "http://127.0.0.1:8", Mask({})))
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{line}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": ""})
    words = done.stdout.split("\0")
    assert words[words.index("-X") + 1 : words.index("-X") + 3] == [method, f"http://127.0.0.1:8{text}"]
    assert "x-a: $(id) `id` ' \" \\" in words
    assert '{"a": "$(id)\' `id`"}' in words
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@in_one_test(target=["/[1-3]?a={x,y}", "/a/../b/./c", "/%2e%2e/x", "/x?a=/../b", "/[::1]/{}"])
def test_a_copied_command_sends_one_request_to_the_path_that_was_seen(target: str) -> None:
    """curl expands no pattern and shortens no path in it."""
    came: list[str] = []

    def note(request: Request) -> Response:
        came.append(request.target)
        return Response.json(200, b"{}")

    with ServerThread(note) as server:
        line = curl(Request("GET", target), Display(INTERACTIONS, server.url, Mask({})))
        subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    assert came == [target]


def test_a_header_without_a_value_is_copied_as_one() -> None:
    """curl would leave out a field that is written `name:`."""
    request = Request("GET", "/x", Headers([("x-empty", "")]))
    assert "-H 'x-empty;'" in curl(request, Display(INTERACTIONS, "http://127.0.0.1:8", Mask({})))


@pytest.mark.parametrize(
    "target",
    ["@evil.example/x", ":80@evil.example/", ".evil.example/", "?@evil.example/", "#@evil/", "x", "*", ""],
)
def test_a_copied_url_names_no_other_host(target: str) -> None:
    """A path without its slash continues no host: a copied line would send the key of the environment there."""
    request = Request("GET", target, Headers([("x-goog-api-key", "k")]))
    line = curl(request, Display(INTERACTIONS, "http://127.0.0.1:8000", Mask({})))
    url = next(word for word in shlex.split(line) if word.startswith("http:"))
    assert (urlsplit(url).hostname, urlsplit(url).port) == ("127.0.0.1", 8000)


LURE = (
    "![p](https://evil.example/p.png) [click](https://evil.example) \\[q](https://evil.example) @octocat fixes #1 "
    "\\| | <img src=x> **PASSED** <!-- ` [r](https://evil.example)"
)


def _find_markup(page: str) -> list[str]:
    """The elements of a page of Markdown that only a stranger would put there."""
    markdown_it = pytest.importorskip("markdown_it")
    html = markdown_it.MarkdownIt("commonmark").enable("table").render(page)
    text = re.sub(r"(?s)<(code|pre)\b.*?</\1>", "", html)
    return re.findall(r"<(?:a|img)\b|[@#]\w|<strong>PASSED", text)


def test_what_a_target_says_is_no_markdown(tmp_path: Path) -> None:
    """A hosting service shows a report without a link, an image or a mention that the target wrote."""
    report = tmp_path / "report.md"
    body = json.dumps({"error": {"message": LURE, "code": "x"}}).encode()
    with ServerThread(lambda _: Response.json(500, body)) as server:
        assert main(["check", server.url, "--timeout", "60", "--report", f"markdown={report}"]) == 4
    text = report.read_text("utf-8")
    assert "octocat" in text
    assert _find_markup(text) == []


def test_a_target_writes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The message of an error is a part of a line, so a target announces no verdict."""
    body = json.dumps({"error": {"code": "authentication", "message": "no\nPASSED: all MUST checks passed."}})
    with ServerThread(lambda _: Response.json(401, body.encode())) as server:
        assert main(["check", server.url, "--api-key", "k"]) == Exit.INCOMPLETE
    said = "".join(capsys.readouterr())
    assert "no PASSED: all MUST checks" in " ".join(said.split())
    assert not re.search(r"(?m)^PASSED", said)


def test_a_diff_hides_the_value_of_a_secret_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That a token has changed is told; neither the old one nor the new one is shown."""
    names = []
    for number in (1, 2):
        body = {
            "id": "x",
            "token": f"tok-hunter{number}",
            "api_key": f"hunter-{number}",
            "text": f"plain {number}",
        }
        response = {"status": {"code": 200, "message": "OK"}, "headers": {"content-type": ["application/json"]}}
        request = {
            "method": "GET",
            "uri": "https://example.com/v1beta/interactions/x",
            "body": None,
            "headers": {},
        }
        entry = {"request": request, "response": {**response, "body": {"string": json.dumps(body)}}}
        names.append(str(tmp_path / f"{number}.yaml"))
        Path(names[-1]).write_text(json.dumps({"version": 1, "interactions": [entry]}), encoding="utf-8")
    for more in ([], ["--json"]):
        assert main(["diff", *names, *more]) == 0
    came = capsys.readouterr().out
    assert "body: token *** → ***; api_key *** → ***; text " in came
    assert "plain 2" in came
    assert "hunter" not in came


@pytest.mark.parametrize("address", ["http://[::1", "//[", "http://[x]/upload/y"])
def test_an_address_that_is_no_url_is_a_finding(address: str, tmp_path: Path) -> None:
    """A target may return any text as the address of an upload or of a redirect: it ends no check."""
    emulator = Emulator(Settings(), clock=LogicalClock())

    def evil(request: Request) -> Response:
        response = emulator(request)
        fields = [(name, address if name in ("x-goog-upload-url", "location") else value)
                  for name, value in response.headers.items()]  # fmt: skip
        response.headers = Headers(fields)
        return response

    report = tmp_path / "report.json"
    with ServerThread(evil, clock=emulator.clock) as server:
        words = ("-c", "file.*", "-c", "env.*", "-c", "filesearch.*", "--report", f"json={report}")
        assert main(["check", server.url, "--api-key", "k", *words]) in (0, 1)
    checks = {check["id"]: check for check in json.loads(report.read_text("utf-8"))["checks"]}
    assert checks["file.upload"]["outcome"] in ("failed", "warned")
    assert checks["file.upload"]["findings"][0]["actual"] == address
    assert [name for name, check in checks.items() if check.get("reason") == "harness_error"] == []
    assert "is this a login page" in explain_redirect(302, Headers([("location", address)]), "/v1beta/x")
