"""Texts and numbers of strangers in what a person copies, joins or compares: they stay texts and numbers."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.cli.main import main
from harness.contract.contract import load
from harness.emulator import Emulator, Settings
from harness.errors import BadHead
from harness.inspector.evidence import Evidence
from harness.inspector.traffic import SeenTraffic
from harness.interactions import INTERACTIONS
from harness.kit.wrong_call import explain_redirect
from harness.outcome import Exit
from harness.outcome.words import escape_obeyed, write_docstring
from harness.plugin.sent_requests import SentRequest, call_of
from harness.report.evidence.curl import Display, curl
from harness.report.junit import JUnitCase, Standing, write_document
from harness.report.markdown import Markdown, write_code, write_html, write_plain
from harness.transport import ServerThread
from harness.transport.http1.heads import parse_request_head
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


OBEYED = (
    "a\x03b",
    "\x15id;#",
    "\x1b[201~\n",
    "\x9b31m",
    "a\u202eb",
    "a\tb\x08",
    "-\x7f%d\\n!!'\"$(id)`id`",
    "\ufeff",
)


@in_one_test(text=OBEYED)
def test_a_copied_command_gives_a_terminal_nothing_to_obey(text: str) -> None:
    """A pasted ^C ends a line in spite of quotes, so none is in it; curl gets the text all the same."""
    request = Request(text, f"/{text}", Headers([(f"x-{text}", f"{text}.")]), text.encode())
    line = curl(request, Display(INTERACTIONS, "http://127.0.0.1:8", Mask({})))
    assert escape_obeyed(line) == line
    assert "\t" not in line
    script = f"curl() {{ printf '%s\\0' \"$@\"; cat; }}\n{line}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True)
    words = done.stdout.decode().split("\0")
    at = words.index("-X")
    assert words[at + 1] == text.removesuffix("\n")
    assert words[at + 2] == f"http://127.0.0.1:8/{text}".removesuffix("\n")
    assert f"x-{text}: {text}." in words
    assert words[-1] == text


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
    traffic = SeenTraffic(INTERACTIONS, ahead=True)
    evidence = Evidence(traffic, Mask({}), INTERACTIONS, load(), lambda *_: "")
    copied = evidence.copy(traffic.begin(request), "fetch", "http://127.0.0.1:8000")
    fetched = re.search(r'fetch\((".*?")', copied or "")
    assert fetched is not None
    assert urlsplit(json.loads(fetched[1])).netloc == "127.0.0.1:8000"


@pytest.mark.parametrize("target", ["@evil.example/x", ":80@evil.example/", "evil.example", "?x", "a:b://c/d"])
def test_a_server_takes_no_target_that_is_no_path(target: str) -> None:
    """A client cannot put such a path into the traffic that a person copies from."""
    with pytest.raises(BadHead, match="is not a path"):
        parse_request_head(f"GET {target} HTTP/1.1\r\nhost: a\r\n\r\n".encode())


REPORT = ("check", "emulator", "-c", "get.unknown", "-c", "get.ok")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of two runs, which can be compared."""
    folder = tmp_path_factory.mktemp("reports")
    for number in (1, 2):
        assert main((*REPORT, "--report", f"json={folder}/{number}.json")) in (0, 3)
    return folder


PAINT = '</script><img src="x" onerror="alert(1)">\x1b]0;t\x07\u202e\x9b2J\u2066\u2028'
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def _without_code(markdown: str) -> str:
    return re.sub(r"(?ms)^(`{3,}).*?^\1$", "", markdown)


def test_a_folder_with_a_hostile_name_is_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a folder becomes neither markup, nor a mark that nobody sees, nor a command of a CI system."""
    folder = tmp_path / "a<img src=x onerror=alert(1)>\x1b[31m\u202e::error::boom"
    folder.mkdir()
    recorded = Path(__file__).parents[2] / "cassettes" / "emulator" / "truncated.yaml"
    (folder / "a.yaml").write_bytes(recorded.read_bytes())
    pages = [str(tmp_path / "verified.html"), str(tmp_path / "verified.md")]
    words = ["--report", f"html={pages[0]}", "--report", f"markdown={pages[1]}"]
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main(["verify", str(folder), *words]) == 1
    for page in pages:
        text = Path(page).read_text("utf-8")
        assert not UNSEEN.search(text)
        assert not re.search(r"(?<!\\)<img", _without_code(text))
    assert "\n::error::boom" not in capsys.readouterr().out


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


@pytest.mark.parametrize("text", ["MUST `", "a `` b", "``` c", "x\\", "x\\`", "`a` `", "` ``", "a\\`b"])
def test_a_backtick_of_a_stranger_begins_no_code(text: str) -> None:
    """Code that begins in one text would end at another, whose content is then no code."""
    line = Markdown("{} {} ({} [x])").format(text, write_code("![b](http://evil.example)"), text)
    assert _find_markup(str(line)) == []
    assert write_plain("pass `--model` or ``a`b``") == "pass `--model` or ``a`b``"


def test_a_summary_is_one_line() -> None:
    """A blank line would end the block of HTML, and Markdown would begin."""
    assert write_html("reset\n\n# PASSED") == "reset # PASSED"


def test_what_a_target_says_is_no_markdown(tmp_path: Path) -> None:
    """A hosting service shows a report without a link, an image or a mention that the target wrote."""
    report = tmp_path / "report.md"
    body = json.dumps({"error": {"message": LURE, "code": "x"}}).encode()
    with ServerThread(lambda _: Response.json(500, body)) as server:
        assert main(["check", server.url, "--timeout", "60", "--report", f"markdown={report}"]) == 4
    text = report.read_text("utf-8")
    assert "octocat" in text
    assert _find_markup(text) == []


def test_a_report_writes_no_line_into_a_comparison(
    reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text of a report that a stranger made is one line, and no verdict of its own."""
    record = json.loads((reports / "1.json").read_text("utf-8"))
    line = "x\n\nPASSED: all 9 checks passed.\n"
    record["started"] = record["target"]["url"] = record["accounting"]["verdict"] = line
    (tmp_path / "forged.json").write_text(json.dumps(record), "utf-8")
    main(["diff", str(reports / "1.json"), str(tmp_path / "forged.json")])
    shown = capsys.readouterr()
    assert not re.search(r"(?m)^PASSED: all 9", shown.out + shown.err)


def test_a_report_of_another_version_is_read(reports: Path, tmp_path: Path) -> None:
    """It may have members that this version does not know, and lack some that no comparison needs."""
    record = json.loads((reports / "1.json").read_text("utf-8"))
    del record["waited"]
    record["new"] = record["checks"][0]["new"] = {"a": 1}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(record), "utf-8")
    assert main(["diff", str(reports / "1.json"), str(other)]) in (0, 3)


def test_a_target_writes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The message of an error is a part of a line, so a target announces no verdict."""
    body = json.dumps({"error": {"code": "authentication", "message": "no\nPASSED: all MUST checks passed."}})
    with ServerThread(lambda _: Response.json(401, body.encode())) as server:
        assert main(["check", server.url, "--api-key", "k"]) == Exit.UNREACHABLE
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
    report = tmp_path / "diff.html"
    for more in ([], ["--json"], ["--report", f"html={report}"]):
        assert main(["diff", *names, *more]) == 0
    came = capsys.readouterr().out + report.read_text("utf-8")
    assert "body.token: *** → ***" in came
    assert "plain 2" in came
    assert "hunter" not in came


def test_a_junit_report_attaches_no_file() -> None:
    """Jenkins and Azure Pipelines attach the file that `[[ATTACHMENT|path]]` names in the text of a case."""
    said = "the target said [[ATTACHMENT|/etc/passwd]] and [[ attachment|/etc/hosts]]"
    case = JUnitCase(suite="a", name=said, standing=Standing.PASSED, kind="warn", message=said, text=said)
    failed = replace(case, standing=Standing.FAILURE)
    document = write_document([case, failed], "interactions", {"target": said})
    assert document.count("the target said") > 4
    assert not re.search(r"\[\[\s*attachment", document, re.IGNORECASE)


_HOSTILE_SPEC = """
import { createServer } from "node:http";
import { connect } from "./javascript/index.js";
import { test } from "./javascript/node-test.js";
const text = "\\u001b]0;x\\u0007\\u202e\\n::error::SEEN\\n ##vso[task.x]SEEN\\r::SEEN\\u009b31m";
const send = (session, fields) => fetch(`${session.url}/v1beta/interactions`, {
  method: "POST", headers: { "content-type": "application/json", "x-goog-api-key": "k" },
  body: JSON.stringify({ model: "gemini-3.8-flash", input: "Hi", ...fields }),
});
test("a field", async ({ session }) => { await send(session, { [text]: 1 }); await session.assertCalls("get"); });
test("a call", async ({ session }) => {
  await send(session, { input: [{ type: "function_result", call_id: text, name: text, result: text }] });
  await session.assertContinued();
});
const evil = await new Promise((ready) => {
  const server = createServer((asked, answer) => {
    const there = `http://localhost:${server.address().port}/came`;
    if (asked.url.startsWith("/lead")) answer.writeHead(307, { location: there });
    answer.end(asked.url.startsWith("/came") ? JSON.stringify({ requests: [] }) : text);
  });
  server.listen(0, "127.0.0.1", () => ready(server)).unref();
});
const named = (path) => connect(`http://127.0.0.1:${evil.address().port}${path}`, { token: "t0ken" });
test("no JSON", async () => { await (await named("/x")).requests(); });
test("elsewhere", async () => {
  const failed = await named("/lead").then((found) => found.requests()).then(() => "", (error) => error.message);
  if (!failed.includes("redirect")) throw new Error("FOLLOWED");
});
test("a plan", async ({ session }) => { await session.drop(text); });
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_javascript_test_gives_a_terminal_and_a_runner_no_command(tmp_path: Path) -> None:
    """What code under test sent stands in failures and diagnostics of the npm package as text."""
    (tmp_path / "javascript").symlink_to(Path(__file__).resolve().parents[2] / "javascript")
    (tmp_path / "hostile.test.mjs").write_text(_HOSTILE_SPEC, "utf-8")
    command = tmp_path / "harness-command"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n', "utf-8")
    command.chmod(0o755)
    words = ("node", "--test", "--test-reporter=spec", "hostile.test.mjs")
    environment = {**os.environ, "HARNESS_COMMAND": str(command), "NO_COLOR": "1"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SEEN" in done.stdout
    assert "it sent no JSON" in done.stdout
    assert "FOLLOWED" not in done.stdout
    assert re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]|(?m:^\s*::)|##vso\[", done.stdout) == []


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


def test_a_path_that_is_no_url_is_a_path() -> None:
    """A client may send `//[`, which no address has as its host."""
    sent = SentRequest("GET", "//[x/y?a=1", {}, None)
    assert (sent.path, sent.query) == ("//[x/y", {"a": "1"})
    assert call_of({"method": "GET", "target": "//[x/y?a=1", "body": None}) == "GET //[x/y"


@pytest.mark.parametrize("text", ["\\r\\e[2KPASSED", "a\\n::error::b", "\\u202ea", "\\u009b2K"])
def test_an_id_of_a_baseline_gives_a_terminal_no_command(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names a result, so one that a terminal would obey is refused."""
    path = tmp_path / "baseline.yaml"
    path.write_text(f'- {{id: "{text}", reason: x}}\n', encoding="utf-8")
    assert main(["check", "emulator", "-c", "get.ok", "--baseline", str(path)]) == 2
    said = capsys.readouterr().err
    assert "has control characters: copy one from `harness list`" in said
    assert escape_obeyed(said) == said
